"""`repro status`: where the runs of every experiment stand."""

from collections.abc import Sequence

from repro.verbs.parser import SCALES, parser

EXAMPLES = """\
  repro status
  repro status training_deep_networks --scale quick
  repro status training_deep_networks/initialization --runs
"""


def main(words: Sequence[str]) -> int:
    """Run `repro status`."""
    verb = parser("status", EXAMPLES)
    verb.add_argument("what", nargs="?", help="PAPER or PAPER/EXPERIMENT; none = all")
    verb.add_argument("--scale", default="published", help=f"which runs: {SCALES}")
    verb.add_argument("--runs", action="store_true", help="one line a run")
    verb.add_argument("--results-dir", default="results", help="folder of the results")
    asked = verb.parse_args(words)

    import pandas as pd

    from repro.bars import tracked
    from repro.study.collect import counts
    from repro.study.elsewhere import trained_elsewhere
    from repro.study.experiment import select
    from repro.study.publish import plan
    from repro.text import tables

    rows = []
    for experiment in tracked(select(asked.what), "looking", "experiment"):
        planned = plan(experiment, asked.scale, asked.results_dir)
        runs = planned.status()
        if asked.runs:
            print(experiment.name)
            print(tables.table(runs, "text"))
        others = trained_elsewhere(experiment, asked.results_dir, planned.expected, asked.scale)
        besides = ", ".join(f"{scale} {runs}" for scale, runs in others.items())
        counted = {"experiment": experiment.name, "scale": planned.scale} | counts(runs)
        rows.append(counted | {"trained besides": besides})
    table = pd.DataFrame(rows)
    if not table["trained besides"].any():
        table = table.drop(columns="trained besides")
    print(tables.table(table, "text"))
    return 0
