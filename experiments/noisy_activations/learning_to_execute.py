"""Figures of Learning to Execute: Figure 8, Table 1, the curriculum and what it did. Reads tables, trains nothing."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import INK, QUIET, TEXT, activation_look, explain, figure
from repro.storage.metrics import ANY
from repro.storage.statistics import estimate

NAMES = {
    "reference": "tanh, sigmoid (reference)",
    "nah": "NAH",
    "nah_alpha1": "NAH, α = 1",
    "leak": "no noise, α = 1.15, 1.1",
    "hard": "hard, no noise",
}
COLORS = {
    "reference": activation_look("tanh").color,
    "nah": activation_look("noisy_tanh", "nah").color,
    "nah_alpha1": activation_look("noisy_tanh", "nah").color,
    "leak": activation_look("hard_tanh").color,
    "hard": activation_look("hard_tanh").color,
}
DASHED = ("nah_alpha1", "leak")  # the same unit with another slope
PAIR = ("reference", "nah")  # what the paper compares
# Training accuracy in %, means over epochs 90-110, 110-130 ..., measured in the vector drawing of Figure 8.
PAPER_EPOCHS = (100, 120, 140, 160)
PAPER = {"reference": (48.38, 48.82, 49.07, 49.06), "nah": (48.97, 49.55, 49.81, 49.90)}
TABLE_1 = {"reference": 46.45, "nah": 48.09}  # test accuracy in %, single runs
PAPER_ANSWERS = 5700  # characters of answers in their test set, by our generator at that size
POINTS = 30  # of a curve, about; a single evaluation is too noisy to look at
DONE, PATIENCE = 95, 5  # the rule's bounds, as in conf/curriculum/combined.yaml: accuracy in %, evaluations


def figures(tables: Tables) -> dict[str, Figure]:
    """Training accuracy by epoch, test accuracy at the end, what the curriculum goes by; of the variants there are."""
    curves, runs = tables.curves, tables.runs
    variants = [name for name in NAMES if name in set(runs.loc[runs["status"] == "done", "variant"])]
    if not variants:
        return {}
    full = set(runs["scale"]) == {"full"}
    return {
        "train_accuracy": _train_accuracy(curves, variants, full),
        "test_accuracy": _test_accuracy(runs, variants, full),
        "curriculum": _curriculum(curves, variants),
    }


def _train_accuracy(curves: pd.DataFrame, variants: list[str], full: bool) -> Figure:
    """Accuracy above, and how far each unit is ahead of the reference below; one range in each row."""
    rows = curves[(curves["split"] == "train") & (curves["metric"] == "accuracy")]
    together = max(1, rows["step"].nunique() // POINTS)
    points = {name: _means(rows[rows["variant"] == name], together) for name in variants}
    fig = figure(TEXT, 4.4)
    axes = fig.subplots(2, 3, sharex="col", height_ratios=[1.5, 1])
    groups = ([name for name in variants if name in PAIR], [name for name in variants if name not in PAIR])
    accuracy: list[float] = [v for values in PAPER.values() for v in values]
    ahead = [theirs - own for own, theirs in zip(PAPER["reference"], PAPER["nah"], strict=True)] + [0.0]
    for (top, bottom), names in zip(axes.T, groups, strict=False):
        for name in names:
            band = blocks.curve(top, points[name], "epoch", label=NAMES[name], spread="mean", **_look(name))
            accuracy += [*band.low, *band.high]
            if name != "reference" and "reference" in points:
                found = _ahead(points[name], points["reference"])
                band = blocks.curve(bottom, found, "epoch", label=NAMES[name], spread="mean", **_look(name))
                ahead += [*band.low, *band.high]
        scales.whole_ticks(bottom.xaxis)
        bottom.set_xlabel("epoch")
    _figure8(axes[0][2], axes[1][2])
    scales.one_range(axes[0], accuracy, (0.0, 100.0), whole=False)
    scales.one_range(axes[1], ahead)
    for ax in axes[1]:
        ax.axhline(0, color=QUIET, linewidth=0.8, zorder=0)
    for ax in axes[:, 1:].flat:
        ax.tick_params(labelleft=False)
    for ax, title in zip(axes[0], ("the paper's pair", "the other units", "Figure 8, one run each"), strict=True):
        ax.set_title(title)
    axes[0][0].set_ylabel("training accuracy, %")
    axes[1][0].set_ylabel("ahead of the\nreference, points")
    legends.outside(fig, [*axes[:, :2].flat, axes[0][2]], loc="outside upper left", ncols=3, fontsize="small")
    explain(
        fig,
        blocks.in_words(rows[rows["variant"].isin(variants)]),
        f"a point: the mean of {together} evaluations" if together > 1 else "",
        "one range in each row; ahead: the same seed's difference"
        + ("" if full else ", the paper's of other nets (6 digits, 3 deep)"),
    )
    return fig


def _figure8(top: Axes, bottom: Axes) -> None:
    for name, values in PAPER.items():
        top.plot(PAPER_EPOCHS, values, color=COLORS[name], linestyle="none", marker="x", markersize=4)
    ahead = [theirs - own for own, theirs in zip(PAPER["reference"], PAPER["nah"], strict=True)]
    bottom.plot(PAPER_EPOCHS, ahead, color=COLORS["nah"], linestyle="none", marker="x", markersize=4)
    bottom.set(xlabel="epoch, mean over 20", xticks=PAPER_EPOCHS)
    bottom.margins(x=0.15)


def _ahead(points: pd.DataFrame, reference: pd.DataFrame) -> pd.DataFrame:
    """By how much each seed is ahead of the reference's same seed, at their points in the same order."""
    both = [own.assign(place=own.groupby("seed").cumcount()) for own in (points, reference)]
    pairs = both[0].merge(both[1], on=["seed", "place"], suffixes=("", "_reference"))
    return pairs.assign(value=pairs["value"] - pairs["value_reference"])


