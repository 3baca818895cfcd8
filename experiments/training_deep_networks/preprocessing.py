"""Figures of the preprocessing study: clouds of points, paths of weights, speed and accuracy. Reads tables only."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, INK, ORANGE, QUIET, TEXT, VERMILLION, explain, figure
from repro.plots.sweeps import LOST, footnote, places, sweep

RATE = "optimizer.lr"
KINDS = {
    "none": ("none", VERMILLION),
    "center": ("centred", ORANGE),
    "standardize": ("standardized", BLUE),
    "whiten": ("whitened", GREEN),
}
CLOUDS = {"none": "original", "center": "centred", "standardize": "scaled", "whiten": "whitened"}
PATHS = {"path_positive": "inputs all positive", "path_centered": "the same, centred"}
DATASETS = {"digits": "digits", "mnist": "MNIST, 10,000 images"}
CHANCE = 0.1
DONE = 0.99  # of the way from the first to the least loss
SEED = 0
LEAST = 1e-3  # of the way still to go, the end of the axis
STEPS = 60  # of the paths that are drawn


def figures(tables: Tables) -> dict[str, Figure]:
    """Clouds, paths, the linear classifier's way down, and accuracy by learning rate; what was not run is left out."""
    drawn = {}
    variants = set(tables.runs["variant"])
    if "linear_none" in variants:
        drawn["clouds"] = _clouds(tables.predictions)
        drawn["linear"] = _linear(tables.curves)
    if set(PATHS) <= variants:
        drawn["paths"] = _paths(tables.layers)
    if "digits_none" in variants:
        drawn["rates"] = _rates(tables.runs)
    return drawn


def _clouds(predictions: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.0)
    for ax, (kind, title) in zip(fig.subplots(1, len(CLOUDS)), CLOUDS.items(), strict=True):
        own = predictions[(predictions["variant"] == f"linear_{kind}") & (predictions["seed"] == SEED)]
        x, y = own["input_0"].to_numpy(), own["input_1"].to_numpy()
        reach = 1.08 * max(np.abs(x).max(), np.abs(y).max())
        ax.plot(x, y, ".", color=BLUE, markersize=2, alpha=0.6)
        for values, line in ((x, ax.hlines), (y, ax.vlines)):
            line(0, values.min(), values.max(), color=VERMILLION, linewidth=1.6, zorder=4)
        ax.set(title=title, xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        ax.axhline(0, color=INK, linewidth=0.6, zorder=1)
        ax.axvline(0, color=INK, linewidth=0.6, zorder=1)
        ax.set_xticks([-_round(reach), 0, _round(reach)])
        ax.set_yticks([-_round(reach), 0, _round(reach)])
    explain(fig, "500 points with two features; red: their extent along each axis")
    return fig


def _round(reach: float) -> float:
    """A round number a little below."""
    unit = 10 ** np.floor(np.log10(reach))
    return float(np.floor(reach / unit) * unit)


def _paths(layers: pd.DataFrame) -> Figure:
    fig = figure(TEXT * 0.8, 2.6)
    for ax, (variant, title) in zip(fig.subplots(1, 2, sharex=True, sharey=True), PATHS.items(), strict=True):
        own = layers[(layers["variant"] == variant) & (layers["seed"] == SEED) & (layers["step"] <= STEPS)]
        entries = own[own["quantity"].str.startswith("weight_entry_")].pivot_table("value", "step", "quantity")
        # Two outputs of a softmax are one decision: what counts is the difference of their weights.
        path = entries.to_numpy().reshape(-1, 2, 2)
        path = path[:, 1] - path[:, 0]  # (steps, 2)
        ax.plot(path[:, 0], path[:, 1], ".-", color=BLUE, linewidth=0.8, markersize=2.5)
        ax.plot(*path[0], "o", color=INK, markersize=4)
        ax.plot(*path[-1], "D", color=VERMILLION, markersize=4)
        share = own.loc[own["quantity"] == "single_sign_share", "value"].iloc[-1]
        ax.set(title=f"{title}\nsame sign: {share:.0%} of examples", xlabel="first weight", aspect="equal")
        ax.axhline(0, color=INK, linewidth=0.6, zorder=1)
        ax.axvline(0, color=INK, linewidth=0.6, zorder=1)
    fig.axes[0].set_ylabel("second weight")
    explain(fig, f"first {STEPS} steps of seed {SEED}, one example a step; ● start, ◆ end")
    return fig


def _linear(curves: pd.DataFrame) -> Figure:
    rows = curves[(curves["split"] == "train") & (curves["metric"] == "loss")]
    # Whitened inputs are the fastest, and the least loss is the same whatever linear map the inputs go through.
    least = rows[rows["variant"] == "linear_whiten"].groupby("seed")["value"].min()
    first = rows[rows["step"] == 0].groupby("seed")["value"].first()
    fig = figure(TEXT, 2.8)
    ax = fig.subplots()
    for kind, (label, color) in KINDS.items():
        own = rows[(rows["variant"] == f"linear_{kind}") & (rows["step"] > 0)]
        left = (own["value"] - own["seed"].map(least)) / (own["seed"].map(first) - own["seed"].map(least))
        own = own.assign(value=left.clip(lower=LEAST / 10))
        blocks.curve(ax, own, "step", label=f"{label}: {_arrival(own)}", color=color, spread="mean")
    ax.axhline(1 - DONE, color=QUIET, linewidth=0.8, linestyle="--", zorder=1)
    ax.set(xscale="log", yscale="log", ylim=(LEAST, 1.2), xlabel="step", ylabel="share of the loss's fall still to go")
    blocks.say_clipped(ax)
    legends.inside(ax, title=f"inputs: steps to {DONE:.0%}", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    explain(
        fig,
        f"linear classifier, full batches, step 1/L; mean of n={own['seed'].nunique()} data sets, thin: each of them",
        f"dashed: {1 - DONE:.0%}",
        "a curve begins at its first evaluation after the start; slow ones are evaluated seldom",
    )
    return fig


def _arrival(rows: pd.DataFrame) -> str:
    """Steps until 99 % of the way is done, over the seeds."""
    reached = rows[rows["value"] <= 1 - DONE].groupby("seed")["step"].min()
    if len(reached) < rows["seed"].nunique():
        return f"more than {rows['step'].max():,}"
    low, high = int(reached.min()), int(reached.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _rates(runs: pd.DataFrame) -> Figure:
    datasets = {name: title for name, title in DATASETS.items() if (runs["variant"] == f"{name}_none").any()}
    fig = figure(TEXT, 2.8)
    axes: list[Axes] = list(fig.subplots(1, len(datasets), sharey=True, squeeze=False)[0])
    for ax, (name, title) in zip(axes, datasets.items(), strict=True):
        at = places(runs[runs["variant"].str.startswith(name)], RATE)
        for kind, (label, color) in KINDS.items():
            own = runs[runs["variant"] == f"{name}_{kind}"]
            sweep(ax, own, RATE, "test_accuracy", at, label=label, color=color)
        ax.axhline(CHANCE, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
        ax.set(title=title, xlabel="learning rate", ylim=(0, 1.03))
    axes[0].set_ylabel("test accuracy")
    legends.outside(fig, axes, title="inputs", loc="outside right upper")
    shown = runs[runs["variant"].str.startswith(tuple(datasets))]
    footnote(fig, shown, LOST if (shown["status"] == "diverged").any() else "", "dashed: chance")
    return fig
