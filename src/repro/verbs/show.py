"""`repro show`: a finished run's tables and overview figure. `repro train` ends with the most important of it."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from repro.errors import UserError, printable
from repro.paths import is_file
from repro.storage.files import read_json
from repro.storage.run_files import read_summary, run_folders
from repro.verbs.parser import parser

FIGURES = {"train": "overview", "lr_finder": "loss by rate"}  # of a procedure, what it is
FEW = 6  # runs named in a message

EXAMPLES = """\
  repro show results/runs/digits/mlp-tanh-seed0-2047450a07
  repro show 2047450a07
  repro show noisy_tanh-seed1
  repro show 2047450a07 --html
  repro show 2047450a07 --results-dir elsewhere
"""


def main(words: Sequence[str]) -> int:
    """Run `repro show RUN`."""
    verb = parser("show", EXAMPLES)
    verb.add_argument("run", help="a run's folder, its id, or a part of the folder's name that no other run has")
    verb.add_argument("--results-dir", default="results", help="folder of the runs")
    verb.add_argument(
        "--html", action="store_true", help="write all of it, with more figures, into a page of the run's folder"
    )
    asked = verb.parse_args(words)
    folder = find(asked.run, Path(asked.results_dir))
    present(folder)
    if asked.html:
        from repro.html.run import write
        from repro.text.result import line

        print(line("page", str(write(folder))))
    return 0


def present(folder: Path, short: bool = False) -> None:
    """Print a finished run; of one that trained, draw its overview.png and print where that is.

    Args:
        short: what fits on half a screen, and at once: what draws is imported when it has been printed.

    Raises:
        UserError: the run has not finished, or one of its files is damaged.
    """
    check_finished(folder)
    from repro.text.result import line

    if short:
        from repro.text.result import brief as said
    else:
        from repro.text.run import text as said

    print(printable(said(folder)), flush=True)
    name = FIGURES.get(read_summary(folder)["settings"].get("choices.procedure", "train"))
    if name is None:
        return
    if name == "overview":
        from repro.plots.overview import draw
    else:
        from repro.plots.rates import draw
    try:
        print(line(name, str(draw(folder))))
    except UserError as error:  # the numbers are there to read, also where nothing can be written
        print(line(name, f"not drawn: {error}"))


def find(run: str, results_dir: Path) -> Path:
    """The folder of a run.

    Args:
        run: its folder, its id, or a part of the name of its folder (or of the folder above) that is unique.
        results_dir: where its folder is looked for, under runs/.

    Raises:
        UserError: no such run, or several.
    """
    found = _fitting(run, results_dir)
    if len(found) > 1:
        raise _ambiguous(run, found)
    return next(iter(found.values()))


def find_seeds(run: str, results_dir: Path) -> list[Path]:
    """The folder of a run, or those of runs that differ in nothing but the seed, where a part of a name fits them all.

    Raises:
        UserError: no such run, or several that differ in more.
    """
    from repro.config.naming import varied
    from repro.study.listing import settings_of

    found = _fitting(run, results_dir)
    settings = [settings_of(folder) for folder in found.values()] if len(found) > 1 else []
    if varied(settings) or not all(settings):
        raise _ambiguous(run, found)
    return list(found.values())


def _fitting(run: str, results_dir: Path) -> dict[str, Path]:
    """The runs that are meant, one or more, by their paths below runs/."""
    given = Path(run)
    if is_file(given / "config.yaml") or is_file(given / "done.json"):
        return {run: given}
    runs = results_dir / "runs"
    folders = run_folders(runs)
    if not folders:
        raise UserError(f"no run {run!r}: there are no runs in {runs}; train one with: repro train")
    names = {folder.relative_to(runs).as_posix(): folder for folder in folders}
    for fits in (lambda name: name.endswith(f"-{run}") or name == run, lambda name: run in name):
        if chosen := {name: folder for name, folder in names.items() if fits(name)}:
            return chosen
    raise _no_run(run, runs, names)


def _ambiguous(run: str, found: Mapping[str, Path]) -> UserError:
    """A few of the runs, each by its id and what the runs differ in, or by its name where it cannot be said."""
    from repro.config.naming import SEEDS, names_that_vary, varied, words
    from repro.study.listing import settings_of

    settings = {name: settings_of(folder) for name, folder in found.items()}
    known = [own for own in settings.values() if own]
    differing = [*varied(known), *names_that_vary(known, SEEDS)]
    told = {name: words(settings[name], differing) for name in list(found)[:FEW]}
    some = ", ".join(f"{name.rpartition('-')[2]}: {own}" if own else name for name, own in told.items())
    return UserError(
        f"{len(found)} runs have {run!r} in their name ({some}{' ...' if len(found) > FEW else ''}); "
        "give more of the name, its folder included, or an id"
    )


def _no_run(run: str, runs: Path, names: Iterable[str]) -> UserError:
    # An id is compared with ids and a name with names; hundreds of runs are too many to list.
    readable = {name.rpartition("/")[2] for name in names}
    ids = {name.rpartition("-")[2] for name in readable}
    near = get_close_matches(run, sorted(ids), n=2) or get_close_matches(run, sorted(readable), n=3, cutoff=0.4)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    return UserError(
        f"no run {run!r} among the {len(readable)} in {runs}; give a folder, an id or a part of a name{hint}"
    )


def check_finished(folder: Path) -> None:
    """Raise a `UserError` that says what to do where a run has not finished."""
    if (folder / "done.json").is_file():
        return

    failed = folder / "failed.json"
    if failed.is_file():
        reason = read_json(failed).get("error", "no reason was kept")
        raise UserError(f"the run in {folder} failed: {reason}; the same repro train command tries again")
    raise UserError(f"the run in {folder} has not finished yet; the same repro train command resumes it")
