"""Curvature of a digit net on MNIST: estimated spectra before and after training. Reads tables only."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from repro.plots import legends
from repro.plots.experiment import Tables
from repro.plots.style import QUIET, TEXT, figure

from .plots.spectra import UNITS

EDGES = np.r_[-np.logspace(1, -7, 25), np.logspace(-7, 1, 25)]


def figures(tables: Tables) -> dict[str, Figure]:
    """The density of eigenvalues, by activation."""
    return {"density": _density(tables.spectrum)}


def _density(spectrum: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.6)
    units = [unit for unit in UNITS if unit in set(spectrum["variant"])]
    axes = fig.subplots(1, max(1, len(units)), sharey=True, squeeze=False)[0]
    for ax, unit in zip(axes, units, strict=False):
        name, color = UNITS[unit]
        own = spectrum[spectrum["variant"] == unit]
        ends = own.groupby("run")["step"]
        for when, look in (
            (ends.transform("min"), {"linestyle": ":", "label": "before"}),
            (ends.transform("max"), {"label": "after"}),
        ):
            rows = own[own["step"] == when]
            nodes, weights = (rows.loc[rows["quantity"] == q, "value"].to_numpy() for q in ("node", "weight"))
            shares, _ = np.histogram(nodes, EDGES, weights=weights / max(weights.sum(), 1e-300))
            ax.stairs(shares, EDGES, color=color, **look)
        ax.set(title=name, xlabel="eigenvalue", yscale="log", ylim=(1e-5, 1.5))
        ax.set_xscale("symlog", linthresh=1e-7, linscale=0.5)
        ax.set_xticks([-1, 0, 1e-4, 1])
    axes[0].set_ylabel("share of eigenvalues")
    legends.inside(axes[0], loc="upper left")
    note = "stochastic Lanczos quadrature; bins are even on a logarithmic scale"
    fig.supxlabel(note, x=0.99, ha="right", fontsize=6.5, color=QUIET)
    return fig
