"""Figures of associative recall: Figure 9 beside the published one, every arm's speed. Reads tables, trains nothing."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import QUIET, TEXT, activation_look, figure
from repro.storage.metrics import POSITIVE
from repro.storage.statistics import estimate


@dataclass(frozen=True)
class Arm:
    """A variant and its look: the activation's colour, dashes for what else differs."""

    label: str
    unit: str
    linestyle: str = "-"

    @property
    def color(self) -> str:
        """That of the activation in every figure."""
        return activation_look(self.unit).color


ARMS = {
    "regular": Arm("tanh (regular)", "tanh"),
    "hard": Arm("hard tanh, no noise", "hard_tanh"),
    "noisy_fixed": Arm("NAN, c = 0.5", "noisy_tanh"),
    "noisy_annealed": Arm("NAN annealed", "noisy_tanh", "--"),
    "leak": Arm("leak, α = 1.15, no noise", "hard_tanh", "--"),
    "leaky_annealed": Arm("NAN annealed, α = 1.15", "noisy_tanh", ":"),
}
SHOWN = ("regular", "noisy_fixed", "noisy_annealed")
BOUND = 0.7  # half of chance for items of two vectors

# Measured in the vector drawing of Figure 9: thousands of updates and cost.
PUBLISHED = {
    "regular": ((0, 2.08), (20, 2.00), (40, 1.96), (60, 1.98), (80, 1.73), (99, 1.63)),
    "noisy_annealed": ((0, 2.08), (7, 2.08), (8, 0.34), (9, 0.003), (17, 0), (18, 0.02), (19, 1.85), (20, 0), (99, 0)),
}
PUBLISHED_CHANCE = 3 * math.log(2)
PUBLISHED_END = 100_000
PUBLISHED_INTERVAL = 200


def figures(tables: Tables) -> dict[str, Figure]:
    """Figure 9 with c below it, and updates and final cost of every arm; what was not run is left out."""
    if tables.curves.empty:
        return {}
    valid = tables.curves[(tables.curves["split"] == "valid") & (tables.curves["metric"] == "loss")]
    return {"figure9": _figure9(tables, valid), "speed": _speed(valid)}


# --- figure 9 ---------------------------------------------------------------------------------------


def _figure9(tables: Tables, valid: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 3.9)
    axes = fig.subplots(2, 2, sharex="col", height_ratios=[2.6, 1], squeeze=False)
    _ours(axes[0][0], valid)
    _published(axes[0][1])
    annealed = tables.curves[(tables.curves["metric"] == "c") & (tables.curves["variant"] == "noisy_annealed")]
    ours = annealed.groupby("step")["value"].first()
    updates = np.arange(0, PUBLISHED_END, PUBLISHED_INTERVAL)
    theirs = np.maximum(0.5, 30 / np.sqrt(updates / PUBLISHED_INTERVAL + 1))
    for ax, x, c, unit in (
        (axes[1][0], ours.index.to_numpy(), ours.to_numpy(), "updates"),
        (axes[1][1], updates / 1000, theirs, "thousands of updates"),
    ):
        ax.plot(x, c, color=ARMS["noisy_annealed"].color, marker="." if ax is axes[1][0] else None, markersize=3)
        scales.log_axis(ax.yaxis, [0.4, 40])
        ax.set(xlabel=unit, ylabel="c")
    note = (
        "thin: seeds   thick: their mean   grey: chance, item length × ln 2   bottom: c of the annealed "
        "noise   right: points measured in the drawing"
    )
    fig.supxlabel(note, x=0.99, ha="right", fontsize=6.5, color=QUIET)
    return fig


