"""`repro table`: the ledger, or the runs behind it."""

from collections.abc import Sequence

from repro.verbs.parser import SCALES, parser

EXAMPLES = """\
  repro table
  repro table training_deep_networks/initialization --format markdown
  repro table training_deep_networks/initialization --runs --format latex
  repro table training_deep_networks --format csv > ledger.csv
"""


def main(words: Sequence[str]) -> int:
    """Run `repro table`."""
    verb = parser("table", EXAMPLES)
    verb.add_argument("what", nargs="?", help="PAPER or PAPER/EXPERIMENT; none = all")
    verb.add_argument("--format", choices=("text", "markdown", "latex", "csv"), default="text")
    verb.add_argument("--runs", action="store_true", help="the runs' metrics by variant instead of the claims")
    verb.add_argument("--scale", default="published", help=f"which tables: {SCALES}")
    verb.add_argument("--results-dir", default="results", help="folder of the tables")
    asked = verb.parse_args(words)

    import pandas as pd

    from repro.errors import UserError
    from repro.storage.tables import read
    from repro.study.experiment import results_folder, select
    from repro.text import tables

    name = "runs.csv" if asked.runs else "claims.csv"
    experiments = select(asked.what)
    paths = [results_folder(asked.results_dir, e, asked.scale) / name for e in experiments]
    collected = [read(path) for path in paths if path.exists()]
    if not collected:
        others = sorted(
            {
                s
                for e in experiments
                for s in e.reproduction.get("scales", {})
                if (results_folder(asked.results_dir, e, s) / name).exists()
            }
        )
        there = f" (there at: {', '.join(f'--scale {s}' for s in others)})" if others else ""
        raise UserError(
            f"no {name} at scale {asked.scale} in {asked.results_dir}{there}; make it with: "
            f"repro reproduce {experiments[0].name} scale={asked.scale}"
        )
    if asked.runs:
        print("\n\n".join(tables.table(tables.summary(runs), asked.format) for runs in collected))
    else:
        claims = pd.concat(collected, ignore_index=True)
        print(tables.table(claims if asked.format == "csv" else tables.ledger(claims), asked.format))
    return 0
