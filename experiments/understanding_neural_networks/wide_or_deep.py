"""Figures of width against depth: errors by parameters, linear pieces by layers, a fold in the plane."""

import re

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.blocks import error_bars, how_many
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, QUIET, TEXT, VERMILLION, colors, explain, figure
from repro.plots.sweeps import seed_dots
from repro.storage.statistics import estimate

TASKS = {  # with inputs and outputs
    "spiral": ("two-arm spiral", 2, 2),
    "torch": ("spiral, torch's start", 2, 2),
    "mnist": ("images, 14 × 14", 196, 10),
}
NET = re.compile(r"(spiral|torch|mnist)_(\d+)x(\d+)")
# Word errors in per cent, Seide et al. 2011, by the net on the same place of the table.
SEIDE = {"1": 24.2, "2": 20.4, "3": 18.4, "4": 17.8, "5": 17.2, "7": 17.1, "as 5": 22.5, "as 7": 22.6, "fat": 22.1}
SMALL = {**{str(d): f"{d}x10" for d in (1, 2, 3, 4, 5, 7)}, "as 5": "1x98", "as 7": "1x142", "fat": "1x800"}
ROWS = {
    "spiral": SMALL,
    "torch": SMALL,
    "mnist": {**{str(d): f"{d}x40" for d in (1, 2, 3, 4, 5, 7)}, "as 5": "1x72", "as 7": "1x88", "fat": "1x640"},
}
TICKS = {"spiral": (100, 500, 4000), "torch": (100, 500, 4000), "mnist": (8000, 30_000, 130_000)}
LAYERS = {"random_48x1": 1, "random_24x2": 2, "random_16x3": 3, "random_12x4": 4, "random_8x6": 6}
FOLDS = 3
APART = 0.06  # of the radius, between layers of the folded circle


def figures(tables: Tables) -> dict[str, Figure]:
    """Errors by parameters, pieces by depth, and what a fold does to the plane."""
    return {"errors": _errors(tables.runs), "pieces": _pieces(tables), "folding": _folding()}


def further_tables(tables: Tables) -> dict[str, pd.DataFrame]:
    """The table of Seide et al. with ours beside it: nets by layers and width, errors in per cent."""
    runs, rows = tables.runs, []
    for place, published in SEIDE.items():
        row: dict[str, object] = {"net": _named(place), "Seide et al.": f"{published:.1f}"}
        for task, (title, *_) in TASKS.items():
            own = runs[runs["variant"] == f"{task}_{ROWS[task][place]}"]
            if len(own):
                error = estimate((100 * (1 - own["test_accuracy"])).tolist())
                net = ROWS[task][place]
                if task != "torch":
                    row |= {f"{title}: net": net, f"{title}: parameters": f"{parameters(task, net):,}"}
                row |= {f"{title}: error (%)": f"{error.value:.1f}"}
        rows.append(row)
    return {"seide": pd.DataFrame(rows).fillna("")}


def parameters(task: str, net: str) -> int:
    """Weights and biases of LAYERSxUNITS."""
    depth, width = map(int, net.split("x"))
    _, inputs, outputs = TASKS[task]
    return (inputs + 1) * width + (depth - 1) * (width + 1) * width + (width + 1) * outputs


def _named(place: str) -> str:
    if place == "fat":
        return "one fat layer"
    if place.startswith("as"):
        return f"one layer, parameters {place} layers"
    return f"{place} layer{'s' if place != '1' else ''}"


def _errors(runs: pd.DataFrame) -> Figure:
    found = runs["variant"].str.extract(NET).set_axis(["task", "depth", "width"], axis=1).dropna()
    there = [task for task in TASKS if (found["task"] == task).any()]
    fig = figure(TEXT, 3.2)
    axes = [*fig.subplots(1, len(there), squeeze=False)[0]]
    depths = sorted(found["depth"].astype(int).unique())
    look = dict(zip(depths, colors(len(depths)), strict=True))
    for ax, task in zip(axes, there, strict=True):
        own = found[found["task"] == task]
        drawn: list[float] = []
        for depth in depths:
            rows = runs.loc[own.index[own["depth"].astype(int) == depth]]
            drawn += _line(ax, task, rows, depth, look[depth])
        sizes = [parameters(task, f"{d}x{w}") for d, w in zip(own["depth"], own["width"], strict=True)]
        scales.log_axis(ax.xaxis, sizes)
        ax.set_xticks(TICKS[task], [f"{size:,}" for size in TICKS[task]])
        scales.log_axis(ax.yaxis, drawn)
        ax.set_title(TASKS[task][0], fontsize=8)
        ax.set_xlabel("parameters")
    same = [ax.get_ylim() for ax, task in zip(axes, there, strict=True) if task != "mnist"]
    for ax, task in zip(axes, there, strict=True):
        if task != "mnist":  # the same spiral from two starts
            ax.set_ylim(min(low for low, _ in same), max(high for _, high in same))
    axes[0].set_ylabel("test error (%)")
    legends.outside(fig, axes, loc="outside upper center", ncols=len(depths))
    shown = runs.loc[found.index[found["task"].isin(there)]]
    explain(fig, f"median of n={how_many(shown)} seeds; small dots: seeds")
    return fig