def _ours(ax: Axes, valid: pd.DataFrame) -> None:
    for name in SHOWN:
        rows, arm = valid[valid["variant"] == name], ARMS[name]
        if rows.empty:
            continue
        for _, own in rows.groupby("seed"):
            ax.plot(own["step"], own["value"], color=arm.color, linestyle=arm.linestyle, linewidth=0.5, alpha=0.45)
        mean = rows.groupby("step")["value"].mean()
        label = f"{arm.label}, n={rows['seed'].nunique()}"
        look: dict[str, Any] = {"color": arm.color, "linestyle": arm.linestyle, "linewidth": 1.8}
        ax.plot(mean.index.to_numpy(), mean.to_numpy(), label=label, **look)
    chance = _chance(valid)
    ax.axhline(chance, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
    ax.set(title="ours", ylabel="validation cost, nats", ylim=(-0.03 * chance, 1.2 * chance))
    if ax.get_legend_handles_labels()[0]:
        legends.inside(ax, loc="upper right", bbox_to_anchor=(1.0, 0.84))  # below the line of chance


def _published(ax: Axes) -> None:
    for name, points in PUBLISHED.items():
        (thousands, cost), arm = zip(*points, strict=True), ARMS[name]
        look: dict[str, Any] = {"color": arm.color, "linestyle": arm.linestyle, "marker": ".", "markersize": 4}
        ax.plot(thousands, cost, linewidth=1.2, label=arm.label, **look)
    ax.axhline(PUBLISHED_CHANCE, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
    ax.set(title="published, one run each", ylim=(-0.03 * PUBLISHED_CHANCE, 1.2 * PUBLISHED_CHANCE))
    legends.inside(ax, loc="center right")


def _chance(valid: pd.DataFrame) -> float:
    """Item length times ln 2; the length follows from the cost before training, which is that to 1 %."""
    first = valid.loc[valid["step"] == valid["step"].min(), "value"].mean()
    return max(1, round(first / math.log(2))) * math.log(2)


# --- speed ------------------------------------------------------------------------------------------


def _speed(valid: pd.DataFrame) -> Figure:
    names = [name for name in ARMS if (valid["variant"] == name).any()]
    fig = figure(TEXT, 0.9 + 0.34 * len(names))
    left, right = fig.subplots(1, 2, sharey=True)
    n = 0
    for place, name in enumerate(names):
        found = [_reached(own) for _, own in valid[valid["variant"] == name].groupby("seed")]
        n = max(n, len(found))
        _dots(left, place, ARMS[name], [step for step, _, _ in found], [late for _, _, late in found])
        _dots(right, place, ARMS[name], [cost for _, cost, _ in found], [False] * len(found))
    left.set_yticks(range(len(names)), [ARMS[name].label for name in names])
    for label, name in zip(left.get_yticklabels(), names, strict=True):
        label.set_color(ARMS[name].color)
    left.set(xlabel=f"updates until the cost is below {BOUND:g}", ylim=(len(names) - 0.5, -0.5))
    left.set_xlim(left=0)
    right.set(xlabel="cost at the end, nats")
    right.set_xlim(left=-0.02 * right.get_xlim()[1])  # a cost of 0 is a whole dot
    for ax in (left, right):
        ax.grid(visible=False, axis="y")
    fig.supxlabel(
        f"small dots: single seeds (crosses: never, counted as the last update)   mean of n={n} and its 95 % interval",
        x=0.99,
        ha="right",
        fontsize=6.5,
        color=QUIET,
    )
    return fig


def _reached(rows: pd.DataFrame) -> tuple[float, float, bool]:
    """First update with a cost below the bound, or the last of all; the cost at the end; whether it never was below."""
    rows = rows.sort_values("step")
    below = rows.loc[rows["value"] < BOUND, "step"]
    last = rows.iloc[-1]
    return float(below.iloc[0] if len(below) else last["step"]), float(last["value"]), below.empty


def _dots(ax: Axes, place: int, arm: Arm, values: list[float], never: list[bool]) -> None:
    """The seeds above, their mean below; those that never got there one above the other."""
    for marker, wanted, apart in ((".", False, 0.0), ("x", True, 0.12)):
        chosen = [v for v, late in zip(values, never, strict=True) if late == wanted and math.isfinite(v)]
        heights = place - 0.16 - apart * np.arange(len(chosen))
        ax.plot(chosen, heights, marker, color=arm.color, alpha=0.6, markersize=4)
    finite = [v for v in values if math.isfinite(v)]
    if finite:
        mean = [estimate(finite)]
        blocks.error_bars(ax, [place + 0.14], mean, label="", color=arm.color, across=True, within=POSITIVE)
