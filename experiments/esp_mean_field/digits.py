"""Curvature of the digit nets over training, with the authors' labels and with right ones. Reads tables only."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from repro.plots.experiment import Tables

from .plots import spectra
from .plots.outside import outside

LABELS = {"true": "64-25-10, labels as the authors'", "false": "64-25-10, right labels"}
AUTHORS = Path(__file__).with_name("authors.csv")


def figures(tables: Tables) -> dict[str, Figure]:
    """Loss, α and γ over training, spectra and β."""
    found = _study(tables)
    return {
        "loss": spectra.over_training(found, "loss", "training loss", "loss"),
        "alpha": spectra.over_training(found, "alpha_1e-8", "α, share of negative eigenvalues", "alpha_1e-8"),
        "gamma": spectra.over_training(found, "gamma_structural", "γ, share of flat directions", "gamma_structural"),
        "gamma_1e-4": spectra.over_training(found, "gamma_1e-4", "γ at a tolerance of 1e-4", "gamma_1e-4"),
        "spectrum": spectra.spectra_over_training(found, next(iter(LABELS))),
        "beta": spectra.betas(found),
    }


def further_tables(tables: Tables) -> dict[str, pd.DataFrame]:
    """The authors' end points beside ours, and which of them lie outside all our seeds."""
    found = _study(tables)
    table = spectra.end_points(found)
    return {
        "end_points": table[[column for column in table.columns if not column.startswith("zero residuals")]],
        "outside": outside(found, without=("zero residuals",)),
    }


def _study(tables: Tables) -> spectra.Study:
    runs = tables.runs.assign(net=tables.runs["task.shifted"].astype(str).str.lower(), unit=tables.runs["variant"])
    known = pd.read_csv(AUTHORS)
    known = known[known["task"] == "digits"].assign(net="true")
    return spectra.study(tables, runs, LABELS, known)
