"""Figures of nets with fewer parameters: weights of one bit by epoch, and accuracy by the share of weights gone."""

import pandas as pd
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.blocks import curve, in_words
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, TEXT, VERMILLION, explain, figure

NETS = {
    "normalized": ("weights as they are", BLUE),
    "binary": ("weights of one bit", VERMILLION),
    "dense": ("weights as they are, without batch normalization", GREEN),
}
PRUNED = {"tuned_accuracy": ("after learning on", BLUE), "pruned_accuracy": ("at once", VERMILLION)}


def figures(tables: Tables) -> dict[str, Figure]:
    """Accuracy on test images by epoch, and by percent of weights gone."""
    return {"binary": _binary(tables.curves), "pruned": _pruned(tables.curves)}


def _binary(rows: pd.DataFrame) -> Figure:
    own = rows[(rows["split"] == "test") & (rows["metric"] == "accuracy") & rows["variant"].isin(NETS)]
    own = own[own["epoch"] >= 1]
    fig = figure(TEXT, 2.7)
    ax = fig.subplots()
    for variant, (label, color) in NETS.items():
        curve(ax, own[own["variant"] == variant], "epoch", label=label, color=color, spread="mean")
    ax.set(xlabel="epoch", ylabel="accuracy on test images")
    scales.whole_ticks(ax.xaxis)
    legends.inside(ax, loc="lower right")
    explain(fig, in_words(own), "from the first epoch on")
    return fig


def _pruned(rows: pd.DataFrame) -> Figure:
    own = rows[rows["metric"].isin(PRUNED) & (rows["variant"] == "pruned")]
    fig = figure(TEXT, 2.7)
    ax = fig.subplots()
    for metric, (label, color) in PRUNED.items():
        curve(ax, own[own["metric"] == metric], "step", label=label, color=color, spread="mean", marker="o")
    ax.set(xlabel="weights gone (%), the smallest first", ylabel="accuracy on test images")
    legends.inside(ax, loc="lower left")
    explain(fig, in_words(own, each=("metric",)))
    return fig
