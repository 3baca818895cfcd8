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
from repro.plots.style import INK, QUIET, TEXT, activation_look, explain, figure
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
COLUMNS = 3  # of our arms
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
    """Figure 9 with c beside it, and updates and final cost of every arm; what was not run is left out."""
    if tables.curves.empty:
        return {}
    valid = tables.curves[(tables.curves["split"] == "valid") & (tables.curves["metric"] == "loss")]
    return {"figure9": _figure9(tables, valid), "speed": _speed(valid)}


# --- figure 9 ---------------------------------------------------------------------------------------


def _figure9(tables: Tables, valid: pd.DataFrame) -> Figure:
    """Every arm's seeds, one by one: some find the solution and others do not, of which a mean says nothing."""
    names = [name for name in ARMS if (valid["variant"] == name).any()]
    rows = -(-len(names) // COLUMNS)
    fig = figure(TEXT, 0.7 + 1.65 * max(2, rows))
    grid = fig.add_gridspec(max(2, rows), COLUMNS + 1)
    panels = [fig.add_subplot(grid[place // COLUMNS, place % COLUMNS]) for place in range(len(names))]
    for place, (ax, name) in enumerate(zip(panels, names, strict=True)):
        _ours(ax, valid[valid["variant"] == name], ARMS[name], _chance(valid))
        ax.tick_params(labelbottom=place + COLUMNS >= len(names), labelleft=place % COLUMNS == 0)
        ax.set_xlabel("updates" if place + COLUMNS >= len(names) else "")
        ax.set_ylabel("validation cost, nats" if place % COLUMNS == 0 else "")
    theirs, schedule = (fig.add_subplot(grid[row, COLUMNS]) for row in (0, 1))
    _published(theirs)
    cost = [*valid["value"], *(cost for points in PUBLISHED.values() for _, cost in points)]
    scales.one_range([*panels, theirs], [0.0, *cost], POSITIVE)
    _scale(schedule, tables.curves)
    explain(
        fig,
        f"a line a seed, {_seeds(valid)} of each",
        "one range of cost for all panels",
        "grey: chance, item length × ln 2",
        "published: points measured in the drawing, ▾: a cost of 0",
    )
    return fig


def _ours(ax: Axes, rows: pd.DataFrame, arm: Arm, chance: float) -> None:
    blocks.seeds(ax, rows, "step", color=arm.color, linestyle=arm.linestyle, linewidth=0.8, alpha=0.8)
    ax.axhline(chance, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
    ax.set_title(arm.label.replace(", ", ",\n", 1), fontsize=7.5)
    scales.plain_ticks(ax.xaxis, most=3)


def _published(ax: Axes) -> None:
    for name, points in PUBLISHED.items():
        (thousands, cost), arm = zip(*points, strict=True), ARMS[name]
        look: dict[str, Any] = {"color": arm.color, "linestyle": arm.linestyle, "marker": ".", "markersize": 4}
        ax.plot(thousands, cost, linewidth=blocks.THIN, label=arm.label, **look)
        blocks.mark_zeros(ax, [at for at, value in points if value == 0], color=arm.color)
    ax.axhline(PUBLISHED_CHANCE, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
    ax.set_title("published,\none run each", fontsize=7.5)
    ax.set_xlabel("thousands of updates")
    legends.inside(ax, loc="center right", fontsize=6)


def _scale(ax: Axes, curves: pd.DataFrame) -> None:
    """The scale of the annealed noise, ours and as published, on one axis."""
    annealed = curves[(curves["metric"] == "c") & (curves["variant"] == "noisy_annealed")]
    ours = annealed[annealed["step"] > 0].groupby("step")["value"].first()
    updates = np.arange(PUBLISHED_INTERVAL, PUBLISHED_END, PUBLISHED_INTERVAL)
    theirs = np.maximum(0.5, 30 / np.sqrt(updates / PUBLISHED_INTERVAL + 1))
    color = ARMS["noisy_annealed"].color
    ax.plot(ours.index.to_numpy() / 1000, ours.to_numpy(), color=color, label="ours")
    ax.plot(updates / 1000, theirs, color=INK, linewidth=blocks.THIN, label="published")
    scales.log_axis(ax.xaxis, [0.05, PUBLISHED_END / 1000])
    scales.log_axis(ax.yaxis, [0.4, 40])
    ax.set_title("c of the\nannealed noise", fontsize=7.5)
    ax.set_xlabel("thousands of updates")
    legends.inside(ax, loc="upper right", fontsize=6)


def _seeds(valid: pd.DataFrame) -> str:
    counts = sorted(set(valid.groupby("variant")["seed"].nunique()))
    return " to ".join(map(str, dict.fromkeys([counts[0], counts[-1]])))


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
    explain(
        fig,
        "small dots: single seeds (crosses: never, counted as the last update)",
        f"large: mean of n={n} and its 95 % interval",
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
