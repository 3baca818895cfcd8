"""A paper's published claims, of all its experiments, and the verdicts that stand when all are tested at once."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from repro.claims.family import adjusted
from repro.claims.verdicts import COLUMNS
from repro.claims.words import UNJUDGED, VERDICTS
from repro.errors import UserError
from repro.storage.tables import read
from repro.study.experiment import Experiment, results_folder, select

WORDS = [name for name in COLUMNS if name not in ("ours", "low", "high", "n", "p_direction", "p_size")]


def read_claims(path: Path) -> pd.DataFrame:
    """claims.csv.

    Raises:
        UserError: the table is damaged, older than its columns, or has a verdict that there is not.
    """
    table = read(path, words=WORDS)
    lacking = [name for name in COLUMNS if name not in table.columns]
    strange = [] if lacking else sorted(set(table["verdict"]) - {*VERDICTS, *UNJUDGED})
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


def ledger(what: str | None, scale: str = "published", results_dir: str | Path = "results") -> pd.DataFrame:
    """claims.csv of a paper, an experiment or all; those published with a column `adjusted`.

    Raises:
        UserError: unknown paper or experiment, no tables at that scale, or as `read_claims`.
    """
    there = tables_of(what, "claims.csv", scale, results_dir)
    if scale != "published":
        return pd.concat([read_claims(path) for path in there.values()], ignore_index=True)
    # The family of a claim is all of its paper's, asked for or not.
    papers = dict.fromkeys(name.partition("/")[0] for name in there)
    claims = pd.concat([paper_claims(select(paper), results_dir) for paper in papers], ignore_index=True)
    return claims[(claims["paper"] + "/" + claims["experiment"]).isin(list(there))]


def tables_of(what: str | None, name: str, scale: str, results_dir: str | Path) -> dict[str, Path]:
    """The files of that name that there are, by PAPER/EXPERIMENT.

    Raises:
        UserError: unknown paper or experiment, or no such file; says at which scales there is one.
    """
    experiments = select(what)
    paths = {e.name: results_folder(results_dir, e, scale) / name for e in experiments}
    there = {e: path for e, path in paths.items() if path.exists()}
    if there:
        return there
    scales = {s for e in experiments for s in e.reproduction.get("scales", {})}
    others = sorted(s for s in scales if any((results_folder(results_dir, e, s) / name).exists() for e in experiments))
    elsewhere = f" (there at: {', '.join(f'--scale {s}' for s in others)})" if others else ""
    raise UserError(
        f"no {name} at scale {scale} in {results_dir}{elsewhere}; make it with: "
        f"repro reproduce {experiments[0].name} scale={scale}"
    )
