"""Figures 1 to 7 of the mean-field paper for the points with a straight boundary. Reads tables only."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from repro.plots.experiment import Tables

from .plots import spectra
from .plots.outside import outside

NETS = {"10": "2-10-1", "8_2": "2-8-2-1"}
AUTHORS = Path(__file__).with_name("authors.csv")
KIND = "linear"


def figures(tables: Tables) -> dict[str, Figure]:
    """The units; loss, α and γ against the loss, zero residuals, spectra, eigenvectors and β."""
    found = spectra.of_points(tables, NETS, AUTHORS, KIND)
    return {"activations": spectra.activations(), **spectra.all_figures(found)}


def further_tables(tables: Tables) -> dict[str, pd.DataFrame]:
    """The authors' end points beside ours, and which of them lie outside all our seeds."""
    found = spectra.of_points(tables, NETS, AUTHORS, KIND)
    return {"end_points": spectra.end_points(found), "outside": outside(found)}
