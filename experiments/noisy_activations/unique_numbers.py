"""Figures of the counting task: learning curves with their schedules, and Table 5. Reads tables, trains nothing."""

import math
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from repro.plots import blocks, scales
from repro.plots.experiment import Tables
from repro.plots.style import INK, QUIET, TEXT, activation_look, explain, figure
from repro.storage.statistics import Estimate, estimate


@dataclass(frozen=True)
class Row:
    """A row of Table 5, or one of ours: test error in % where it was published, dashes for how it was trained."""

    label: str
    unit: str
    noise: str = "nan"
    linestyle: str = "-"
    published: float | None = None

    @property
    def color(self) -> str:
        """That of the activation in every figure."""
        return activation_look(self.unit, self.noise).color


ROWS = {
    "reference": Row("LSTM (reference)", "tanh", published=33.28),
    "nan": Row("NAN, c = 0.5", "noisy_tanh", published=31.12),
    "nanil_annealed": Row("NANIL annealed", "noisy_tanh", "nanil", "--", published=20.94),
    "curriculum": Row("LSTM, curriculum", "tanh", linestyle=":", published=14.83),
    "nan_annealed": Row("NAN annealed", "noisy_tanh", linestyle="--", published=9.53),
    "nan_annealed_curriculum": Row("NAN annealed, curriculum", "noisy_tanh", linestyle=":"),
    "hard": Row("hard LSTM, no noise", "hard_tanh"),
}
COLUMNS = 4
TITLE = 20  # letters of a line of a panel's title
HALF = "_half"
CHANCE = 55.79  # % error of always saying 10, exact for 11 values and length 26
PER_CENT = (0.0, 100.0)
TABLE_END = 62  # %, a little beyond chance
TICKS = (1, 2, 5, 10, 20, 50, 100)


def figures(tables: Tables) -> dict[str, Figure]:
    """Validation error over training above c and length, and Table 5 beside ours; what was not run is left out."""
    runs = tables.runs
    drawn = {}
    if "test_accuracy" in runs.columns:
        drawn["table5"] = _table5(runs)
    if len(tables.curves):
        drawn["learning_curves"] = _learning_curves(tables)
    return drawn


# --- learning curves --------------------------------------------------------------------------------


