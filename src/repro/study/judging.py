"""An experiment's claims and its collected tables brought together. No Hydra: pages use it."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from repro.claims import verdicts
from repro.claims.grammar import OURS, looked_at, parse
from repro.claims.numbers import values
from repro.claims.select import Measurements
from repro.claims.summary import REDUCED
from repro.errors import UserError
from repro.storage.tables import read
from repro.study.experiment import Experiment


def judge(experiment: Experiment, folder: Path) -> pd.DataFrame:
    """Write claims.csv from the collected tables and return it; without verdicts where the scale has none."""
    runs, layers, curves = _looked_at(experiment, folder, experiment.claims)
    claims = verdicts.judge(
        experiment.claims,
        runs,
        layers,
        curves,
        paper=experiment.paper,
        experiment=experiment.short,
        variants=list(experiment.variants),
        entitled=all(map(experiment.judged_at, runs["scale"].astype("str").unique())),
        looks=experiment.looks,
    )
    smaller = [row.origin != OURS and experiment.reduced(str(row.claim)) for row in claims.itertuples()]
    claims["scale"] = claims["scale"].where(~pd.Series(smaller, dtype=bool), claims["scale"] + REDUCED)
    verdicts.write_claims(folder / "claims.csv", claims)
    return claims


def part_values(experiment: Experiment, folder: Path) -> dict[str, str]:
    """What the parts of each claim of several compare, in words, by the claim's id; those that the tables can tell."""
    variants, found = list(experiment.variants), {}
    several = {name: claim for name, claim in experiment.claims.items() if claim.get("kind") == "all"}
    if not several or not all((folder / name).is_file() for name in ("curves.csv.gz", "layers.csv.gz")):
        return {}
    data = Measurements(*_looked_at(experiment, folder, several))
    for name, claim in several.items():
        # A table that is older than a claim may lack what it looks at.
        with suppress(UserError):
            found[name] = values(parse(name, claim, variants), data, f"claim {name}")
    return found


def _looked_at(
    experiment: Experiment, folder: Path, claims: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame | None, pd.DataFrame | None]:
    """The tables that claims look at: runs, layers, curves."""
    wanted = looked_at(claims, list(experiment.variants))
    layers = _layers(folder / "layers.csv.gz", wanted.quantities) if wanted.quantities else None
    runs = read(folder / "runs.csv")
    if not wanted.columns <= set(runs.columns):
        runs = _with_further_columns(experiment, folder, runs)
    return runs, layers, read(folder / "curves.csv.gz") if wanted.curves else None


def _with_further_columns(experiment: Experiment, folder: Path, runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with what the experiment's script makes of the tables; as they are where it makes nothing."""
    if not experiment.script.is_file():
        return runs
    from repro.plots.experiment import Tables, further_columns  # matplotlib takes its time

    made = further_columns(experiment.script, Tables(folder))
    return runs if made is None else runs.merge(made, on=["run", "seed"], how="left", validate="one_to_one")


def _layers(path: Path, quantities: set[str]) -> pd.DataFrame:
    """The rows of the quantities that claims look at; the whole table where it lacks one, for the error's sake."""
    table = read(path, only=("quantity", quantities))
    if set(table["quantity"]) != quantities:
        return read(path)
    return table.astype({"value": float})  # a few quantities may have whole numbers only
