"""Figures of hidden units: accuracy and time by their number, rules of thumb, and where a condition comes from."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.diagnostics.ranges import range_of
from repro.plots import legends, scales
from repro.plots.blocks import error_bars, how_many
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, ORANGE, PURPLE, QUIET, TEXT, VERMILLION, explain, figure
from repro.plots.sweeps import places, seed_dots, sweep
from repro.storage.statistics import estimate

WIDTH = "architecture.width"
N, INPUTS, OUTPUTS = 1347, 64, 10  # of the digits
SAMPLES = 100  # of the second part
PUBLISHED = 0.93  # with 2 units
CLASSES = {"classes_3": BLUE, "classes_4": GREEN, "classes_5": PURPLE, "classes_6": VERMILLION}
BACK_ENDS = {"per_neuron": ("neuron by neuron", VERMILLION), "vectorised": ("by matrices", BLUE)}


def rules(samples: int, inputs: int, outputs: int) -> dict[str, float]:
    """Hidden units by three rules of thumb, in words."""
    m, n = inputs, outputs
    root = math.sqrt(0.43 * m * n + 0.12 * n**2 + 2.54 * m + 0.77 * n + 0.35) + 0.51
    return {"log₂ N": math.log2(samples), "√(0.43mn + …)": root, "2m + 1": 2 * m + 1}


def figures(tables: Tables) -> dict[str, Figure]:
    """Zeros and ones with what they cost, more digits, and the rules."""
    runs = tables.runs
    return {"zero_one": _zero_one(runs, tables.curves), "classes": _classes(runs), "rules": _rules(runs)}


def _zero_one(runs: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.6)
    left, middle, right = fig.subplots(1, 3)
    own = runs[runs["variant"] == "zero_one"]
    _by_width(left, own, WIDTH, "test_accuracy", BLUE, "ours")
    left.plot([2], [PUBLISHED], "D", color=VERMILLION, markersize=4.5, label="published")
    left.set(title="zeros from ones", xlabel="hidden units", ylabel="test accuracy", ylim=(0.4, 1.02))
    legends.inside(left, loc="lower right")
    for name, (label, color) in BACK_ENDS.items():
        rows = curves[(curves["variant"] == f"timing_{name}") & (curves["metric"] == "milliseconds")]
        found = rows.groupby("step")["value"].median()
        n, times = found.index.to_numpy(float), found.to_numpy()
        (drawn,) = middle.plot(n, times, "o", color=color, markersize=4, label=label)
        right.plot(n, times / n, "o-", color=drawn.get_color(), markersize=4, label=label)
        _line(middle, runs[runs["variant"] == f"timing_{name}"], n, color)
    for ax in (middle, right):
        ax.set(xscale="log", yscale="log", xlabel="hidden units")
    middle.set(title="1,000 updates", ylabel="processor time, ms")
    right.set(title="a unit of them", ylabel="processor time per unit, ms")
    legends.inside(middle, loc="upper left")
    counts = own.groupby(WIDTH)["seed"].nunique()
    explain(
        fig,
        f"left: mean of n={counts.max()} seeds and its 95 % interval; dots: seeds; else medians of seeds",
        "lines: a + b n fitted from 20 units on; crosses: n = a/b",
    )
    return fig


def _line(ax: Axes, runs: pd.DataFrame, n: np.ndarray, color: str) -> None:
    """The line through the times of larger nets, and where both its parts are equal, if that is among the sizes."""
    intercept, slope = (float(runs[f"timing_{name}"].median()) for name in ("intercept", "slope"))
    along = np.geomspace(n.min(), n.max(), 60)
    line = intercept + slope * along
    ax.plot(along[line > 0], line[line > 0], "-", color=color, linewidth=0.9, label="_line")
    if n.min() <= (knee := intercept / slope) <= n.max():
        ax.plot([knee], [2 * intercept], "X", color=color, markersize=7, label="_knee")


def _classes(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.7)
    ax = fig.subplots()
    there = {name: color for name, color in CLASSES.items() if (runs["variant"] == name).any()}
    at = places(runs[runs["variant"].isin(there)], WIDTH)
    for name, color in there.items():
        sweep(ax, runs[runs["variant"] == name], WIDTH, "test_accuracy", at, label=f"{name[-1]} digits", color=color)
    ax.axhline(0.9, color=QUIET, linewidth=1.5, linestyle=":", zorder=1)
    ax.set(xlabel="hidden units", ylabel="test accuracy", ylim=(0.3, 1.02))
    legends.outside(fig, [ax], loc="outside upper center", ncols=4)
    explain(
        fig,
        f"mean of n={how_many(runs[runs['variant'].isin(there)])} seeds and its 95 % interval; small dots: seeds",
        "dotted: 90 %, for which the post needs 4, 9, 15, 16",
    )
    return fig


def _rules(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 3.0)
    left, right = fig.subplots(1, 2, width_ratios=[1.15, 1])
    _by_width(left, runs[runs["variant"] == "sizes"], WIDTH, "test_accuracy", BLUE, "trained")
    for (rule, units), height in zip(rules(N, INPUTS, OUTPUTS).items(), (0.62, 0.5, 0.62), strict=True):
        left.axvline(units, color=ORANGE, linewidth=1, linestyle="--", zorder=0)
        left.annotate(f" {rule}\n = {units:.1f}".replace(".0", ""), (units, height), fontsize=6.5, color=QUIET)
    linear = runs[runs["variant"] == "linear"]["test_accuracy"].mean()
    left.axhline(linear, color=QUIET, linewidth=0.8, linestyle=":", label="no hidden layer", zorder=0)
    left.axvspan(2, 9, color=GREEN, alpha=0.12, linewidth=0, label="2 to 10 samples a weight")
    left.set(title=f"{N:,} digits", xlabel="hidden units", ylabel="test accuracy", ylim=(0.2, 1.02))
    _by_width(right, runs[runs["variant"] == "hundred"], WIDTH, "test_accuracy", BLUE, "trained")
    fitted = runs[runs["variant"] == "least_squares"]
    _by_width(
        right, fitted, "procedure.width", "random_features_test_accuracy", VERMILLION, "random units, least squares"
    )
    right.axvline(SAMPLES, color=QUIET, linewidth=0.8, linestyle="--", zorder=1)
    right.set(title=f"{SAMPLES} digits", xlabel="hidden units", xlim=(1.7, 1200), ylim=(0, 1.02))
    legends.inside(left, loc="lower right", fontsize=6.5, frameon=True, framealpha=1, edgecolor="none")
    legends.inside(right, loc="lower left", fontsize=6.5)
    n = runs[runs["variant"].isin(["sizes", "hundred"])].groupby(["variant", WIDTH])["seed"].nunique().max()
    explain(fig, f"mean of n={n} seeds and its 95 % interval; dots: seeds; dashed, right: as many units as images")
    return fig


def _by_width(ax: Axes, runs: pd.DataFrame, setting: str, metric: str, color: str, label: str) -> None:
    """Mean, interval and seeds at each number of units, on a logarithmic axis."""
    at = places(runs, setting)
    groups = [runs[runs[setting] == n][metric].dropna().tolist() for n in at]
    for n, values in zip(at, groups, strict=True):
        seed_dots(ax, n, values, color)
    means, within = [estimate(values) for values in groups], range_of("accuracy")
    error_bars(ax, at, means, label=label, color=color, within=within, fmt="o-", markersize=3.5)
    scales.log_axis(ax.xaxis, at)