def _look(name: str) -> dict[str, Any]:
    return {"color": COLORS[name], "linestyle": "--" if name in DASHED else "-"}


def _means(rows: pd.DataFrame, together: int) -> pd.DataFrame:
    """Accuracy in % with the epoch, each the mean of so many evaluations of one seed."""
    ordered = rows.sort_values(["seed", "step"])
    # Counted from the end, so that the last point is a whole one.
    place = ordered.groupby("seed").cumcount(ascending=False) // together
    found = ordered.groupby([ordered["seed"], place.rename("point")])[["epoch", "value"]].mean().reset_index()
    return found.assign(value=100 * found["value"])


def _test_accuracy(runs: pd.DataFrame, variants: list[str], full: bool) -> Figure:
    fig = figure(TEXT, 1.0 + 0.4 * len(variants))
    ax = fig.subplots()  # one axis for ours and theirs
    for row, name in enumerate(variants):
        _seeds(ax, row, runs[(runs["variant"] == name) & (runs["status"] == "done")], COLORS[name])
        if name in TABLE_1:
            look: dict[str, Any] = {"marker": "D", "markerfacecolor": "none", "color": COLORS[name], "elinewidth": 0.7}
            error = _binomial(TABLE_1[name], PAPER_ANSWERS)
            ax.errorbar([TABLE_1[name]], [row + (0.3 if full else 0.0)], xerr=[error], **look)
    ax.set_yticks(range(len(variants)), [NAMES[name] for name in variants])
    ax.set(xlabel="test accuracy, %", ylim=(len(variants) - 0.5, -0.5))
    ax.grid(visible=False, axis="y")
    explain(
        fig,
        "large dot: mean over the seeds and its 95 % interval; small dot: one seed, ◇: Table 1, one run, "
        "both ± binomial error (◇: ours, for 5,700 characters)",
        "" if full else "◇: other nets on other programs (6 digits, 3 deep)",
    )
    return fig


def _seeds(ax: Axes, row: int, runs: pd.DataFrame, color: str) -> None:
    """One variant: mean and interval, and below them every seed with its standard error."""
    values = [100 * v for v in runs["test_accuracy"].tolist() if math.isfinite(v)]
    if not values:
        return
    blocks.error_bars(ax, [row - 0.12], [estimate(values)], label="", color=color, across=True, within=(0.0, 100.0))
    errors = [_binomial(value, n) for value, n in zip(values, runs["schedule_test_answers"], strict=False)]
    places = row + 0.1 + 0.09 * np.arange(len(values)) / max(1, len(values) / 3)
    ax.errorbar(values, places, xerr=errors, fmt=".", markersize=3, color=color, alpha=0.6, elinewidth=0.7)


def _binomial(percent: float, n: float) -> float:
    """Standard error in % of a share of n characters."""
    return math.sqrt(percent * (100 - percent) / n)


def _curriculum(curves: pd.DataFrame, variants: list[str]) -> Figure:
    """What the rule that moves level and rate goes by, a line a seed, and where it moved."""
    rows = curves[(curves["step"] > 0) & (curves["metric"] == "accuracy") & curves["variant"].isin(variants)]
    rows = rows.assign(value=100 * rows["value"]).sort_values("step")
    train = rows[rows["split"] == "train"]
    before = train.groupby(["variant", "seed"])["value"].shift(PATIENCE)
    seen = {
        "validation accuracy, %": (rows[rows["split"] == "valid"], DONE),
        "rise of training accuracy, points": (train.assign(value=train["value"] - before).dropna(subset="value"), 0),
    }
    moved = _moved(curves)
    fig = figure(TEXT, 3.2)
    for ax, (title, (values, bound)) in zip(fig.subplots(1, len(seen), sharex=True), seen.items(), strict=True):
        for name in variants:
            own = values[values["variant"] == name]
            blocks.seeds(ax, own, "epoch", linewidth=0.8, alpha=0.7, **_look(name))
            there = own.merge(moved, on=["variant", "seed", "step"])
            ax.plot(there["epoch"], there["value"], "x", color=COLORS[name], markersize=4, label="_moved")
            ax.plot([], [], label=NAMES[name], **_look(name))
        scales.value_axis(ax.yaxis, [*values["value"], bound], (0.0, 100.0) if bound else ANY)
        ax.axhline(bound, color=INK, linewidth=1.0)
        scales.whole_ticks(ax.xaxis)
        ax.set(xlabel="epoch", title=title)
    legends.outside(fig, fig.axes, loc="outside upper left", ncols=3, fontsize="small")
    n = rows.groupby("variant")["seed"].nunique()
    explain(
        fig,
        f"a line a seed, n={n.min()} of each unit; rise: since {PATIENCE} evaluations before",
        "black: above the left bound or below the right one the rule moves the level, "
        "at the last one the learning rate",
        f"×: where it moved, {len(moved)} times" if len(moved) else "it moves neither in any seed",
    )
    return fig


def _moved(curves: pd.DataFrame) -> pd.DataFrame:
    """Evaluations after which a seed had another level or learning rate than before."""
    metrics = curves[curves["metric"].isin(["progress", "learning_rate"])].sort_values("step")
    change = metrics.groupby(["variant", "seed", "metric"])["value"].diff().fillna(0)
    return metrics.loc[change != 0, ["variant", "seed", "step"]].drop_duplicates()
