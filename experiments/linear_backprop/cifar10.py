"""Figures of linear backprop on CIFAR-10: learning rates, learning curves, decay, gradients. Reads tables only."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, QUIET, TEXT, VERMILLION, activation_look, explain, figure
from repro.plots.sweeps import LOST, mark_diverged, seed_dots
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
    legends.outside(fig, list(axes), loc="outside upper left", ncols=3, fontsize="small")
    _note(fig, runs)
    return fig


def _curves(tables: Tables, pairs: dict[str, tuple[str, str]]) -> Figure:
    """Test accuracy by epoch, each rule at its own best rate."""
    fig = figure(TEXT, 2.5)
    axes = fig.subplots(1, len(pairs), sharey=True, squeeze=False)[0]
    curves = tables.curves[(tables.curves["split"] == "test") & (tables.curves["metric"] == "accuracy")]
    for ax, (title, pair) in zip(axes, pairs.items(), strict=True):
        chosen: list[float] = []
        for variant in pair:
            own = tables.runs[tables.runs["variant"] == variant]
            whole = own.groupby(RATE).filter(lambda rows: not (rows["status"] == "diverged").any())
            means = whole.groupby(RATE)["valid_accuracy"].mean().dropna()  # the rate that the claims take
            if len(means):
                best = own.loc[own[RATE] == means.idxmax(), "run"]
                shown = curves[curves["run"].isin(best)]
                blocks.curve(ax, shown, "epoch", label=_name(variant), color=_color(variant), spread="mean")
                chosen.append(float(str(means.idxmax())))
        ax.set_title(title + "\n" + ", ".join(f"{rate:g}" for rate in chosen), fontsize=8)
        ax.set_xlabel("epoch")
        scales.whole_ticks(ax.xaxis)
    _accuracies(axes, curves["value"])
    legends.outside(fig, list(axes), loc="outside upper left", ncols=3, fontsize="small")
    titles = "titles: the rates, backprop's first, each the best of its rule on the validation images"
    _note(fig, tables.runs, marks="thick: mean, thin: seeds", more=f"{titles}; dotted: guessing")
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
    legends.outside(fig, list(axes), loc="outside upper left", ncols=2, fontsize="small")
    _note(fig, runs)
    return fig


def _gradients(tables: Tables, pairs: dict[str, tuple[str, str]]) -> Figure:
    """How far linear backprop is from the gradient, layer by layer, before and after training; a column a net."""
    shown = [linear for _, linear in pairs.values() if not linear.startswith("binary")]
    fig = figure(TEXT, 4.2)
    axes = fig.subplots(2, max(1, len(shown)), sharex="col", sharey="row", squeeze=False)
    # The smallest rate that all were trained at; where there is none, of each net its own.
    tried = {variant: {*tables.runs.loc[tables.runs["variant"] == variant, RATE]} for variant in shown}
    common = set.intersection(*tried.values()) if tried else set()
    norms: list[float] = []
    for (cosines, ratios), variant in zip(axes.T, shown, strict=True):
        net, unit = variant.removesuffix("_linear").split("_")[:2]
        runs = tables.runs[tables.runs["variant"] == variant]
        rate = min(common or tried[variant])
        rows = tables.layers[tables.layers["run"].isin(runs.loc[runs[RATE] == rate, "run"])]
        for step, when, style in ((rows["step"].min(), "before", "-"), (rows["step"].max(), "after", "--")):
            now = rows[rows["step"] == step]
            look: dict[str, Any] = {"color": activation_look(unit).color, "markersize": 3, "linestyle": style}
            for ax, quantity in ((cosines, "gradient_cosine"), (ratios, "gradient_norm_ratio")):
                band = blocks.profile(ax, now[now["quantity"] == quantity], label=f"{when} training", **look)
                if ax is ratios:
                    norms += [*band.low, *band.high]
        cosines.set_title(f"{net} {unit}" + ("" if common else f"\n{rate:g}"))
        cosines.axhline(0, color=QUIET, linewidth=0.8, zorder=0)
        ratios.axhline(1, color=QUIET, linewidth=0.8, zorder=0)
        ratios.set_xlabel("layer")
        scales.whole_ticks(ratios.xaxis)
    axes[0][0].set(ylabel="cosine with the gradient", ylim=(-1.03, 1.03))
    axes[1][0].set_ylabel("norm over the gradient's")
    scales.log_axis(axes[1][0].yaxis, [*norms, 1.0])
    legends.outside(fig, [axes[0][0]], loc="outside upper left", ncols=2, fontsize="small")
    rates = f"rate {min(common):g}" if common else "titles: the rates, the smallest of each net"
    about = f"weights' gradients, {rates}; colours: activation"
    _note(fig, tables.runs, marks="thick: median, thin: seeds", more=about)
    return fig


def _bars(ax: Axes, runs: pd.DataFrame, setting: str, variant: str) -> None:
    """Mean, interval and seeds at each value of a setting; how many diverged, which are left out, below the axis."""
    found = {}
    for value, own in runs.groupby(setting):
        lost = own["status"] == "diverged"
        if len(finite := own.loc[~lost, "test_accuracy"].dropna().tolist()):
            found[float(str(value))] = estimate(finite)
            seed_dots(ax, float(str(value)), finite, _color(variant))
        if lost.any():
            mark_diverged(ax, float(str(value)), int(lost.sum()), _color(variant))
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


def _note(
    fig: Figure,
    runs: pd.DataFrame,
    *,
    marks: str = "mean and 95 % interval; dots: seeds",
    more: str = "dotted: guessing",
) -> None:
    """How many seeds a setting has, and what the marks are where it is more than one."""
    sizes = runs.groupby([name for name in ("variant", RATE, DECAY) if name in runs.columns], dropna=False).size()
    n = " to ".join(map(str, dict.fromkeys([sizes.min(), sizes.max()])))
    scale = "+".join(dict.fromkeys(runs["scale"]))
    lost = LOST if (runs["status"] == "diverged").any() and "interval" in marks else ""
    explain(fig, f"n={n} seeds, scale {scale}", marks if sizes.max() > 1 else "", more, lost)
