"""Figures of the Penn Treebank study: Figure 7, Table 2, the gates, the gradient's way back. Trains nothing."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, ORANGE, PURPLE, QUIET, TEXT, VERMILLION, activation_look, explain, figure
from repro.storage.metrics import POSITIVE
from repro.storage.statistics import estimate

NAMES = {
    "reference": "tanh, sigmoid (reference)",
    "hard": "hard, no noise",
    "nan": "NAN",
    "nah": "NAH",
    "leak": "leak, no noise",
    "nan_alpha1": "NAN, α = 1",
    "nah_alpha1": "NAH, α = 1",
}
COLORS = {
    "reference": activation_look("tanh").color,
    "hard": activation_look("hard_tanh").color,
    "nan": activation_look("noisy_tanh", "nan").color,
    "nah": activation_look("noisy_tanh", "nah").color,
    "leak": activation_look("hard_tanh").color,
    "nan_alpha1": activation_look("noisy_tanh", "nan").color,
    "nah_alpha1": activation_look("noisy_tanh", "nah").color,
}
DASHED = ("leak", "nan_alpha1", "nah_alpha1")  # the same unit with another slope
GROUPS = (("reference", "hard", "leak"), ("nan", "nan_alpha1"), ("nah", "nah_alpha1"))
TURN = 6  # the epoch before which the learning rate is first halved
# Validation perplexity after epochs 1, 2, ..., measured in the vector drawing of Figure 7.
PAPER = {
    "reference": [180.8, 145.4, 132.6, 128.5, 127.7, 119.9, 119.2, 120.2, 120.8, 120.7, 120.2, 119.8, 119.5],
    "nan": [194.4, 159.0, 150.7, 145.1, 142.9, 122.1, 115.5, 113.6, 113.1, 112.8, 112.4, 112.0, 111.6],
    "nah": [191.5, 158.1, 146.7, 144.4, 141.7, 122.8, 116.4, 114.4, 113.5, 113.2, 113.0, 112.8, 112.6],
}
TABLE_2 = {"reference": 115.6, "nan": 108.0, "nah": 108.7}  # test perplexity
SITES = {
    "output_gate": "output gate",
    "input_gate": "input gate",
    "forget_gate": "forget gate",
    "candidate": "candidate",
    "cell_output": "cell output",
}
SITE_COLORS = dict(zip(SITES, (BLUE, GREEN, VERMILLION, PURPLE, ORANGE), strict=True))


def figures(tables: Tables) -> dict[str, Figure]:
    """What there is data for: perplexity by epoch, at the end, the gates and the gradient through time."""
    curves = tables.curves
    variants = [name for name in NAMES if name in set(curves["variant"])]
    if not variants:
        return {}
    full = set(tables.runs["scale"]) == {"full"}
    drawn = {"perplexity": _perplexity(curves, variants, full), "table2": _table2(tables.runs, variants, full)}
    layers = tables.layers
    if (layers["quantity"] == "saturated_share").any():
        drawn["gates"] = _gates(layers, [v for v in ("reference", "nan") if v in variants])
        drawn["gradient_through_time"] = _through_time(layers, [v for v in variants if "alpha1" not in v])
    return drawn


def _perplexity(curves: pd.DataFrame, variants: list[str], full: bool) -> Figure:
    """The first epochs above, the others below; each unit with its other forms, and the reference in grey."""
    rows = curves[(curves["split"] == "valid") & (curves["metric"] == "perplexity") & (curves["epoch"] > 0)]
    groups = [own for own in ([n for n in names if n in variants] for names in GROUPS) if own]
    last = rows["epoch"].max()
    parts = [(0, min(TURN, last)), (TURN, last)] if last > TURN else [(0, last)]
    fig = figure(TEXT, 0.9 + 1.9 * len(parts))
    axes = fig.subplots(len(parts), len(groups), squeeze=False)
    for line, (first, end) in zip(axes, parts, strict=True):
        drawn: list[float] = []
        for ax, names in zip(line, groups, strict=True):
            for name in ["reference", *names] if "reference" in variants and "reference" not in names else names:
                own = rows[(rows["variant"] == name) & rows["epoch"].between(first, end)]
                drawn += _by_epoch(ax, own, name, name in names)
                if full and name in names and name in PAPER:
                    at = np.arange(max(1, first), min(len(PAPER[name]), end) + 1)
                    theirs = [PAPER[name][int(epoch) - 1] for epoch in at]
                    ax.plot(at, theirs, color=COLORS[name], linestyle="none", marker="x", markersize=4, alpha=0.8)
                    drawn += theirs
            ax.tick_params(labelleft=ax is line[0])
            scales.whole_ticks(ax.xaxis)
        for ax in line:
            scales.value_axis(ax.yaxis, drawn, POSITIVE)
        line[0].set_ylabel("validation perplexity")
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
    for ax, names in zip(axes[0], groups, strict=True):
        ax.set_title(", ".join(dict.fromkeys(NAMES[name].split(",")[0] for name in names)))
    axes[0][0].plot([], [], color=QUIET, linewidth=blocks.THIN, label="reference, mean")
    if full:
        axes[0][0].plot([], [], color=QUIET, linestyle="none", marker="x", markersize=4, label="the paper's, one run")
    legends.outside(fig, list(axes[0]), loc="outside upper left", ncols=3, fontsize="small")
    explain(
        fig,
        blocks.in_words(rows),
        "one range in each row" + (", the lower row from epoch 6, the first at half the rate" if full else ""),
    )
    return fig


def _by_epoch(ax: Axes, rows: pd.DataFrame, name: str, own: bool) -> list[float]:
    """A variant, or the mean of the reference for comparison; returns what is drawn."""
    if own:
        band = blocks.curve(ax, rows, "epoch", label=NAMES[name], spread="mean", **_look(name))
        return [*band.low, *band.high]
    mean = rows.groupby("epoch")["value"].mean()
    ax.plot(mean.index.to_numpy(), mean.to_numpy(), color=QUIET, linewidth=blocks.THIN, zorder=1)
    return [float(value) for value in mean]


def _look(name: str) -> dict[str, Any]:
    return {"color": COLORS[name], "linestyle": "--" if name in DASHED else "-"}


def _table2(runs: pd.DataFrame, variants: list[str], full: bool) -> Figure:
    fig = figure(TEXT, 0.9 + 0.34 * len(variants))
    ax = fig.subplots()
    for row, name in enumerate(reversed(variants)):
        values = runs.loc[(runs["variant"] == name) & (runs["status"] == "done"), "test_perplexity"].tolist()
        if not values:
            continue
        blocks.error_bars(ax, [row], [estimate(values)], label="", color=COLORS[name], across=True, within=POSITIVE)
        ax.plot(values, [row + 0.22] * len(values), linestyle="none", marker="|", color=COLORS[name], markersize=6)
        if full and name in TABLE_2:
            ax.plot(TABLE_2[name], row, marker="D", markerfacecolor="none", color=QUIET, markersize=6, zorder=0)
    ax.set_yticks(range(len(variants)), [NAMES[name] for name in reversed(variants)])
    ax.set(xlabel="test perplexity after the last epoch", ylim=(-0.6, len(variants) - 0.4))
    ax.grid(axis="x")
    note = "dot: mean with its 95 % interval; strokes: seeds" + ("; diamond: Table 2 of the paper" if full else "")
    explain(fig, note)
    return fig


def _gates(layers: pd.DataFrame, variants: list[str]) -> Figure:
    """What NAN and the reference call saturated stands in panels of its own: they are not the same."""
    columns = {
        "reference": ("saturated_share", "reference, share\nof slopes < 0.02"),
        "nan": ("saturated_share", "NAN, share\nbeyond knees"),
        "noise": ("noise_std", "NAN,\nnoise, std"),
        "p": ("noise_p", "NAN,\nmean |p|"),
    }
    shown = {key: what for key, what in columns.items() if (key if key == "reference" else "nan") in variants}
    fig = figure(TEXT, 4.6)
    grid = fig.subplots(2, len(shown), squeeze=False)
    for axes, (key, (quantity, title)) in zip(grid.T, shown.items(), strict=True):
        name = key if key == "reference" else "nan"
        drawn: list[float] = []
        for depth, ax in enumerate(axes, 1):
            for site, words in SITES.items():
                here = (layers["variant"] == name) & (layers["quantity"] == quantity) & (layers["depth"] == depth)
                rows = layers[here & layers["layer"].str.endswith(f".{site}") & (layers["step"] > 0)]
                if len(rows):
                    band = blocks.curve(ax, rows, "step", label=words, color=SITE_COLORS[site], spread="mean")
                    drawn += [*band.low, *band.high]
            scales.log_axis(ax.xaxis, layers.loc[layers["step"] > 0, "step"])
        for ax in axes:
            scales.linear_from_zero(ax.yaxis, [1.0] if quantity == "saturated_share" else drawn)
        axes[0].set_title(title)
        axes[1].set_xlabel("update")
    for depth, ax in enumerate(grid[:, 0], 1):
        ax.set_ylabel(f"layer {depth}")
    legends.outside(fig, list(grid.flat), loc="outside upper left", ncols=len(SITES), fontsize="small")
    explain(
        fig,
        "colours: gates",
        blocks.in_words(layers[layers["variant"].isin(variants)]),
        "the two shares are of different things: hard units have slope 0 beyond their knees, smooth ones never",
        "one range in each column",
    )
    return fig


def _through_time(layers: pd.DataFrame, variants: list[str]) -> Figure:
    rows = layers[layers["quantity"].str.startswith("gradient_through_time_")]
    rows = rows.assign(back=rows["quantity"].str.rpartition("_")[2].astype(int))
    rows = rows.assign(back=rows["back"].max() - rows["back"])
    moments = {"before training": rows["step"].min(), "after training": rows["step"].max()}
    fig = figure(TEXT, 3.2)
    axes = fig.subplots(1, 2, sharey=True)
    values: list[float] = []
    for ax, (title, step) in zip(axes, moments.items(), strict=True):
        for name in variants:
            own = rows[(rows["variant"] == name) & (rows["step"] == step) & (rows["depth"] == rows["depth"].max())]
            band = blocks.curve(ax, own, "back", label=NAMES[name], **_look(name))
            values += band.center.tolist()
        ax.set(title=title, xlabel="steps back in time")
        _whole(ax)
    for ax in axes:
        scales.log_axis(ax.yaxis, values)
    axes[0].set_ylabel("gradient norm at h, top layer")
    legends.inside(axes[1], axes, fontsize="small")
    explain(
        fig,
        "gradient of the last prediction's loss with respect to the hidden state so many steps before",
        blocks.in_words(rows[rows["variant"].isin(variants)], center="median"),
    )
    return fig


def _whole(ax: Axes) -> None:
    scales.whole_ticks(ax.xaxis)
