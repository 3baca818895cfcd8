"""Figures of the minima: final losses by size of the hidden layer, how far they are apart, training against test."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, TEXT, VERMILLION, colors, explain, figure
from repro.plots.sweeps import footnote, places, sweep

WIDTH = "architecture.width"
NAMES = {"he": "He's weights", "unit_cube": "starts in the unit cube"}
COLORS = {"he": BLUE, "unit_cube": VERMILLION}
PLAIN = 3  # fewer seeds have no standard deviation worth the name


def figures(tables: Tables) -> dict[str, Figure]:
    """Losses and their standard deviation against size, and test against training loss."""
    runs = tables.runs
    if not {"train_loss", "test_loss"} <= set(runs.columns):
        return {}
    return {"losses_by_size": _by_size(runs), "train_and_test": _pairs(runs)}


def _variants(runs: pd.DataFrame) -> list[str]:
    return [name for name in NAMES if (runs["variant"] == name).any()]


def _by_size(runs: pd.DataFrame) -> Figure:
    at = places(runs, WIDTH)
    fig = figure(TEXT, 2.9)
    left, right = fig.subplots(1, 2)
    deviations: list[float] = []
    for name in _variants(runs):
        own = runs[runs["variant"] == name]
        sweep(left, own, WIDTH, "test_loss", at, label=NAMES[name], color=COLORS[name])
        spread = own.groupby(WIDTH)["test_loss"].agg(["std", "count"])
        spread = spread[spread["count"] >= PLAIN]
        right.plot(spread.index, spread["std"], "o-", color=COLORS[name], label=NAMES[name], markersize=4)
        deviations += spread["std"].tolist()
    left.set(xlabel="hidden units", ylabel="test loss")
    right.set(xlabel="hidden units", ylabel="standard deviation over starts")
    scales.log_axis(right.xaxis, at)
    scales.value_axis(right.yaxis, deviations)
    legends.outside(fig, [left, right], loc="outside upper left", ncols=2, fontsize="small")
    footnote(fig, runs)
    return fig


def _pairs(runs: pd.DataFrame) -> Figure:
    names = _variants(runs)
    widths = sorted(runs[WIDTH].unique())
    fig = figure(TEXT, 3.0)
    for ax, name in zip(fig.subplots(1, len(names), sharex=True, sharey=True, squeeze=False)[0], names, strict=True):
        for width, color in zip(widths, colors(len(widths)), strict=True):
            own = runs[(runs["variant"] == name) & (runs[WIDTH] == width)]
            both = own[["train_loss", "test_loss"]].dropna()
            known = len(both) >= PLAIN and (both.nunique() > 1).all()
            r = f", r = {np.corrcoef(both.T)[0, 1]:.2f}" if known else ""
            ax.plot(both["train_loss"], both["test_loss"], "o", color=color, markersize=3, label=f"{width:g}{r}")
        ax.set(title=NAMES[name], xlabel="training loss")
        legends.inside(ax, title="units", loc="lower right", fontsize=6.5)
    fig.axes[0].set_ylabel("test loss")
    explain(fig, "a dot a start; r: correlation of training and test loss over starts")
    return fig
