"""Figures of the five-point toy: fits, errors, activations after training, map of regimes. Reads tables only."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from repro.plots import heat_maps, legends, scales
from repro.plots.experiment import Tables
from repro.plots.histograms import read_histograms
from repro.plots.style import BLUE, GREEN, INK, QUIET, TEXT, VERMILLION, explain, figure
from repro.storage.statistics import share

RULES = {
    "exact": ("backprop", BLUE),
    "linear": ("linear backprop", VERMILLION),
    "linear_literal": ("as printed", GREEN),
}
SCALES = {"default": "torch's", "s1": "1", "s3": "3", "s10": "10", "s30": "30", "sgd": "SGD"}
FITTED = 1e-3  # mean squared error
LEAST = 1e-15  # errors below are drawn here: float32 ends there
HEADLINE = {"variant": "s3", "dataset.points": "random", "architecture.depth": 2}
BINS = 20
LINEAR = 2.0  # fits are drawn on a linear axis up to here, the points being within ±1


def figures(tables: Tables) -> dict[str, Figure]:
    """The paper's three panels, and for every setting how many of the initializations fit."""
    runs = tables.runs
    own = _chosen(runs, HEADLINE)
    drawn = {}
    if len(tables.predictions):
        drawn["fits"] = _fits(tables.predictions, own)
    if len(own):
        drawn["errors"] = _errors(own)
        drawn["activations"] = _activations(tables.layers, own)
    drawn["regimes"] = _regimes(runs)
    return drawn


def _chosen(runs: pd.DataFrame, where: dict[str, Any]) -> pd.DataFrame:
    for name, value in where.items():
        runs = runs[runs[name] == value]
    return runs


