"""`repro compare`: finished runs side by side."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from repro.errors import UserError, printable
from repro.verbs.parser import parser

if TYPE_CHECKING:
    from repro.text.comparison import Finished, Setting

EXAMPLES = """\
  repro compare 2047450a07 628b786015
  repro compare mlp-tanh mlp-relu mlp-sigmoid --out figures    # all seeds of each
"""

RUN = "a run's folder, its id, or a part of the folder's name; one that fits runs of several seeds means all of them"
MOST = 16  # settings, beyond which neither table nor figure can be read
NAMED = 8  # runs in the name of a figure
METRICS = 2  # drawn
WORDS = 3  # settings in a legend


def main(words: Sequence[str]) -> int:
    """Run `repro compare RUN RUN ...`."""
    verb = parser("compare", EXAMPLES)
    verb.add_argument("runs", nargs="+", metavar="RUN", help=RUN)
    verb.add_argument("--results-dir", type=Path, default=Path("results"), help="folder of the runs")
    verb.add_argument("--out", type=Path, help="folder for the figure; that of the results if it is not given")
    asked = verb.parse_args(words)
    from repro.verbs.show import check_finished, find_seeds

    folders = [folder for run in asked.runs for folder in find_seeds(run, asked.results_dir)]
    for folder in folders:
        check_finished(folder)
    from repro.text import comparison

    runs = comparison.load(folders)
    settings = comparison.by_setting(runs)
    if len(settings) in (1, len(runs)):  # nothing to put together, or nothing else to compare
        settings = comparison.one_by_one(runs)
    if len(settings) > MOST:
        raise UserError(f"{len(settings)} settings are too many for one table; name runs of {MOST} at most")
    metrics = comparison.final_metrics(runs)
    print(printable(_told(settings, metrics)))
    if metrics:
        from repro.plots.compare import draw
        from repro.storage.files import chosen_by

        path = (asked.out or asked.results_dir) / f"compare-{_name(runs)}"
        print()
        with chosen_by("--out"):
            files = draw(settings, metrics[:METRICS], _labels(settings), path)
        print(*files, sep="\n")
    return 0


def _told(settings: "Sequence[Setting]", metrics: Sequence[str]) -> str:
    from repro.text import comparison
    from repro.text.tables import table

    single = all(len(one.runs) == 1 for one in settings)
    differing = comparison.differing(settings)
    parts = ["settings that differ\n" + table(differing, "text") if len(differing) else "no setting differs"]
    if not metrics:
        return "\n\n".join([*parts, "no run was scored on test, validation or training data"])
    return "\n\n".join([*parts, *comparison.told(settings, metrics, "run" if single else "setting")])


def _labels(settings: "Sequence[Setting]") -> list[str]:
    """Ids with the first settings that differ; a setting of several runs is called by these already."""
    from repro.text.comparison import ABSENT, differing

    if any(len(one.runs) > 1 for one in settings):
        return [one.label for one in settings]
    shown = differing(settings).head(WORDS).set_index("setting")
    words = [[f"{name}={value}" for name, value in shown[one.label].items() if value != ABSENT] for one in settings]
    return ["  ".join([one.label, *own]) for one, own in zip(settings, words, strict=True)]


def _name(runs: "Sequence[Finished]") -> str:
    """The runs' ids, or a hash of them where they are too many for the name of a file."""
    ids = "-".join(run.id for run in runs)
    return ids if len(runs) <= NAMED else f"{len(runs)}-runs-{hashlib.sha256(ids.encode()).hexdigest()[:10]}"
