"""Figures of deep forests on MNIST: level by level, and beside other methods."""

import pandas as pd
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.blocks import curve, error_bars, how_many, in_words
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, PALETTE, TEXT, VERMILLION, explain, figure
from repro.storage.statistics import estimate

METHODS = {"deep_forest": "deep forest", "random_forest": "random forest", "mlp": "net"}
PANELS = {"held_out_accuracy": ("training images, held out", BLUE), "level_accuracy": ("test images", VERMILLION)}


def figures(tables: Tables) -> dict[str, Figure]:
    """Accuracy by level; of each method."""
    return {"levels": _levels(tables.curves), "methods": _methods(tables.runs)}


def _levels(rows: pd.DataFrame) -> Figure:
    own = rows[rows["metric"].isin(PANELS)]
    fig = figure(TEXT, 2.5)
    ax = fig.subplots()
    for metric, (label, color) in PANELS.items():
        curve(ax, own[own["metric"] == metric], "step", label=label, color=color, spread="mean")
    ax.set(xlabel="level", ylabel="accuracy")
    scales.whole_ticks(ax.xaxis)
    legends.inside(ax, loc="lower right")
    explain(fig, in_words(own, each=("metric",)))
    return fig


def _methods(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 1.8)
    ax = fig.subplots()
    for place, (method, color) in enumerate(zip(METHODS, PALETTE, strict=False)):
        values = runs.loc[runs["variant"] == method, "classify_accuracy"].tolist()
        ax.plot(values, [-place] * len(values), ".", color=color, alpha=0.4, markersize=5)
        error_bars(ax, [-place], [estimate(values)], label="_", color=color, across=True, within=(0.0, 1.0))
    ax.set_yticks([-place for place in range(len(METHODS))], [*METHODS.values()])
    ax.set(xlabel="accuracy on test images", ylim=(0.5 - len(METHODS), 0.5))
    n = how_many(runs[runs["variant"].isin(METHODS)])
    explain(fig, f"mean of n={n} draws of the training images with its 95 % interval; small dots: draws")
    return fig
