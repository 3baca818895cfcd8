"""Figures of the Penn Treebank study: Figure 7, Table 2, the gates, the gradient's way back. Trains nothing."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, ORANGE, PURPLE, QUIET, TEXT, VERMILLION, activation_look, figure
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
    full = set(tables.runs["scale"]) == {"full"}
    drawn = {"perplexity": _perplexity(curves, variants, full), "table2": _table2(tables.runs, variants, full)}
    layers = tables.layers
    if (layers["quantity"] == "saturated_share").any():
        drawn["gates"] = _gates(layers, [v for v in ("reference", "nan") if v in variants])
        drawn["gradient_through_time"] = _through_time(layers, [v for v in variants if "alpha1" not in v])
    return drawn


def _perplexity(curves: pd.DataFrame, variants: list[str], full: bool) -> Figure:
    rows = curves[(curves["split"] == "valid") & (curves["metric"] == "perplexity") & (curves["epoch"] > 0)]
    fig = figure(TEXT, 3.4)
    every, late = fig.subplots(1, 2, width_ratios=[3, 2])
    for ax in (every, late):
        for name in variants:
            own = rows[rows["variant"] == name]
            n = own["seed"].nunique()
            blocks.curve(ax, own, "epoch", label=f"{NAMES[name]} (n={n})", **_look(name))
            if full and name in PAPER:
                at = np.arange(1, len(PAPER[name]) + 1)
                ax.plot(at, PAPER[name], color=COLORS[name], linestyle="none", marker="x", markersize=4, alpha=0.8)
        scales.whole_ticks(ax.xaxis)
        ax.set_xlabel("epoch")
    last = rows["epoch"].max()
    at_end = rows[rows["epoch"] >= last - 6]["value"]
    late.set(xlim=(last - 6.2, last + 0.2), ylim=(at_end.min() - 1, np.quantile(at_end, 0.97) + 2), title="the end")
    every.set(ylabel="validation perplexity", title="Penn Treebank")
    if full:
        every.set_ylim(100, 205)
        every.plot([], [], color=QUIET, linestyle="none", marker="x", markersize=4, label="the paper's, one run")
    legends.inside(every, [every, late], fontsize="small")
    note = "median and range of the seeds; the learning rate is halved before each epoch from the sixth on"
    fig.supxlabel(note if full else "median and range of the seeds", x=0.99, ha="right", fontsize=6.5, color=QUIET)
    return fig


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
    fig.supxlabel(note, x=0.99, ha="right", fontsize=6.5, color=QUIET)
    return fig


def _gates(layers: pd.DataFrame, variants: list[str]) -> Figure:
    panels = {"saturated_share": "share saturated", "noise_std": "noise, std", "noise_p": "mean |p|"}
    fig = figure(TEXT, 4.6)
    grid = fig.subplots(2, 3)
    for depth, axes in enumerate(grid, 1):
        for ax, (quantity, title) in zip(axes, panels.items(), strict=True):
            for site in SITES:
                for name in variants:
                    here = (layers["variant"] == name) & (layers["quantity"] == quantity) & (layers["depth"] == depth)
                    rows = layers[here & layers["layer"].str.endswith(f".{site}") & (layers["step"] > 0)]
                    if len(rows):
                        style = "--" if name == "reference" else "-"
                        label = SITES[site] if name == variants[-1] else "_"
                        blocks.curve(ax, rows, "step", label=label, color=SITE_COLORS[site], linestyle=style)
            scales.log_axis(ax.xaxis, layers.loc[layers["step"] > 0, "step"])
            if depth == 1:
                ax.set_title(title)
        axes[0].set_ylabel(f"layer {depth}")
    for ax in grid[1]:
        ax.set_xlabel("update")
    legends.inside(grid[0, 0], fontsize="small")
    note = "colours: gates; solid: NAN; dashed: the reference, saturated where the slope is below 0.02"
    fig.supxlabel(note, x=0.99, ha="right", fontsize=6.5, color=QUIET)
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
    note = "gradient of the last prediction's loss with respect to the hidden state so many steps before"
    fig.supxlabel(note, x=0.99, ha="right", fontsize=6.5, color=QUIET)
    return fig


def _whole(ax: Axes) -> None:
    scales.whole_ticks(ax.xaxis)
