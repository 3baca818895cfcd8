"""Figures of half-planes: what each unit of a net sees of a triangle, and accuracy by number of units."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import legends
from repro.plots.experiment import Tables
from repro.plots.nets import grid, outputs, parameters, sigmoid
from repro.plots.regions import classes, unit_map
from repro.plots.style import BLUE, INK, QUIET, TEXT, VERMILLION, explain, figure
from repro.plots.sweeps import footnote, places, sweep

WIDTH = "architecture.width"
CLASSES = (VERMILLION, BLUE)
EDGE, SIDE = 2.0, 121
SHOWN = 3  # units of the net that is pictured
MAJORITY = 1 - 3 * np.sqrt(3) * 0.8**2 / 16  # share of the square outside the triangle


def figures(tables: Tables) -> dict[str, Figure]:
    """Maps of one net's units, and accuracies by size."""
    runs = tables.runs
    pictured = runs[runs["variant"] == "pictured"].iloc[0]
    units = _units(pictured, tables.layers, tables.predictions)
    return {"units": units, "accuracy": _accuracy(runs[runs["variant"] == "units"])}


def _units(own: "pd.Series[Any]", layers: pd.DataFrame, points: pd.DataFrame) -> Figure:
    rows = layers[layers["run"] == own["run"]]
    net = parameters(rows[rows["step"] == rows["step"].max()])
    hidden, output = outputs(net, grid(EDGE, SIDE), sigmoid)
    fig = figure(TEXT, 1.85, gap=0.02)
    axes = fig.subplots(1, SHOWN + 2)
    classes(axes[0], points, CLASSES, markersize=1.2)
    _lines(axes[0], net[0])
    axes[0].set_title("points and cuts", fontsize=8.5)
    for i, ax in enumerate(axes[1:-1]):
        unit_map(ax, hidden[:, i], EDGE, (0, 1))
        ax.set_title(f"unit {i + 1}", fontsize=8.5)
    unit_map(axes[-1], sigmoid(output[:, 0]), EDGE, (0, 1))
    axes[-1].set_title("output", fontsize=8.5)
    for ax in axes:
        ax.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), aspect="equal", xticks=[], yticks=[])
    cosine = f"cosine with the normals {own['cuts_cosine']:.4f} or more"
    said = f"net of {SHOWN} units, seed {own['seed']}, after training; {cosine}; blue 1, red 0, line where halfway"
    explain(fig, said)
    return fig


def _lines(ax: Axes, layer: tuple[np.ndarray, np.ndarray]) -> None:
    """Where each unit is halfway: w·x + b = 0."""
    along = np.array([-2 * EDGE, 2 * EDGE])
    for w, b in zip(*layer, strict=True):
        normal = w / np.linalg.norm(w)
        foot = -b / np.linalg.norm(w) * normal
        ends = foot[:, None] + np.outer([-normal[1], normal[0]], along)
        ax.plot(*ends, color=INK, linewidth=0.9)


def _accuracy(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.5)
    ax = fig.subplots()
    at = places(runs, WIDTH)
    sweep(ax, runs, WIDTH, "test_accuracy", at, label="trained", color=BLUE)
    ax.axhline(MAJORITY, color=QUIET, linewidth=0.8, linestyle=":", label="the larger class's share", zorder=0)
    ax.set(xlabel="hidden units", ylabel="test accuracy", ylim=(0.7, 1.01))
    legends.inside(ax, loc="lower right")
    footnote(fig, runs)
    return fig