def _fits(predictions: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """One thin line an initialization, sigmoid units, and the five points."""
    fig = figure(TEXT, 3.2)
    axes = fig.subplots(1, len(RULES), sharey=True)
    runs = runs[runs["activation"] == "sigmoid"]
    for ax, (rule, (label, color)) in zip(axes, RULES.items(), strict=True):
        own = predictions[predictions["run"].isin(runs.loc[runs["backward"] == rule, "run"])]
        for _, curve in own.groupby("seed"):
            ax.plot(curve["input_0"], curve["predicted"], color=color, alpha=0.3, linewidth=0.6)
        points = own.drop_duplicates("input_0")
        corners = _corners(points["input_0"].to_numpy(), points["target"].to_numpy())
        ax.plot(*corners, "o", color=INK, zorder=4)
        ax.set(title=label, xlabel="x")
    drawn = predictions.loc[predictions["run"].isin(runs["run"]), "predicted"]
    for ax in axes:
        # Between the points some fits go far beyond them: linear where the points lie, logarithmic outside.
        ax.set_yscale("symlog", linthresh=LINEAR, linscale=2)
        scales.set_limits(ax.yaxis, min(-LINEAR, 1.2 * drawn.min()), max(LINEAR, 1.2 * drawn.max()))
        ax.set_yticks([-10, -2, -1, 0, 1, 2, 10], ["−10", "−2", "−1", "0", "1", "2", "10"])
        for edge in (-LINEAR, LINEAR):
            ax.axhline(edge, color=INK, linewidth=1.2, linestyle=":", zorder=3)
    axes[0].set_ylabel("fitted y")
    far = f"linear between the dotted lines at ±{LINEAR:g}, logarithmic beyond"
    _note(fig, runs, f"one line an initialization; two layers of sigmoids, N(0, 3²); one range, {far}")
    return fig


def _corners(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The five points, from a grid on the straight lines between them."""
    order = np.argsort(x)
    x, y = x[order], y[order]
    bend = np.abs(np.diff(np.diff(y) / np.diff(x))) > 1e-4
    kept = np.r_[True, bend, True]
    return x[kept], y[kept]


def _errors(runs: pd.DataFrame) -> Figure:
    """The paper's middle panel: the error over the initializations."""
    fig = figure(TEXT, 2.6)
    axes = fig.subplots(1, 2, sharey=True)
    for ax, (activation, rows) in zip(axes, runs.groupby("activation"), strict=False):
        found = [rows.loc[rows["backward"] == rule, "valid_loss"] for rule in RULES]
        values = [column.dropna().clip(lower=LEAST).to_numpy() for column in found]
        boxes = ax.boxplot(
            values, widths=0.55, patch_artist=True, flierprops={"markersize": 2}, medianprops={"color": INK}
        )
        for place, (box, (_, color), points) in enumerate(zip(boxes["boxes"], RULES.values(), found, strict=True), 1):
            box.set(facecolor=color, alpha=0.35)
            hits = int((points < FITTED).sum())
            ax.text(
                place,
                1.02,
                f"{hits} of {len(points)}",
                transform=ax.get_xaxis_transform(),
                ha="center",
                fontsize=6.5,
                color=QUIET,
            )
        ax.axhline(FITTED, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
        ax.set_yscale("log")
        ax.set_xticks(range(1, len(RULES) + 1), [label for label, _ in RULES.values()])
        ax.set_title(str(activation), pad=14)
    axes[0].set_ylabel("mean squared error")
    _note(
        fig, runs, "two layers of 50, N(0, 3²), 3000 steps of Adam; above the boxes: how many are below the dashed line"
    )
    return fig


def _activations(layers: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """The paper's right panel: sigmoid activations after training, by layer."""
    fig = figure(TEXT, 2.3)
    runs = runs[runs["activation"] == "sigmoid"]
    edges = np.linspace(0, 1, BINS + 1)
    rows = layers[layers["run"].isin(runs["run"])]
    rows = rows[rows["step"] == rows["step"].max()]
    depths = sorted(rows.loc[rows["quantity"] == "saturated_share", "depth"].unique())
    axes = fig.subplots(1, max(len(depths), 1), sharey=True, squeeze=False)[0]
    for rule in ("exact", "linear"):
        label, color = RULES[rule]
        found = read_histograms(rows[rows["run"].isin(runs.loc[runs["backward"] == rule, "run"])]).on(edges)
        for ax, depth in zip(axes, depths, strict=False):
            if depth in found:
                ax.stairs(found[depth], edges, color=color, label=label, linewidth=1.4)
            ax.set(title=f"layer {depth}", xlabel="activation")
    axes[0].set_ylabel("share of units × points")
    legends.inside(axes[0], axes)
    _note(fig, runs, "after training; mean over the initializations")
    return fig


def _regimes(runs: pd.DataFrame) -> Figure:
    """How many initializations fit, by setting; linear backprop beside backprop."""
    rules = [rule for rule in RULES if rule in set(runs["backward"])]
    rows = [
        (p, d, a)
        for p in _values(runs, "dataset.points")
        for d in _values(runs, "architecture.depth")
        for a in _values(runs, "activation")
    ]
    names = [f"{points}, {depth} × 50, {activation}" for points, depth, activation in rows]
    columns = [scale for scale in SCALES if scale in set(runs["variant"])]
    fig = figure(TEXT, 0.9 + 0.3 * len(rows))
    axes = fig.subplots(1, len(rules), sharey=True, squeeze=False)[0]
    keys = ["dataset.points", "architecture.depth", "activation"]
    for ax, rule in zip(axes, rules, strict=True):
        cells = {}
        for (variant, *where), own in runs[runs["backward"] == rule].groupby(["variant", *keys]):
            hits, n = int((own["valid_loss"] < FITTED).sum()), len(own)
            value = share(hits, n).value
            cells[names[rows.index((where[0], where[1], where[2]))], str(variant)] = heat_maps.Cell(
                value, f"{value:.2f}"
            )
        heat_maps.heat_map(ax, cells, names, columns, cmap=matplotlib.colormaps["cividis"], norm=Normalize(0, 1))
        ax.set_xticks(range(len(columns)), [SCALES[c] for c in columns], fontsize=7)
        ax.set(title=RULES[rule][0], xlabel="initial standard deviation")
    _note(
        fig, runs, f"share of initializations with an error below {FITTED}; SGD: s = 3, plain gradient descent at 0.1"
    )
    return fig


def _values(runs: pd.DataFrame, column: str) -> Sequence[Any]:
    return sorted(runs[column].unique())


def _note(fig: Figure, runs: pd.DataFrame, text: str) -> None:
    n = int(runs.groupby("run").size().max())
    explain(fig, f"n={n} initializations; {text}")
