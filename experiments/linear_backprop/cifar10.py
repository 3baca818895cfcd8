"""Figures of linear backprop on CIFAR-10: learning rates, learning curves, decay, gradients. Reads tables only."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, QUIET, TEXT, VERMILLION, activation_look, figure
from repro.plots.sweeps import mark_diverged
from repro.storage.metrics import SHARE
from repro.storage.statistics import estimate

PAIRS = {  # panel: (backprop, linear backprop)
    "VGG, tanh": ("vgg_tanh_exact", "vgg_tanh_linear"),
    "VGG, ReLU": ("vgg_relu_exact", "vgg_relu_linear"),
    "ResNet, ReLU": ("resnet_relu_exact", "resnet_relu_linear"),
    "binary VGG": ("binary_clipped", "binary_linear"),
}
COLORS = {"exact": BLUE, "clipped": BLUE, "linear": VERMILLION}
NAMES = {"exact": "backprop", "clipped": "clipped estimator", "linear": "linear backprop"}
LINE: dict[str, Any] = {"fmt": "o-", "markersize": 4}
CHANCE = 0.1  # of ten classes
RATE, DECAY = "optimizer.lr", "optimizer.weight_decay"


def figures(tables: Tables) -> dict[str, Figure]:
    """What there are runs for."""
    runs = tables.runs
    pairs = {title: pair for title, pair in PAIRS.items() if set(pair) <= set(runs["variant"])}
    drawn = {"rates": _rates(runs, pairs), "curves": _curves(tables, pairs)}
    if DECAY in runs.columns and runs[DECAY].notna().any():
        drawn["decay"] = _decay(runs[runs["variant"].str.startswith("decay_")])
    drawn["gradients"] = _gradients(tables, pairs)
    return drawn


def _rates(runs: pd.DataFrame, pairs: dict[str, tuple[str, str]]) -> Figure:
    """Test accuracy by learning rate: who is ahead depends on it."""
    fig = figure(TEXT, 2.5)
    axes = fig.subplots(1, len(pairs), sharey=True, squeeze=False)[0]
    for ax, (title, pair) in zip(axes, pairs.items(), strict=True):
        for variant in pair:
            _bars(ax, runs[runs["variant"] == variant], RATE, variant)
        ax.set(title=title, xlabel="learning rate")
        scales.log_axis(ax.xaxis, runs[RATE], most=3)
    _accuracies(axes, runs["test_accuracy"])
    legends.inside(axes[0], fontsize=6.5)
    legends.inside(axes[-1], fontsize=6.5)
    _note(fig, runs)
    return fig


def _curves(tables: Tables, pairs: dict[str, tuple[str, str]]) -> Figure:
    """Test accuracy by epoch, each rule at its own best rate."""
    fig = figure(TEXT, 2.5)
    axes = fig.subplots(1, len(pairs), sharey=True, squeeze=False)[0]
    curves = tables.curves[(tables.curves["split"] == "test") & (tables.curves["metric"] == "accuracy")]
    for ax, (title, pair) in zip(axes, pairs.items(), strict=True):
        for variant in pair:
            own = tables.runs[tables.runs["variant"] == variant]
            whole = own.groupby(RATE).filter(lambda rows: not (rows["status"] == "diverged").any())
            means = whole.groupby(RATE)["valid_accuracy"].mean().dropna()  # the rate that the claims take
            if len(means):
                best = own.loc[own[RATE] == means.idxmax(), "run"]
                label = f"{_name(variant)}, {means.idxmax():g}"
                blocks.curve(ax, curves[curves["run"].isin(best)], "epoch", label=label, color=_color(variant))
        ax.set(title=title, xlabel="epoch")
        legends.inside(ax, fontsize=5.5, loc="lower right")
        scales.whole_ticks(ax.xaxis)
    _accuracies(axes, curves["value"])
    _note(fig, tables.runs, "each rule at the rate that is best on the validation images; median and range")
    return fig


def _decay(runs: pd.DataFrame) -> Figure:
    """The paper's Figure 4: small rates, weight decay."""
    rates = sorted(runs[RATE].unique())
    fig = figure(TEXT * 0.75, 2.5)
    axes = fig.subplots(1, len(rates), sharey=True, squeeze=False)[0]
    for ax, rate in zip(axes, rates, strict=True):
        for variant, own in runs[runs[RATE] == rate].groupby("variant"):
            _bars(ax, own, DECAY, str(variant))
        ax.set(title=f"learning rate {rate:g}", xlabel="weight decay")
        scales.log_axis(ax.xaxis, runs[DECAY], most=3)
    _accuracies(axes, runs["test_accuracy"])
    legends.inside(axes[0], fontsize=6.5)
    _note(fig, runs)
    return fig


