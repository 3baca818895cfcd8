"""`repro data`: the files of data sets that are not bundled or generated, and what is in a table of one's own."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from repro.errors import UserError, printable
from repro.verbs.parser import parser

EXAMPLES = """\
  repro data list
  repro data fetch mnist
  repro data verify
  repro data describe my.csv
  repro data describe my.csv target=species
  repro data describe my.csv target=price task=regression separator=semicolon
"""


def main(words: Sequence[str]) -> int:
    """Run `repro data list|fetch|verify|describe`; 1 when a file is not what it should be."""
    verb = parser("data", EXAMPLES)
    verb.add_argument("action", choices=("list", "fetch", "verify", "describe"))
    verb.add_argument("names", nargs="*", help="data sets, none = all; a table's file and options of dataset=table")
    verb.add_argument("--data-dir", help="cache folder, as data_dir=... of `repro train`")
    asked = verb.parse_args(words)
    if asked.action == "describe":
        return _describe(asked.names)

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


def _describe(words: Sequence[str]) -> int:
    """Print what `repro train dataset=table dataset.path=FILE` with these settings would be given, training nothing."""
    if not words or ("=" in words[0] and not Path(words[0]).is_file()):
        raise UserError("repro data describe needs a file; see: repro data --help")
    from repro.config.compose import compose, run_of
    from repro.config.groups import own_option
    from repro.config.quoting import quoted

    file, options = words[0], own_option("dataset", "table")
    settings = [f"dataset.{word}" if word.partition("=")[0] in options else word for word in words[1:]]
    given = {key: value for key, _, value in (word.partition("=") for word in settings)}
    asked = quoted(["dataset=table", f"dataset.path={file}", *settings])
    if "dataset.target" not in given:
        from repro.datasets.table import overview

        compose(asked)  # refuses what is no setting
        lines = overview(file, given.get("dataset.separator", "auto"), given.get("dataset.decimal", "auto"))
        print(printable("\n".join(lines)))
        print(f"\nname what is to be predicted: repro data describe {file} target=COLUMN")
        return 0
    run = run_of(asked)
    from repro.text.result import baselines
    from repro.training.prepare import prepare

    about = prepare(run).data.about
    print(printable("\n".join([*about.notes, "", *baselines(about.baselines())])))
    return 0
