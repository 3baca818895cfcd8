"""A paper's published claims, of all its experiments, and the verdicts that stand when all are tested at once."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from repro.claims.family import adjusted
from repro.claims.verdicts import COLUMNS
from repro.claims.words import NO_VERDICT, VERDICTS
from repro.errors import UserError
from repro.storage.tables import read
from repro.study.experiment import Experiment, results_folder

WORDS = [name for name in COLUMNS if name not in ("ours", "low", "high", "n", "p_direction", "p_size")]


def read_claims(path: Path) -> pd.DataFrame:
    """claims.csv.

    Raises:
        UserError: the table is damaged, older than its columns, or has a verdict that there is not.
    """
    table = read(path, words=WORDS)
    lacking = [name for name in COLUMNS if name not in table.columns]
    strange = [] if lacking else sorted(set(table["verdict"]) - {*VERDICTS, NO_VERDICT})
    if lacking or strange:
        what = f"the verdict {strange[0]!r}" if strange else f"no column {lacking[0]}"
        raise UserError(f"{path} has {what}; judge its claims again with: repro figures")
    return table


def paper_claims(experiments: Iterable[Experiment], results_dir: str | Path) -> pd.DataFrame:
    """claims.csv of a paper's experiments, where they are there, with a column `adjusted` (see `repro.claims.family`).

    Raises:
        UserError: as `read_claims`.
    """
    paths = [results_folder(results_dir, experiment, "published") / "claims.csv" for experiment in experiments]
    tables = [read_claims(path) for path in paths if path.is_file()]
    if not tables:
        return pd.DataFrame(columns=[*COLUMNS, "adjusted"])
    claims = pd.concat(tables, ignore_index=True)
    return claims.assign(adjusted=adjusted(claims))
