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

    from repro.storage.tables import read
    from repro.study.ledger import ledger, tables_of
    from repro.text import tables

    if asked.runs:
        there = tables_of(asked.what, "runs.csv", asked.scale, asked.results_dir)
        print("\n\n".join(tables.table(tables.summary(read(path)), asked.format) for path in there.values()))
        return 0
    claims = ledger(asked.what, asked.scale, asked.results_dir)
    print(tables.table(claims if asked.format == "csv" else tables.ledger(claims), asked.format))
    return 0
