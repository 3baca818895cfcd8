"""Figures of the playground: what every unit of its net gives where, and how soon nets tell its points by setting."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.blocks import error_bars
from repro.plots.experiment import Tables
from repro.plots.nets import grid, outputs, parameters
from repro.plots.regions import classes, unit_map
from repro.plots.style import BLUE, GREEN, PURPLE, QUIET, TEXT, VERMILLION, explain, figure
from repro.storage.metrics import POSITIVE
from repro.storage.statistics import estimate

CLASSES = (VERMILLION, BLUE)
EDGE, SIDE = 6.0, 121
REACHED = 0.05  # test loss
GROUPS = {
    "circle: activation of 4-2": (BLUE, {"tanh": "tanh", "relu": "ReLU", "sigmoid": "sigmoid", "linear": "linear"}),
    "circle: features for 4-2": (
        GREEN,
        {"tanh": "none", "products": "x₁x₂", "squares": "x₁², x₂²", "products_squares": "all three"},
    ),
    "circle: tanh, shape and parameters": (
        PURPLE,
        {
            **{f"wide_{n}": f"{n} ({4 * n + 1})" for n in (2, 3, 4, 8, 9, 14, 26)},
            **{"tanh": "4-2 (25)", "deep_4_4": "4-4 (37)", "deep_4_4_4": "4-4-4 (57)", "deep_8_8": "8-8 (105)"},
        },
    ),
    "exclusive or: features for 4-2": (GREEN, {"xor": "none", "xor_products": "x₁x₂"}),
    "spiral: 8-8": (
        VERMILLION,
        {"spiral_tanh": "tanh", "spiral_relu": "ReLU", "spiral_sigmoid": "sigmoid", "spiral_sines": "tanh, sines"},
    ),
}


def figures(tables: Tables) -> dict[str, Figure]:
    """Maps of one net's units, epochs to a test loss, and losses at the end."""
    runs = tables.runs
    drawn = {"speed": _speed(runs, tables.curves)}
    pictured = runs[runs["variant"] == "pictured_tanh"]
    if len(pictured):
        drawn["units"] = _units(str(pictured.iloc[0]["run"]), tables.layers, tables.predictions)
    return drawn


def _units(run: str, layers: pd.DataFrame, predictions: pd.DataFrame) -> Figure:
    rows = layers[layers["run"] == run]
    net = parameters(rows[rows["step"] == rows["step"].max()])
    first, second, output = outputs(net, grid(EDGE, SIDE), np.tanh)
    points = predictions[predictions["run"] == run]
    fig = figure(TEXT, 3.2, gap=0.04)
    axes = fig.subplots(2, 4)
    for i, ax in enumerate(axes[0]):
        unit_map(ax, first[:, i], EDGE, (-1, 1))
        ax.set_title(f"layer 1, unit {i + 1}", fontsize=8.5)
    for i, ax in enumerate(axes[1, :2]):
        unit_map(ax, second[:, i], EDGE, (-1, 1))
        ax.set_title(f"layer 2, unit {i + 1}", fontsize=8.5)
    unit_map(axes[1, 2], np.tanh(output[:, 0]), EDGE, (-1, 1))
    axes[1, 2].set_title("output", fontsize=8.5)
    classes(axes[1, 3], points, CLASSES, markersize=2)
    axes[1, 3].set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), aspect="equal", xticks=[], yticks=[])
    axes[1, 3].set_title("training points", fontsize=8.5)
    explain(fig, f"net 4-2 of tanh units, seed {points['seed'].iloc[0]}, after training; red −1, blue 1; line: 0")
    return fig


def _speed(runs: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    there = {
        title: (color, {name: label for name, label in names.items() if (runs["variant"] == name).any()})
        for title, (color, names) in GROUPS.items()
    }
    there = {title: group for title, group in there.items() if group[1]}
    epochs = _reached(curves)
    fig = figure(TEXT, 0.85 * len(there) + 0.16 * sum(len(names) for _, names in there.values()) + 0.4)
    axes = fig.subplots(
        len(there),
        2,
        squeeze=False,
        sharex="col",
        gridspec_kw={"height_ratios": [len(names) + 1 for _, names in there.values()]},
    )
    end = curves["epoch"].max()
    for (left, right), (title, (color, names)) in zip(axes, there.items(), strict=True):
        for ax, values in ((left, epochs), (right, runs.set_index(["variant", "seed"])["test_loss"])):
            for place, name in enumerate(names):
                own = values[values.index.get_level_values("variant") == name]
                _row(ax, place, own.dropna().tolist(), color)
            ax.set(yticks=range(len(names)), yticklabels=names.values(), ylim=(len(names) - 0.4, -0.6))
        right.set_yticklabels([])
        left.set_title(title, fontsize=8.5)
        left.axvline(end, color=QUIET, linewidth=0.8, linestyle=":", zorder=0)
        right.axvline(0.5, color=QUIET, linewidth=0.8, linestyle=":", zorder=1)
    axes[-1, 0].set(xlabel=f"epochs to a test loss of {REACHED}", xlim=(0, end * 1.03))
    axes[-1, 1].set(xlabel="test loss at the end", xlim=(-0.01, 0.6))
    counts = runs[~runs["variant"].str.startswith("pictured")].groupby("variant")["seed"].nunique()
    explain(
        fig,
        f"dots: n={counts.max()} seeds; bars: mean and 95 % interval; numbers in brackets: parameters",
        "dotted, left: the last epoch, where nets stand that never get there; right: one answer for every point",
    )
    return fig


def _row(ax: Axes, place: int, values: list[float], color: str) -> None:
    ax.plot(values, [place] * len(values), ".", color=color, alpha=0.35, markersize=4)
    error_bars(ax, [place], [estimate(values)], label="", color=color, across=True, within=POSITIVE, markersize=4)


def _reached(curves: pd.DataFrame) -> "pd.Series[float]":
    """Epoch of the first test loss below `REACHED` by variant and seed, the last one where there is none."""
    rows = curves[(curves["split"] == "test") & (curves["metric"] == "loss")].sort_values("step")
    last = rows.groupby(["variant", "seed"], observed=True)["epoch"].max()
    first = rows[rows["value"] < REACHED].groupby(["variant", "seed"], observed=True)["epoch"].min()
    return first.reindex(last.index).fillna(last)
