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
    from repro.study.ledger import paper_claims, read_claims
    from repro.text import tables

    name = "runs.csv" if asked.runs else "claims.csv"
    experiments = select(asked.what)
    paths = {e.name: results_folder(asked.results_dir, e, asked.scale) / name for e in experiments}
    there = {e: path for e, path in paths.items() if path.exists()}
    if not there:
        others = sorted(
            {
                s
                for e in experiments
                for s in e.reproduction.get("scales", {})
                if (results_folder(asked.results_dir, e, s) / name).exists()
            }
        )
        elsewhere = f" (there at: {', '.join(f'--scale {s}' for s in others)})" if others else ""
        raise UserError(
            f"no {name} at scale {asked.scale} in {asked.results_dir}{elsewhere}; make it with: "
            f"repro reproduce {experiments[0].name} scale={asked.scale}"
        )
    if asked.runs:
        print("\n\n".join(tables.table(tables.summary(read(path)), asked.format) for path in there.values()))
        return 0
    if asked.scale == "published":
        # The family of a claim is all of its paper's, asked for or not.
        papers = dict.fromkeys(e.partition("/")[0] for e in there)
        claims = pd.concat([paper_claims(select(paper), asked.results_dir) for paper in papers], ignore_index=True)
        claims = claims[(claims["paper"] + "/" + claims["experiment"]).isin(list(there))]
    else:
        claims = pd.concat([read_claims(path) for path in there.values()], ignore_index=True)
    print(tables.table(claims if asked.format == "csv" else tables.ledger(claims), asked.format))
    return 0
