"""Signals, gradients and β layer by layer in deep nets, and the vanishing ratio against depth. Reads tables only."""

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.diagnostics.ranges import range_of
from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import INK, TEXT, activation_look, explain, figure
from repro.plots.sweeps import seed_dots
from repro.storage.metrics import POSITIVE
from repro.storage.statistics import estimate

DEPTH = "architecture.depth"
# Colour: activation; dashes: how its net starts.
UNITS = {
    "sigmoid": ("sigmoid", activation_look("sigmoid").color, "-"),
    "tanh": ("tanh", activation_look("tanh").color, "-"),
    "relu": ("ReLU", activation_look("relu").color, "-"),
    "relu_he": ("ReLU, He", activation_look("relu").color, "--"),
    "esp": ("ESP", activation_look("esp").color, "-"),
    "esp_from_1": ("ESP, β from 1", activation_look("esp").color, ":"),
    "esp_he": ("ESP, He", activation_look("esp").color, "--"),
    "esp_gain_2": ("ESP, gain 2", INK, "-."),
}
LEAST = float(np.finfo(np.float32).smallest_subnormal)


def figures(tables: Tables) -> dict[str, Figure]:
    """Profiles of the deepest nets before and after training, β, and two numbers against depth."""
    runs = tables.runs
    deepest = runs[runs[DEPTH] == runs[DEPTH].max()]
    layers = tables.layers[tables.layers["run"].isin(deepest["run"])]
    return {
        "signals": _profiles(layers, "activation_std", "standard deviation of activations"),
        "gradients": _profiles(layers, "gradient_norm", "gradient norm"),
        "beta": _betas(runs, tables.layers),
        "against_depth": _against_depth(runs),
    }


def _profiles(layers: pd.DataFrame, quantity: str, label: str) -> Figure:
    """A quantity by layer, before training and after it."""
    fig = figure(TEXT, 2.7)
    axes = fig.subplots(1, 2, sharey=True)
    rows = layers[layers["quantity"] == quantity]
    moments: tuple[tuple[Literal["min", "max"], str], ...] = (("min", "before training"), ("max", "after training"))
    for ax, (when, words) in zip(axes, moments, strict=True):
        for unit, (name, color, style) in UNITS.items():
            own = rows[rows["variant"] == unit]
            own = own[own["step"] == own.groupby(["run", "seed"])["step"].transform(when)]
            if len(own):
                blocks.profile(
                    ax,
                    own.assign(value=own["value"].clip(lower=LEAST)),
                    label=name,
                    color=color,
                    linestyle=style,
                    markersize=2,
                )
        ax.set(title=words, xlabel="layer")
        scales.whole_ticks(ax.xaxis)
    scales.log_axis(axes[0].yaxis, rows["value"])
    axes[0].set_ylabel(label)
    legends.outside(fig, axes, loc="outside right center")
    said = blocks.in_words(rows[rows["variant"].isin(UNITS)], center="median")
    explain(fig, said, "0 is drawn at the least number above it")
    return fig


def _betas(runs: pd.DataFrame, layers: pd.DataFrame) -> Figure:
    """β by layer after training, a panel a depth: its mean, and from its least to its greatest."""
    depths = sorted(runs[DEPTH].unique())[:4]
    fig = figure(TEXT, 2.4)
    axes = fig.subplots(1, len(depths), sharey=True, squeeze=False)[0]
    for ax, depth in zip(axes, depths, strict=True):
        of_depth = layers[layers["run"].isin(runs.loc[runs[DEPTH] == depth, "run"])]
        for unit in ("esp", "esp_gain_2"):
            name, color, style = UNITS[unit]
            own = of_depth[of_depth["variant"] == unit]
            own = own[own["quantity"].isin(("beta_min", "beta_mean", "beta_max")) & (own["step"] == own["step"].max())]
            middle = own.pivot_table(index="depth", columns="quantity", values="value", aggfunc="median", observed=True)
            if len(middle):
                ax.plot(
                    middle.index,
                    middle["beta_mean"],
                    color=color,
                    linestyle=style,
                    label=name,
                    marker="o",
                    markersize=2,
                )
                ends = middle["beta_min"], middle["beta_max"]
                ax.fill_between(middle.index, *ends, color=color, alpha=0.2, linewidth=0)
                for end in ends:
                    ax.plot(middle.index, end, color=color, linestyle=style, linewidth=0.6)
        ax.set(title=f"{depth} layers", xlabel="layer")
        scales.whole_ticks(ax.xaxis)
    axes[0].set_ylabel("β after training")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)  # the bands are not equal
    _note(fig, layers, "lines: mean β of a layer, bands: its least to its greatest; medians over the seeds")
    return fig


def _against_depth(runs: pd.DataFrame) -> Figure:
    """The vanishing ratio before and after training, and the test accuracy."""
    fig = figure(TEXT, 3.5)
    axes = fig.subplots(1, 3)
    for ax, metric, title in zip(
        axes,
        ("first_vanishing_ratio", "vanishing_ratio", "test_accuracy"),
        ("vanishing ratio before", "vanishing ratio after", "test accuracy"),
        strict=True,
    ):
        for unit, (name, color, style) in UNITS.items():
            own = runs[(runs["variant"] == unit) & (runs["status"] == "done")]
            _line(ax, own, metric, label=name, color=color, linestyle=style)
        ax.set(title=title, xlabel="layers", xticks=sorted(runs[DEPTH].unique()))
        scales.value_axis(ax.yaxis, runs[metric].dropna(), range_of(metric))
    ratios = runs[runs["status"] == "done"][["first_vanishing_ratio", "vanishing_ratio"]].to_numpy().ravel()
    scales.one_range(axes[:2], [ratio for ratio in ratios if ratio > 0], POSITIVE)
    legends.outside(fig, axes, loc="outside upper left", ncols=4)
    n = int(runs.groupby("run").size().max())
    explain(fig, f"n={n} seeds, dots; lines: geometric means of ratios, means of accuracy")
    return fig


def _line(ax: Axes, runs: pd.DataFrame, metric: str, **style: object) -> None:
    at, values = [], []
    for depth, own in runs.groupby(DEPTH):
        numbers = own[metric].dropna()
        if metric != "test_accuracy":
            numbers = numbers[numbers > 0].map(np.log)
        if len(numbers):
            mean = estimate(numbers.tolist()).value
            seed_dots(ax, float(str(depth)), own.loc[own[metric] > 0, metric].tolist(), style["color"])
            at.append(float(str(depth)))
            values.append(mean if metric == "test_accuracy" else float(np.exp(mean)))
    ax.plot(at, values, marker="o", markersize=3, **style)  # type: ignore[arg-type]


def _note(fig: Figure, layers: pd.DataFrame, text: str) -> None:
    n = int(layers.groupby("run")["seed"].nunique().max()) if len(layers) else 0
    explain(fig, f"n={n} seeds; {text}")
