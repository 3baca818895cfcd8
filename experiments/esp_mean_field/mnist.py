"""Curvature of a digit net on MNIST: estimated spectra before and after training. Reads tables only."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from repro.plots import scales
from repro.plots.experiment import Tables
from repro.plots.style import QUIET, TEXT, explain, figure

from .plots.spectra import UNITS

LEAST = 1e-7  # eigenvalues are drawn on a linear scale below
LIGHTEST = 1e-6  # of the weights that are drawn: less than one of 19,900 eigenvalues in a cluster


def figures(tables: Tables) -> dict[str, Figure]:
    """Where the eigenvalues are, by activation."""
    return {"density": _density(tables.spectrum)} if len(tables.spectrum) else {}


def _density(spectrum: pd.DataFrame) -> Figure:
    """The nodes of the quadrature as they are, a point each: forty of them are no histogram of 19,900 eigenvalues."""
    units = [unit for unit in UNITS if unit in set(spectrum["variant"])]
    fig = figure(TEXT, 4.2)
    grid = fig.subplots(2, max(1, len(units)), sharex=True, sharey=True, squeeze=False)
    probes = lighter = 0
    for column, unit in zip(grid.T, units, strict=False):
        name, color = UNITS[unit]
        own = spectrum[spectrum["variant"] == unit]
        for ax, step in zip(column, (own["step"].min(), own["step"].max()), strict=True):
            nodes, weights = _nodes(own[own["step"] == step])
            probes = max(probes, round(weights.sum()))
            lighter += int((weights < LIGHTEST).sum())
            shown = weights >= LIGHTEST
            ax.plot(nodes[shown], weights[shown], "o", color=color, markersize=3, alpha=0.5, markeredgewidth=0)
            ax.axvline(0, color=QUIET, linewidth=0.5, zorder=0)
        column[0].set_title(name)
        column[1].set_xlabel("eigenvalue")
    ends = spectrum.loc[spectrum["quantity"] == "node", "value"].abs().max()
    for ax in grid.flat:
        ax.set_xscale("symlog", linthresh=LEAST, linscale=0.5)
        scales.set_limits(ax.xaxis, -2 * ends, 2 * ends)
        ax.set_xticks([-1, -1e-4, 0, 1e-4, 1], ["−1", "−10⁻⁴", "0", "10⁻⁴", "1"])
        ax.set_yscale("log")
        scales.set_limits(ax.yaxis, LIGHTEST, 2)
    for ax, when in zip(grid[:, 0], ("before training", "after training"), strict=True):
        ax.set_ylabel(f"{when}:\nshare of eigenvalues near")
    explain(
        fig,
        "one seed",
        f"a point: a node of the stochastic Lanczos quadrature of one of {probes} probes, for all eigenvalues near it",
        f"linear between ±{LEAST:g}",
        f"{lighter} nodes of less than {LIGHTEST:g} are not drawn",
    )
    return fig


def _nodes(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights, (probes · steps,), those of each probe summing to 1."""
    nodes, weights = (rows[rows["quantity"] == q].sort_values("index")["value"].to_numpy() for q in ("node", "weight"))
    return nodes, weights
