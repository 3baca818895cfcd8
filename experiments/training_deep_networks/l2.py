"""Figures of the L2 study: accuracy and size of the weights against lambda, and what nets say in the plane."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.experiment import Tables
from repro.plots.regions import boundary, classes, regions
from repro.plots.style import BLUE, GREEN, INK, QUIET, TEXT, VERMILLION, explain, figure
from repro.plots.sweeps import add_quantity, footnote, places, seed_dots, sweep, whole_norm

LAMBDA = "trainer.l2"
PANELS = {"plane": "26 points, 3 with the wrong label", "digits": "200 digits, 40 with the wrong label"}
CHANCE = {"plane": 0.5, "digits": 0.1}
SHOWN = (0.0, 0.01, 0.1, 1.0)  # lambdas whose regions are drawn
LEAST = 1e-4  # norms below are drawn there: nothing is left
SEED = 0
CLASSES = (VERMILLION, BLUE)


def figures(tables: Tables) -> dict[str, Figure]:
    """The sweep, and what four of the nets in the plane say where."""
    runs = tables.runs
    drawn = {}
    if "test_accuracy" in runs.columns:
        drawn["sweep"] = _sweep(add_quantity(runs, tables.layers, "weight_norm", whole_norm))
    if (runs["variant"] == "plane").any():
        drawn["regions"] = _regions(runs, tables.predictions)
    return drawn


def _sweep(runs: pd.DataFrame) -> Figure:
    names = [name for name in PANELS if (runs["variant"] == name).any()]
    at = places(runs, LAMBDA)
    runs = runs.assign(weight_norm=runs["weight_norm"].clip(lower=LEAST))
    fig = figure(TEXT, 4.2)
    axes = fig.subplots(2, len(names), sharex=True, squeeze=False, height_ratios=[1.6, 1])
    for (top, bottom), name in zip(axes.T, names, strict=True):
        own = runs[runs["variant"] == name]
        sweep(top, own, LAMBDA, "train_accuracy", at, label="training, wrong labels included", color=VERMILLION)
        test = "the whole square, true classes" if name == "plane" else "test, true labels"
        sweep(top, own, LAMBDA, "test_accuracy", at, label=test, color=BLUE)
        top.axhline(CHANCE[name], color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
        top.set(title=PANELS[name], ylim=(0, 1.03))
        # Between the accuracies and guessing
        legends.inside(top, loc="lower left", bbox_to_anchor=(0.0, 0.12), fontsize=7)
        _norms(bottom, own, at)
        scales.log_axis(bottom.yaxis, [LEAST, *own["weight_norm"]])
        bottom.set(xlabel="λ")
    axes[0][0].set_ylabel("accuracy")
    axes[1][0].set_ylabel("norm of all weights")
    footnote(fig, runs, f"norms: medians, those below {LEAST:g} drawn there; dashed: always the same class")
    return fig


def _norms(ax: Axes, runs: pd.DataFrame, at: list[float]) -> None:
    """Seeds and their median at each λ: with the largest some end decades below others."""
    groups = [runs.loc[(runs[LAMBDA] == value) & (runs["status"] == "done"), "weight_norm"].dropna() for value in at]
    for place, values in enumerate(groups):
        seed_dots(ax, place, values.tolist(), GREEN)
    ax.plot(range(len(at)), [values.median() for values in groups], "o-", color=GREEN, markersize=4)
    scales.name_ticks(ax.xaxis, range(len(at)), [f"{value:g}" for value in at])


def _regions(runs: pd.DataFrame, predictions: pd.DataFrame) -> Figure:
    plane = runs[runs["variant"] == "plane"]
    shown = [value for value in SHOWN if (plane[LAMBDA] == value).any()]
    fig = figure(TEXT, 2.45)
    for ax, value in zip(fig.subplots(1, len(shown), sharey=True, squeeze=False)[0], shown, strict=True):
        own = plane[plane[LAMBDA] == value]
        rows = predictions[predictions["run"].isin(own["run"])]
        lengths = [boundary(grid) for _, grid in rows[rows["split"] == "test"].groupby("seed")]
        _region(ax, rows[rows["seed"] == SEED])
        ax.set_title(f"λ = {value:g}", fontsize=8.5)
        ax.set_xlabel(f"right: {own['test_accuracy'].mean():.0%}\nboundary: {np.mean(lengths):.0f} cells", fontsize=7.5)
    note = f"regions of seed {SEED}; line: where the classes meet; rings: wrong labels; numbers: means of n="
    explain(fig, f"{note}{plane['seed'].nunique()} seeds")
    return fig


def _region(ax: Axes, rows: pd.DataFrame) -> None:
    grid, points = rows[rows["split"] == "test"], rows[rows["split"] == "train"]
    regions(ax, grid, 3, CLASSES)
    along = np.linspace(-3, 3, 200)
    ax.plot(along, np.sin(along), color=INK, linewidth=0.8)
    classes(ax, points, CLASSES, markersize=3.5)
    wrong = points[(points["input_1"] > np.sin(points["input_0"])) != points["target"]]
    ax.plot(wrong["input_0"], wrong["input_1"], "o", color=INK, markersize=7, markerfacecolor="none")
