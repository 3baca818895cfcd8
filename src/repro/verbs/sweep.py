"""Many runs through Hydra's sweeper and launcher, and what became of each of them."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from repro.config.quoting import in_quotes
from repro.errors import UserError, printable
from repro.paths import working_folder
from repro.storage.files import read_json, write_json
from repro.storage.locks import LOCK, locked
from repro.storage.search import ASKED, OUTCOME, asked
from repro.verbs import search
from repro.verbs.compare import METRICS, MOST
from repro.verbs.hydra_run import UNDER_WAY, job, run_hydra

if TYPE_CHECKING:
    from repro.text.comparison import Setting

Outcome = dict[str, Any]
SWEEPERS_OWN = ("multirun.yaml", ASKED)  # what a sweeper writes before its first job


def sweep(words: Sequence[str], compare: bool = False) -> int:
    """Run a sweep through Hydra's sweeper and launcher; 1 when a job of it failed or was lost.

    Args:
        compare: end with the final metrics of every setting over its seeds, and figures in the sweep's folder.

    Raises:
        UserError: the words are wrong, or another sweep is at work in the same folder; no job has started.
    """
    working_folder()  # where it has been removed, this says so
    folder = _folder(words)
    words = [f"hydra.sweep.dir={in_quotes(str(folder))}", *words]
    made = [f for f in (folder, *folder.parents) if not f.exists()]
    with locked(folder, f"another sweep is at work in {folder}; wait for its end, or choose another hydra.sweep.dir"):
        try:
            return _sweep(words, folder, compare)
        finally:
            _remove_unused(folder, made)


def _folder(words: Sequence[str]) -> Path:
    """Where a sweep keeps what becomes of its jobs: as the words say, or a new folder of their results_dir.

    Raises:
        UserError: it is a reference, which each job could look up as another one.
    """
    given = {word.lstrip("+").partition("=")[0]: word for word in words if "=" in word}
    word = given.get("hydra.sweep.dir") or given.get("results_dir") or "results_dir=results"
    if "${" in word:
        raise UserError(f"{word}: a sweep has one folder, whose name has no ${{...}}; write hydra.sweep.dir=FOLDER")
    (parsed,) = OverridesParser.create().parse_overrides([word])
    if not (value := parsed.value()):
        raise UserError(f"{word}: a sweep needs a folder; write hydra.sweep.dir=FOLDER")
    if "hydra.sweep.dir" in given:
        return Path(str(value))
    return Path(str(value), "sweeps", datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f"))


def _sweep(words: Sequence[str], folder: Path, compare: bool) -> int:
    for old in (*_files(folder), *(folder / name for name in SWEEPERS_OWN)):  # of an earlier sweep into this folder
        old.unlink(missing_ok=True)
    lost = _launch(words, folder)
    outcomes = _outcomes(folder)
    if not outcomes:
        raise UserError(f"the sweep is empty: no job of it is in {folder}; give each setting at least one value")
    _print_failures(outcomes)
    ended, aim = [o for o in outcomes if o["status"] in ("done", "diverged")], asked(folder)
    if compare:
        _print_comparison([Path(o["folder"]) for o in ended], folder, aim["monitor"] if aim else None)
    if aim:
        search.conclude(folder, aim, ended)
    return _print_counts(outcomes, lost)


def _launch(words: Sequence[str], folder: Path) -> str:
    """Hand the jobs to Hydra; why some of them were lost, or nothing.

    Raises:
        UserError: the words are wrong; no job has started.
    """
    while True:
        try:
            run_hydra(job, words)
        except UserError:
            raise
        except BrokenProcessPool as error:
            # A worker of the local pool was killed, which takes the whole pool down. Whoever was under way is tried
            # alone, so that the guilty one is found; then the others go on.
            suspects = [f for f in _files(folder) if read_json(f)["status"] == UNDER_WAY]
            if not suspects:
                return _reason(error)
            for file in suspects:
                _alone(file)
        except Exception as error:  # what a job raises stays in its outcome: this is the launcher's, whichever it is
            if not _files(folder):
                if isinstance(error.__cause__, UserError):  # a sweeper refuses its settings
                    raise error.__cause__ from error
                raise UserError(f"no job was started: {_reason(error)}") from error
            return _reason(error)
        else:
            return ""


def _remove_unused(folder: Path, made: Sequence[Path]) -> None:
    """The folders of a sweep of which no job has started, if nobody else has put something there."""
    files = {LOCK, *SWEEPERS_OWN}
    if {f.name for f in folder.iterdir()} <= files:
        for name in files:
            (folder / name).unlink(missing_ok=True)
        with suppress(OSError):
            for empty in made:
                empty.rmdir()


def _alone(file: Path) -> None:
    """Train the job of an outcome in a process of its own, and write there how it ended."""
    outcome = read_json(file)
    print(f"its worker was killed; once more, alone: {' '.join(outcome['overrides'])}", file=sys.stderr)
    ended = subprocess.run([sys.executable, "-m", "repro", "train", *outcome["overrides"]], stdout=subprocess.DEVNULL)
    if ended.returncode < 0:
        name = signal.Signals(-ended.returncode).name
        why = " (the system does so where memory runs out)" if name == "SIGKILL" else ""
        write_json(file, outcome | {"status": "failed", "error": f"its process was killed by {name}{why}"})
    else:
        file.unlink()  # it is finished, or fails again with its reason, when the sweep goes on


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _files(folder: Path) -> list[Path]:
    numbered = [f for f in folder.glob(f"*/{OUTCOME}") if f.parent.name.isdecimal()]
    return sorted(numbered, key=lambda f: int(f.parent.name))


def _outcomes(folder: Path) -> list[Outcome]:
    return [read_json(file) for file in _files(folder)]


def _print_failures(outcomes: Sequence[Outcome]) -> None:
    by_error: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome["status"] == "failed":
            by_error.setdefault(outcome["error"], []).append(" ".join(outcome["overrides"]))
    for error, jobs in by_error.items():
        print(f"repro: failed: {error}", *jobs, sep="\n  ", file=sys.stderr)


def _print_counts(outcomes: Sequence[Outcome], lost: str) -> int:
    """One line with how many ended how, and where jobs were lost, what to do; the exit status."""
    counts = {status: sum(o["status"] == status for o in outcomes) for status in ("done", "diverged", "failed")}
    print(f"{len(outcomes)} runs: " + ", ".join(f"{n} {status}" for status, n in counts.items()))
    if lost:
        unknown = [" ".join(o["overrides"]) for o in outcomes if o["status"] == UNDER_WAY]
        print(f"repro: the launcher gave up: {lost}; the same command trains what is missing", file=sys.stderr)
        if unknown:
            print("begun, and not known to have ended:", *unknown, sep="\n  ", file=sys.stderr)
    return 1 if counts["failed"] or lost else 0


def _print_comparison(finished: Sequence[Path], folder: Path, monitor: str | None) -> None:
    """The settings of the sweep with their final metrics over the seeds, and where the figures of them are.

    The runs are done whatever becomes of their comparison. A search by `monitor` draws figures of its own.
    """
    from repro.text import comparison

    try:
        runs = [comparison.loaded(run) for run in dict.fromkeys(finished)]
        metrics = list(dict.fromkeys([*([monitor] if monitor else []), *comparison.final_metrics(runs)]))
        if len(runs) < 2 or not metrics:
            return
        settings = comparison.by_setting(runs)
        several = any(len(one.seeds) > 1 for one in settings)
        # Of single runs a difference says little more than the two values above it.
        parts = comparison.told(settings, metrics) if several else [comparison.told(settings, metrics)[0]]
        print(printable("\n\n".join(parts)))
        print()
        for file in _draw(settings, metrics, folder) if monitor is None else ():
            print(file)
    except UserError as error:
        print(f"repro: the runs cannot be compared: {error}", file=sys.stderr)


def _draw(settings: "Sequence[Setting]", metrics: Sequence[str], folder: Path) -> list[Path]:
    """Curves, and where the settings differ in one number, the metrics against it; nothing of what has no place."""
    from repro.plots import compare, sweeps
    from repro.text.comparison import by_number

    drawn = []
    if len(settings) <= MOST:
        labels = [one.label for one in settings]
        drawn += compare.draw(settings, metrics[:METRICS], labels, folder / "curves")
    name, lines = by_number(settings)
    if name and len(lines) <= MOST:
        drawn += sweeps.against_number(lines, name, metrics[:METRICS], folder / f"against-{name}")
    return drawn
