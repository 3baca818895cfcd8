"""Figures of random labels: how the training loss falls, and what of it carries over to test images."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.blocks import curve, in_words
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, QUIET, TEXT, VERMILLION, explain, figure

NETS = {"100": "784-100-10", "16_16": "784-16-16-10"}
LABELS = {"true": ("true labels", BLUE), "random": ("labels at random", VERMILLION)}
SECOND = 2  # epoch from which on the fall of a loss is told
FIRST = 1  # epoch from which losses are drawn and lines are fitted: before, outputs are all near 1/2


def figures(tables: Tables) -> dict[str, Figure]:
    """Loss by epoch with how straight it is, and accuracy on training and test images."""
    return {"loss": _loss(tables.curves), "accuracy": _accuracy(tables.curves)}


def further_columns(tables: Tables) -> pd.DataFrame:
    """How much the training loss falls an epoch, from the second to the one halfway to the last, and from there on."""
    curves = tables.curves
    losses = curves[(curves["metric"] == "loss") & (curves["split"] == "train")]
    rows: list[dict[str, Any]] = []
    for (run, seed), own in losses.groupby(["run", "seed"]):
        by_epoch = own.set_index("epoch")["value"]
        last = int(by_epoch.index.max())
        half = (SECOND + last) // 2
        if half > SECOND and {SECOND, half} <= {*by_epoch.index}:
            early = (by_epoch[SECOND] - by_epoch[half]) / (half - SECOND)
            late = (by_epoch[half] - by_epoch[last]) / (last - half)
            rows.append({"run": run, "seed": seed, "early_fall_per_epoch": early, "late_fall_per_epoch": late})
    return pd.DataFrame(rows, columns=["run", "seed", "early_fall_per_epoch", "late_fall_per_epoch"])


def straightness(rows: pd.DataFrame) -> float:
    """R² of the straight line through a loss by epoch, mean over seeds; 1 for what falls linearly."""
    found = [np.corrcoef(own["epoch"], own["value"])[0, 1] ** 2 for _, own in rows.groupby("seed")]
    return float(np.mean(found))


def _loss(rows: pd.DataFrame) -> Figure:
    own = rows[(rows["metric"] == "loss") & (rows["split"] == "train") & (rows["epoch"] >= FIRST)]
    fig = figure(TEXT, 2.9)
    axes = fig.subplots(1, len(NETS), sharey=True)
    for ax, (net, title) in zip(axes, NETS.items(), strict=True):
        said = []
        for labels, (label, color) in LABELS.items():
            lines = own[own["variant"] == f"{labels}_{net}"]
            curve(ax, lines, "epoch", label=label, color=color, spread="interval")
            said.append(f"{labels} {straightness(lines):.2f}")
        ax.set(title=title)
        ax.set_xlabel(f"epoch\nR² of a straight line: {', '.join(said)}", fontsize=8)
        scales.whole_ticks(ax.xaxis)
    axes[0].set_ylabel("training loss")
    axes[0].set_ylim(bottom=0)  # both panels, once all is drawn
    legends.outside(fig, axes, loc="outside upper center", ncols=2)
    explain(fig, in_words(own), f"from epoch {FIRST} on")
    return fig


def _accuracy(rows: pd.DataFrame) -> Figure:
    own = rows[(rows["metric"] == "accuracy") & (rows["epoch"] >= FIRST)]
    fig = figure(TEXT, 2.9)
    axes = fig.subplots(1, len(NETS), sharey=True)
    for ax, (net, title) in zip(axes, NETS.items(), strict=True):
        for labels, (label, color) in LABELS.items():
            _both_splits(ax, own[own["variant"] == f"{labels}_{net}"], label, color)
        ax.axhline(0.1, color=QUIET, linewidth=0.8, linestyle=":", zorder=0)
        ax.set(title=title, xlabel="epoch", ylim=(0, 1))
        scales.whole_ticks(ax.xaxis)
    axes[0].set_ylabel("accuracy")
    legends.outside(fig, axes, loc="outside upper center", ncols=4)
    explain(fig, in_words(own), "dotted: chance")
    return fig


def _both_splits(ax: Axes, rows: pd.DataFrame, label: str, color: str) -> None:
    for split, name, dashes in (("train", "training", "-"), ("test", "test", "--")):
        lines = rows[rows["split"] == split]
        curve(ax, lines, "epoch", label=f"{label}, {name}", color=color, linestyle=dashes, spread="interval")
