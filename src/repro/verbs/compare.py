"""`repro compare`: finished runs side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from repro.errors import UserError, printable
from repro.verbs.parser import parser

if TYPE_CHECKING:
    from repro.text.comparison import Finished

EXAMPLES = """\
  repro compare ede2eec7be 628b786015
  repro compare mlp-tanh-xavier mlp-relu-xavier mlp-sigmoid-xavier --out figures
"""

MOST = 16  # runs, beyond which neither table nor figure can be read
METRICS = 2  # drawn
WORDS = 3  # settings in a legend


def main(words: Sequence[str]) -> int:
    """Run `repro compare RUN RUN ...`."""
    verb = parser("compare", EXAMPLES)
    verb.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder, its id, or a part of the folder's name")
    verb.add_argument("--results-dir", type=Path, default=Path("results"), help="folder of the runs")
    verb.add_argument("--out", type=Path, help="folder for the figure; that of the results if it is not given")
    asked = verb.parse_intermixed_args(words)
    if len(asked.runs) > MOST:
        raise UserError(f"{len(asked.runs)} runs are too many for one table; name {MOST} at most")
    from repro.verbs.show import check_finished, find

    folders = [find(run, asked.results_dir) for run in asked.runs]
    for folder in folders:
        check_finished(folder)
    from repro.text import comparison

    runs = comparison.load(folders)
    metrics = comparison.final_metrics(runs)
    print(printable(_told(runs, metrics)))
    if metrics:
        from repro.plots.compare import draw

        name = "compare-" + "-".join(run.id for run in runs)
        for path in draw(runs, metrics[:METRICS], _labels(runs), (asked.out or asked.results_dir) / name):
            print(path)
    return 0


def _told(runs: "Sequence[Finished]", metrics: Sequence[str]) -> str:
    from repro.text import comparison
    from repro.text.tables import table

    settings = comparison.differences(runs)
    parts = ["settings that differ\n" + table(settings, "text") if len(settings) else "no setting differs"]
    if not metrics:
        return "\n\n".join([*parts, "no run was scored on test, validation or training data"])
    parts.append(
        "at the end: mean over the seeds, 95 % interval, n\n" + table(comparison.at_the_end(runs, metrics), "text")
    )
    paired = comparison.differences_to_first(runs, metrics)
    if len(paired):
        parts.append(f"minus {runs[0].id}, seed by seed\n{table(paired, 'text')}")
    others = [run.id for run in runs[1:] if run.seeds != runs[0].seeds]
    if others:
        parts.append(f"{', '.join(others)}: other seeds than {runs[0].id}, so there is no difference seed by seed")
    return "\n\n".join(parts)


def _labels(runs: "Sequence[Finished]") -> dict[str, str]:
    """Ids with the first settings that differ."""
    from repro.text.comparison import ABSENT, differences

    settings = differences(runs).head(WORDS).set_index("setting")
    words = {run.id: [f"{name}={value}" for name, value in settings[run.id].items() if value != ABSENT] for run in runs}
    return {run: "  ".join([run, *own]) for run, own in words.items()}
