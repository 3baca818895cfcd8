"""Figures of a layer in loops and as a product of matrices: milliseconds, and their ratios."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import legends
from repro.plots.blocks import error_bars
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, QUIET, TEXT, VERMILLION, explain, figure
from repro.storage.metrics import POSITIVE
from repro.storage.statistics import estimate

UNITS = "procedure.outputs"
TIMES = {"loops_milliseconds": ("loops of Python", VERMILLION), "matrix_milliseconds": ("product of matrices", BLUE)}
RATIOS = {"loops_time_ratio": ("loops over matrix", VERMILLION), "singles_time_ratio": ("samples over batch", GREEN)}


def figures(tables: Tables) -> dict[str, Figure]:
    """Times and ratios by units of the layer."""
    return {
        "time": _panel(tables.runs, TIMES, "milliseconds, one sample"),
        "ratio": _panel(tables.runs, RATIOS, "time ratio"),
    }


def _panel(runs: pd.DataFrame, metrics: dict[str, tuple[str, str]], said: str) -> Figure:
    fig = figure(TEXT * 0.6, 2.7)
    ax: Axes = fig.subplots()
    for metric, (label, color) in metrics.items():
        groups = [
            (float(str(at)), estimate(own.tolist())) for at, own in runs.groupby(UNITS)[f"vectorization_{metric}"]
        ]
        at, found = zip(*groups, strict=True)
        error_bars(ax, at, found, label=label, color=color, within=POSITIVE, fmt="o-", markersize=3.5, linewidth=1)
    if "ratio" in said:
        ax.axhline(1, color=QUIET, linewidth=0.8, linestyle="--", zorder=1)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(sorted(runs[UNITS].unique()), [f"{int(n)}" for n in sorted(runs[UNITS].unique())])
    ax.set(xlabel="units of the layer, 784 inputs", ylabel=said)
    legends.outside(fig, [ax], loc="outside upper center", ncols=2)
    explain(fig, f"means and 95 % intervals, n={int(runs.groupby(UNITS).size().max())}", "this machine's")
    return fig