def _learning_curves(tables: Tables) -> Figure:
    """A panel a variant, its seeds in it one by one, and the reference's mean in all."""
    curves = tables.curves
    errors = curves[(curves["split"] == "valid") & (curves["metric"] == "accuracy") & (curves["step"] > 0)]
    errors = errors.assign(value=100 * (1 - errors["value"]))
    rows = _rows(errors["variant"])
    lines = -(-len(rows) // COLUMNS)
    fig = figure(TEXT, 1.7 + 1.35 * lines)
    grid = fig.add_gridspec(lines + 1, 2 * COLUMNS)
    means = errors[errors["variant"] == "reference"].groupby("step")["value"].mean()
    for place, (name, row) in enumerate(rows.items()):
        line, column = divmod(place, COLUMNS)
        ax = fig.add_subplot(grid[line, 2 * column : 2 * column + 2])
        own = errors[errors["variant"] == name]
        ax.plot(means.index.to_numpy(), means.to_numpy(), color=QUIET, linewidth=blocks.THIN, zorder=1)
        blocks.seeds(ax, own, "step", color=row.color, linewidth=0.6, alpha=0.6)
        mean = own.groupby("step")["value"].mean()
        ax.plot(mean.index.to_numpy(), mean.to_numpy(), color=row.color, linestyle=row.linestyle)
        _error_axis(ax, errors["value"])
        ax.axhline(CHANCE, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
        ax.set_title(textwrap.fill(row.label, TITLE), fontsize=7.5)
        ax.tick_params(labelleft=column == 0, labelbottom=place + COLUMNS >= len(rows))
        scales.plain_ticks(ax.xaxis, most=3)
    fig.axes[0].set_ylabel("validation error, %")
    left, right = fig.add_subplot(grid[lines, :COLUMNS]), fig.add_subplot(grid[lines, COLUMNS:])
    _schedule(left, curves, "c", "nan_annealed", "scale c of the annealed noise")
    scales.log_axis(left.yaxis, [0.4, 40])
    _schedule(right, curves, "length", "curriculum", "length trained on with a curriculum")
    for ax in (left, right):
        ax.set_xlabel("updates")
    explain(
        fig,
        f"thin: n={_seeds(tables.runs)} seeds, thick: their mean",
        "grey: the reference's mean; dashed grey: always saying 10",
        "one range for all panels",
    )
    return fig


def _rows(variants: Iterable[str]) -> dict[str, Row]:
    """How each variant looks, those with half the updates apart: Table 5 in its order, with further forms behind.

    A form is called `<row>_<what differs>`, reference_torch_default for example; it has the row's colour.
    """
    there = [name for name in dict.fromkeys(variants) if not name.endswith(HALF)]
    of = {n: max((own for own in ROWS if f"{n}_".startswith(f"{own}_")), key=len, default="") for n in there}
    order = [*ROWS, ""]
    return {name: _row(name, of[name]) for name in sorted(there, key=lambda n: (order.index(of[n]), n != of[n]))}


def _row(name: str, of: str) -> Row:
    form = name.removeprefix(of).strip("_").replace("_", " ")
    if not of:
        return Row(form, name)
    return replace(ROWS[of], label=f"{ROWS[of].label}, {form}", published=None) if form else ROWS[of]


def _error_axis(ax: Axes, values: "pd.Series[float]") -> None:
    """A logarithmic axis of errors with the same plain ticks in every panel."""
    least = min([v for v in values if v > 0], default=1.0)
    ax.set(yscale="log", ylim=(0.8 * least, 105))
    ax.yaxis.set_major_locator(FixedLocator([t for t in TICKS if t >= 0.8 * least]))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _schedule(ax: Axes, curves: pd.DataFrame, metric: str, variant: str, title: str) -> None:
    own = curves[(curves["split"] == "schedule") & (curves["metric"] == metric) & (curves["variant"] == variant)]
    line = own.groupby("step")["value"].first()
    ax.plot(line.index.to_numpy(), line.to_numpy(), color=ROWS[variant].color, marker=".", markersize=3)
    ax.set_title(title)
    if line.empty:
        blocks.remark(ax, "not run")


# --- table 5 ----------------------------------------------------------------------------------------


def _table5(runs: pd.DataFrame) -> Figure:
    rows = _rows(runs["variant"])
    names = list(rows)
    fig = figure(TEXT, 0.9 + 0.36 * len(names))
    ax = fig.subplots()
    budgets = _budgets(runs)
    for place, name in enumerate(names):
        row = rows[name]
        for shift, suffix, fill in ((-0.16, "", row.color), (0.16, HALF, "white")):
            errors = _errors(runs, name + suffix)
            if errors:
                ax.plot(errors, [place + shift] * len(errors), ".", color=row.color, alpha=0.4, markersize=4)
                found: Estimate = estimate(errors)
                blocks.error_bars(
                    ax,
                    [place + shift],
                    [found],
                    label="",
                    color=row.color,
                    across=True,
                    within=PER_CENT,
                    markerfacecolor=fill,
                )
        if row.published is not None:
            ax.plot([row.published], [place], "D", color=INK, markersize=5, markerfacecolor="none", zorder=4)
    ax.axvline(CHANCE, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
    ax.set_yticks(range(len(names)), [rows[name].label for name in names])
    for label, name in zip(ax.get_yticklabels(), names, strict=True):
        label.set_color(rows[name].color)
    ax.set(xlabel="test error, %", ylim=(len(names) - 0.5, -0.5), xlim=(0, TABLE_END))
    ax.grid(visible=False, axis="y")
    explain(
        fig,
        f"◇ published, one run   ● ours, {budgets[0]:,} updates   ○ half as many   dots: seeds   "
        f"mean of n={_seeds(runs)}, 95 % interval, cut at 0   dashed: always saying 10",
    )
    return fig


def _errors(runs: pd.DataFrame, variant: str) -> list[float]:
    """Test errors in %, one a seed."""
    values = runs.loc[runs["variant"] == variant, "test_accuracy"]
    return [100 * (1 - v) for v in values.tolist() if math.isfinite(v)]


def _budgets(runs: pd.DataFrame) -> list[int]:
    """Updates of the runs, the longest first."""
    return sorted(map(int, np.unique(runs["steps"])), reverse=True)


def _seeds(runs: pd.DataFrame) -> int:
    """Seeds of most variants."""
    return int(runs.groupby("variant").size().mode().max())