def _gradients(tables: Tables, pairs: dict[str, tuple[str, str]]) -> Figure:
    """How far linear backprop is from the gradient, layer by layer, before and after training."""
    fig = figure(TEXT, 2.6)
    left, right = fig.subplots(1, 2)
    shown = [linear for _, linear in pairs.values() if not linear.startswith("binary")]
    # One rate for all: the smallest that all were trained at.
    rate = max(tables.runs.loc[tables.runs["variant"] == variant, RATE].min() for variant in shown)
    norms: list[float] = []
    for variant in shown:
        net, unit = variant.removesuffix("_linear").split("_")[:2]
        look: dict[str, Any] = {
            "color": activation_look(unit).color,
            "marker": "s" if net == "resnet" else "o",
            "markersize": 3,
        }
        runs = tables.runs[tables.runs["variant"] == variant]
        rows = tables.layers[tables.layers["run"].isin(runs.loc[runs[RATE] == rate, "run"])]
        for step, style in ((rows["step"].min(), "-"), (rows["step"].max(), "--")):
            now = rows[rows["step"] == step]
            label = variant.replace("_linear", "").replace("_", " ") + (", after" if style == "--" else "")
            for ax, quantity in ((left, "gradient_cosine"), (right, "gradient_norm_ratio")):
                own = now[now["quantity"] == quantity]
                band = blocks.profile(ax, own, label=label, linestyle=style, **look)
                if ax is right:
                    norms += [*band.low, *band.high]
    left.set(title="cosine with the gradient", xlabel="layer", ylim=(-0.3, 1.03))
    right.set(title="norm over the gradient's", xlabel="layer")
    scales.log_axis(right.yaxis, norms)
    legends.inside(right, [left, right], fontsize=6.5)
    _note(
        fig,
        tables.runs,
        f"weights' gradients, rate {rate:g}; colours: activation; dashed: after training; median and range",
    )
    return fig


def _bars(ax: Axes, runs: pd.DataFrame, setting: str, variant: str) -> None:
    """Mean and interval at each value of a setting; a cross at the edge where seeds diverged, which are left out."""
    found = {}
    for value, own in runs.groupby(setting):
        lost = own["status"] == "diverged"
        if len(finite := own.loc[~lost, "test_accuracy"].dropna().tolist()):
            found[float(str(value))] = estimate(finite)
        if lost.any():
            mark_diverged(ax, float(str(value)), _color(variant))
    blocks.error_bars(
        ax, list(found), list(found.values()), label=_name(variant), color=_color(variant), within=SHARE, **LINE
    )


def _accuracies(axes: Iterable[Axes], values: "pd.Series[float]") -> None:
    """One axis for all panels, from nothing to the next tenth; dotted: guessing."""
    for number, ax in enumerate(axes):
        ax.set_ylim(0, min(1, math.ceil(10 * values.max() + 0.5) / 10))
        ax.axhline(CHANCE, color=QUIET, linestyle=":", linewidth=1)
        if number == 0:
            ax.set_ylabel("test accuracy")


def _name(variant: str) -> str:
    return NAMES[variant.rpartition("_")[2]]


def _color(variant: str) -> str:
    return COLORS[variant.rpartition("_")[2]]


def _note(fig: Figure, runs: pd.DataFrame, more: str = "mean and 95 % interval; dotted: guessing") -> None:
    n = runs.groupby([name for name in ("variant", RATE, DECAY) if name in runs.columns], dropna=False).size().max()
    scale = "+".join(dict.fromkeys(runs["scale"]))
    fig.supxlabel(f"n={n} seeds, scale {scale}; {more}", x=0.99, ha="right", fontsize=6.5, color=QUIET)
