"""Figures of universal approximation: errors by width and fits of a curve, accuracy by depth and regions of a disc."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from repro.plots import legends, scales
from repro.plots.experiment import Tables
from repro.plots.regions import regions
from repro.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    QUIET,
    TEXT,
    VERMILLION,
    activation_look,
    explain,
    figure,
)

WIDTH, DEPTH, UNITS = "architecture.width", "architecture.depth", "procedure.width"
KINDS = {
    "tanh": ("tanh, trained", WIDTH, "test_rmse", activation_look("tanh").color),
    "identity": ("linear, trained", WIDTH, "test_rmse", QUIET),
    "square": ("square, trained", WIDTH, "test_rmse", ORANGE),
    "features": ("sigmoid, random, least squares", UNITS, "random_features_test_rmse", BLUE),
}
SHOWN = (2, 8, 32)
NETS = {
    "plain_1": ("1 unit a layer", QUIET),
    "plain_2": ("2 units a layer", VERMILLION),
    "plain_3": ("3 units a layer", BLUE),
    "plain_4": ("4 units a layer", PURPLE),
    "residual": ("1 unit, carried around", GREEN),
}
EDGE, RADIUS = 1.0, 0.6
CLASSES = (VERMILLION, BLUE)


def figures(tables: Tables) -> dict[str, Figure]:
    """Errors by width, fitted curves, accuracies by depth, and regions of the best nets."""
    runs = tables.runs
    return {
        "width": _width(runs),
        "fits": _fits(runs, tables.predictions),
        "depth": _depth(runs),
        "regions": _regions(runs, tables.predictions),
    }


def _width(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 3.1)
    ax = fig.subplots()
    drawn: list[float] = []
    for kind, (label, setting, metric, color) in KINDS.items():
        own = runs[runs["variant"] == kind].dropna(subset=[metric])
        if own.empty:
            continue
        ax.plot(own[setting], own[metric], ".", color=color, alpha=0.35, markersize=4)
        by_width = own.groupby(setting)[metric]
        means = by_width.apply(lambda values: float(np.exp(np.log(values).mean())))
        ax.plot(means.index, means, "o-", color=color, label=label, markersize=4, linewidth=1)
        if kind == "tanh":
            ax.plot(by_width.min().index, by_width.min(), "--", color=color, linewidth=1, label="the best of its seeds")
        drawn += own[metric].tolist()
    widths = sorted({*runs[WIDTH].dropna(), *runs[UNITS].dropna()})
    scales.log_axis(ax.xaxis, widths)
    ax.set_xticks(widths, [f"{width:g}" for width in widths])
    scales.log_axis(ax.yaxis, drawn)
    ax.set(xlabel="units of the hidden layer", ylabel="root mean squared error")
    legends.outside(fig, [ax], loc="outside right upper")
    explain(fig, f"geometric means of n={runs[runs['variant'] == 'tanh']['seed'].nunique()} seeds; small dots: seeds")
    return fig


def _fits(runs: pd.DataFrame, predictions: pd.DataFrame) -> Figure:
    nets = runs[(runs["variant"] == "tanh") & runs[WIDTH].isin(SHOWN)]
    widths = sorted(nets[WIDTH].unique())
    fig = figure(TEXT, 2.5)
    axes = fig.subplots(1, max(len(widths), 1), sharey=True, squeeze=False)[0]
    for ax, width in zip(axes, widths, strict=False):
        own = nets[nets[WIDTH] == width]
        best = own.sort_values("test_rmse")["seed"].iloc[0]
        rows = predictions[predictions["run"].isin(own["run"]) & (predictions["split"] == "test")]
        for seed, line in rows.sort_values("input_0").groupby("seed"):
            told = {"color": PURPLE, "linewidth": 1.6, "label": "the best of the seeds"}
            look = told if seed == best else {"color": PURPLE, "linewidth": 0.5, "alpha": 0.4, "label": "_seed"}
            ax.plot(line["input_0"], line["predicted"], **look)
        target = rows[rows["seed"] == best].sort_values("input_0")
        ax.plot(target["input_0"], target["target"], "--", color=BLACK, linewidth=0.9, label="the curve")
        ax.set(title=f"{width:g} units", xlabel="x")
    legends.outside(fig, [*axes], loc="outside upper center", ncols=2)
    explain(fig, f"thin lines: the others of n={nets['seed'].nunique()} seeds")
    return fig


def _depth(runs: pd.DataFrame) -> Figure:
    there = {name: look for name, look in NETS.items() if (runs["variant"] == name).any()}
    depths = sorted(runs[runs["variant"].isin(list(there))][DEPTH].unique())
    fig = figure(TEXT, 3.2)
    ax = fig.subplots()
    for i, (name, (label, color)) in enumerate(there.items()):
        own = runs[runs["variant"] == name]
        shift = 1.06 ** (i - (len(there) - 1) / 2)  # so that dots of different nets lie beside each other
        closed = own["valid_accuracy"] == 1
        for rows, fill in ((own[closed], color), (own[~closed], "white")):
            ax.plot(rows[DEPTH] * shift, rows["train_accuracy"], "o", color=color, markerfacecolor=fill, markersize=3)
        best = own.groupby(DEPTH)["train_accuracy"].max()
        ax.plot(best.index * shift, best, "-", color=color, label=label, linewidth=1.2)
    scales.log_axis(ax.xaxis, depths)
    scales.set_limits(ax.xaxis, 0.85 * depths[0], 1.25 * depths[-1])
    ax.set_xticks(depths, [f"{depth:g}" for depth in depths])
    ax.set(xlabel="layers", ylabel="training accuracy", ylim=(0.65, 1.02))
    legends.outside(fig, [ax], loc="outside right upper")
    explain(
        fig,
        "lines: the best of the seeds",
        "dots: seeds, hollow where the region that is told to be the disc leaves the square, full where none does",
    )
    return fig


def _regions(runs: pd.DataFrame, predictions: pd.DataFrame) -> Figure:
    there = [name for name in ("plain_2", "plain_3", "residual") if (runs["variant"] == name).any()]
    fig = figure(TEXT, 3.1)
    for ax, name in zip(fig.subplots(1, len(there), squeeze=False)[0], there, strict=True):
        own = runs[runs["variant"] == name]
        best = own.sort_values("train_accuracy", ascending=False, kind="stable").iloc[0]
        rows = predictions[(predictions["run"] == best["run"]) & (predictions["seed"] == best["seed"])]
        _panel(ax, rows[rows["split"] == "test"])
        layers = "blocks" if name == "residual" else "layers"
        ax.set_title(f"{NETS[name][0]}\n{best[DEPTH]:g} {layers}, {best['train_accuracy']:.3f}", fontsize=7.5)
    explain(fig, "the best net of each kind, with its accuracy on training points; the circle is the disc's border")
    return fig


def _panel(ax: Axes, grid: pd.DataFrame) -> None:
    if len(grid) and math.isqrt(len(grid)) ** 2 == len(grid):
        regions(ax, grid, EDGE, CLASSES)
    ax.add_patch(Circle((0, 0), RADIUS, fill=False, color=BLACK, linewidth=0.8))
    ax.set_aspect("equal")
