"""Figures of fragility: accuracy on changed images by kind and size of the change, and of 24 settings side by side."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from repro.plots import legends, scales
from repro.plots.blocks import error_bars
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, ORANGE, QUIET, TEXT, VERMILLION, activation_look, explain, figure
from repro.plots.sweeps import seed_dots
from repro.storage.metrics import SHARE
from repro.storage.statistics import estimate

NETS = {
    "linear": ("linear", QUIET),
    "mlp": ("784-128-128-10", BLUE),
    "mlp_moved": ("the same, moved images", GREEN),
    "cnn": ("convolutional, pooled", VERMILLION),
    "cnn_strided": ("convolutional, strided", ORANGE),
}
SIZES = ("fgsm", "noise", "universal")
SETTINGS = ["optimizer.lr", "activation", "architecture.depth"]
MARKS = {1: "o", 2: "s", 3: "^"}  # of the number of hidden layers


def figures(tables: Tables) -> dict[str, Figure]:
    """What changed images do to nets, and what settings do; whichever there are runs of."""
    runs = tables.runs
    found: dict[str, Figure] = {}
    if "test_fgsm_10_accuracy" in runs.columns:
        found["changed_images"] = _changed(runs)
    if {"grid", "grid_spiral"} <= set(runs["variant"]):
        found["settings"] = _settings(runs)
    if (runs["variant"] == "strip").any():
        found["fooled_digits"] = _strip(tables.curves[tables.curves["variant"] == "strip"])
    return found


def _strip(curves: pd.DataFrame) -> Figure:
    """Digits that are told rightly, above, and what they are taken for when changed, below; of the first seed."""
    own = curves[curves["seed"] == curves["seed"].min()]
    series = {name: rows.sort_values("step")["value"].to_numpy() for name, rows in own.groupby("metric")}
    digits, told = series["class"], series["told"]
    fig = figure(TEXT, 1.9)
    axes = fig.subplots(2, len(digits), squeeze=False)
    for row, (name, says) in enumerate((("original", digits), ("changed", told))):
        images = series[name].reshape(len(digits), -1)
        side = int(images.shape[1] ** 0.5)
        for ax, image, digit in zip(axes[row], images, says, strict=True):
            ax.imshow(image.reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
            ax.set_title(f"{digit:g}", fontsize=8)
            ax.set_axis_off()
    right, left = series["accuracy"][-1], series["fgsm_accuracy"][-1]
    explain(
        fig,
        "above: digits and their class; below: every pixel changed by 0.1 against the net (FGSM), and its answer",
        f"the first of the test images that this turns; of all, the net tells {right:.1%}, and changed {left:.1%}",
    )
    return fig


def _changed(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 5.2)
    panels = fig.subplots(2, 2, sharey=True)
    against, random, shifts, turns = panels.flat
    for name, (label, color) in NETS.items():
        own = runs[(runs["variant"] == name) & (runs["status"] == "done")]
        _by_size(against, own, "fgsm", label, color)
        _by_size(random, own, "noise", label, color)
        _by_size(random, own, "universal", "", color)
        _by_size(shifts, own, "shift", label, color)
        _by_size(turns, own, "rotation", label, color)
    against.set(xlabel="change of a pixel, against the net (FGSM)", ylabel="test accuracy", ylim=(-0.02, 1.03))
    random.set(xlabel="the same, at random; dashed: one for all")
    shifts.set(xlabel="moved by pixels", ylabel="test accuracy")
    turns.set(xlabel="turned by degrees")
    legends.outside(fig, [against], loc="outside upper left", ncols=4, fontsize="small")
    counts = " to ".join(
        map(str, sorted(runs[runs["variant"].isin(list(NETS))].groupby("variant")["seed"].nunique().unique()))
    )
    explain(fig, f"mean of n={counts} seeds and its 95 % interval; 0: images as they are")
    return fig


def _by_size(ax: Axes, runs: pd.DataFrame, kind: str, label: str, color: str) -> None:
    """Accuracy by the sizes of one kind of change that were measured; at 0 that on images as they are."""
    prefix = f"test_{kind}_"
    whole = 100 if kind in SIZES else 1  # names have those sizes in per cent
    columns = {
        float(name.removeprefix(prefix).removesuffix("_accuracy")) / whole: name
        for name in runs.columns
        if name.startswith(prefix) and name.endswith("_accuracy")
    }
    names = {0.0: "test_accuracy"} | dict(sorted(columns.items()))
    known = {size: runs[name].dropna().tolist() for size, name in names.items()}
    at = [size for size, values in known.items() if values]
    means = [estimate(known[size]) for size in at]
    marks = "o--" if kind == "universal" else "o-"
    error_bars(ax, at, means, label=label or "_one", color=color, within=SHARE, fmt=marks, markersize=3)


def _settings(runs: pd.DataFrame) -> Figure:
    means = {name: own.groupby(SETTINGS)["test_accuracy"].mean() for name, own in runs.groupby("variant")}
    digits = means["grid"].sort_values(ascending=False)
    spiral = means["grid_spiral"].reindex(digits.index)  # some may be to come
    fig = figure(TEXT, 3.1)
    left, right = fig.subplots(1, 2, width_ratios=(3, 2))
    for place, setting in enumerate(digits.index):
        mine = runs[(runs["variant"] == "grid") & (runs[SETTINGS] == list(setting)).all(axis=1)]
        _point(left, place, mine["test_accuracy"].dropna().tolist(), setting)
        right.plot(digits[setting], spiral[setting], MARKS[setting[2]], color=activation_look(setting[1]).color)
    left.set_ylim(0, 1.03)
    left.set(
        ylabel="test accuracy on digits",
        xlabel="settings, from best to worst\n(below each: −log₁₀ of its learning rate)",
    )
    rates = [f"{-np.log10(float(setting[0])):.0f}" for setting in digits.index]
    scales.name_ticks(left.xaxis, range(len(digits)), rates)
    right.set(xlabel="accuracy on digits", ylabel="accuracy on the spiral", xlim=(0, 1.03), ylim=(0, 1.03))
    if spiral.count() > 2:
        rho = spearmanr(digits, spiral, nan_policy="omit").statistic
        right.set_title(f"rank correlation {rho:.2f}", fontsize=8)
    legends.outside(fig, [left], loc="outside upper left", ncols=3, fontsize="small")
    seeds = runs[runs["variant"] == "grid"].groupby(SETTINGS)["seed"].nunique()
    explain(fig, f"mean of n={seeds.max()} seeds, left with its 95 % interval; small dots: seeds")
    return fig


def _point(ax: Axes, place: int, values: list[float], setting: tuple[float, str, int]) -> None:
    _, activation, depth = setting
    named = f"{'ReLU' if activation == 'relu' else activation}, {depth:g} hidden"
    label = named if named not in ax.get_legend_handles_labels()[1] else f"_{named}"
    color = activation_look(activation).color
    marks = MARKS[depth]
    seed_dots(ax, place, values, color)
    error_bars(ax, [place], [estimate(values)], label=label, color=color, within=SHARE, fmt=marks, markersize=4)
