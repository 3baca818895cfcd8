"""`repro data`: the files of data sets that are not bundled or generated."""

from collections.abc import Sequence
from dataclasses import asdict

from repro.verbs.parser import parser

EXAMPLES = """\
  repro data list
  repro data fetch mnist
  repro data verify
"""


def main(words: Sequence[str]) -> int:
    """Run `repro data list|fetch|verify`; 1 when a file is not what it should be."""
    verb = parser("data", EXAMPLES)
    verb.add_argument("action", choices=("list", "fetch", "verify"))
    verb.add_argument("names", nargs="*", help="data sets; none = all")
    verb.add_argument("--data-dir", help="cache folder, as data_dir=... of `repro train`")
    asked = verb.parse_args(words)

    import pandas as pd

    from repro.datasets.store import files
    from repro.text import tables

    if asked.action == "list":
        print(tables.table(pd.DataFrame([asdict(s) for s in files.statuses(asked.data_dir, asked.names)]), "text"))
        return 0
    if asked.action == "fetch":
        print(tables.table(pd.DataFrame([asdict(s) for s in files.fetch(asked.names, asked.data_dir)]), "text"))
        return 0
    checks = files.verify(asked.names, asked.data_dir)
    print(tables.table(pd.DataFrame([asdict(c) for c in checks]), "text"))
    bad = {"wrong", "missing"} if asked.names else {"wrong"}
    return 1 if any(c.result in bad for c in checks) else 0