def _line(ax: Axes, task: str, runs: pd.DataFrame, depth: int, color: object) -> list[float]:
    points = {parameters(task, str(v).partition("_")[2]): own for v, own in runs.groupby("variant")}
    at = sorted(points)
    values = [(100 * (1 - points[size]["test_accuracy"])).tolist() for size in at]
    for size, own in zip(at, values, strict=True):
        seed_dots(ax, size, own, color)
    if at:
        label = f"{depth} layer{'s' if depth > 1 else ''}"
        ax.plot(at, [*map(np.median, values)], "o-", color=color, markersize=4, label=label)
    return [value for own in values for value in own]


def _pieces(tables: Tables) -> Figure:
    curves, runs = tables.curves, tables.runs
    fig = figure(TEXT, 3.0)
    left, right = fig.subplots(1, 2)
    built = curves[(curves["split"] == "composed_tents") & (curves["metric"] == "pieces")].drop_duplicates("step")
    left.plot(
        built["step"], built["value"], "o-", color=VERMILLION, markersize=4, label="tent map after itself, counted"
    )
    layers = np.arange(1, built["step"].max() + 1)
    left.plot(layers, 2 * layers + 1, "--", color=BLUE, label="most that one layer of as many units has")
    own = runs[runs["variant"].isin(list(LAYERS))]
    drawn = [(LAYERS[str(v)], values.tolist()) for v, values in own.groupby("variant")["random_pieces_mean"]]
    drawn.sort()
    for place, values in drawn:
        seed_dots(right, place, values, GREEN)
    counts = [estimate(values) for _, values in drawn]
    error_bars(right, [p for p, _ in drawn], counts, label="48 ReLUs, random weights", color=GREEN, fmt="o-")
    right.axhline(49, color=QUIET, linewidth=0.8, linestyle=":", zorder=0)
    scales.log_axis(left.yaxis, built["value"])
    for ax in (left, right):
        scales.whole_ticks(ax.xaxis, 10)
        ax.set_xlabel("layers")
        legends.inside(ax, loc="upper left" if ax is left else "lower left", fontsize=6.5)
    left.set(ylabel="linear pieces")
    right.set(ylabel="linear pieces along a line", ylim=(0, None))
    explain(
        fig, f"right: dots: n={own['seed'].nunique()} nets; bars: mean and 95 % interval; dotted: one more than units"
    )
    return fig


def _folding() -> Figure:
    """A circle that layers of absolute values fold on itself, by |x| = relu(x) + relu(−x); layers are drawn apart."""
    fig = figure(TEXT, 2.4)
    parts = 2 * 2**FOLDS
    middle = (np.arange(parts) + 0.5) * 2 * np.pi / parts
    angle = middle[:, None] + np.linspace(-np.pi / parts, np.pi / parts, 20)  # (parts, points)
    x, y, layer = np.cos(angle), np.sin(angle), np.zeros(parts)
    for fold, ax in enumerate(fig.subplots(1, FOLDS + 1)):
        if fold:
            x, y, turned = _folded(x, y, 1.5 * np.pi - np.pi / 2 ** (fold - 1))  # half of what is left
            layer = layer + turned * 2 ** (fold - 1)
        for part, color in enumerate(colors(parts)):
            apart = 1 - APART * layer[part]
            ax.plot(apart * x[part], apart * y[part], color=color, linewidth=1.8)
        ax.set_title(f"{fold} fold{'s' if fold > 1 else ''}: {2**fold} layers" if fold else "a circle")
        ax.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), xticks=[], yticks=[])
        ax.set_aspect("equal")
    explain(fig, "each fold lays one half of what is there upon the other; a cut made last goes through all layers")
    return fig


def _folded(x: np.ndarray, y: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reflect what lies below the line through the origin at an angle to its other side; which parts these are."""
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    turned, across = across.mean(1) < 0, np.abs(across)
    back = along * np.cos(angle) - across * np.sin(angle), along * np.sin(angle) + across * np.cos(angle)
    return *back, turned
