"""Building blocks for sweeps: a number at the end of training against the values of a swept setting."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.diagnostics.ranges import range_of
from repro.plots import blocks, legends, scales
from repro.plots.compare import setting_colors
from repro.plots.style import TEXT, explain, figure, save, styled
from repro.storage.statistics import estimate
from repro.text.comparison import Setting

FEW = 9  # values that all get a tick
LOST = "×: so many seeds diverged, left out"
TICK, ROW = 3.5, 7.5  # points: the length of a tick, the height of a count below it


def against_number(
    lines: Mapping[str, Sequence[tuple[float, Setting]]], name: str, metrics: Sequence[str], path: Path
) -> list[Path]:
    """Draw final metrics against a number: points for seeds, means with intervals, counts where any diverged.

    Args:
        lines: for each line, by its label (empty where there is one only), the values of the number and their settings.
        name: of the number.
        metrics: "<split>_<metric>", a panel each.
        path: of the files, without suffix.

    Returns:
        The files.

    Raises:
        UserError: the files cannot be written.
    """
    with styled():
        return save(_against(lines, name, metrics), path)


def _against(lines: Mapping[str, Sequence[tuple[float, Setting]]], name: str, metrics: Sequence[str]) -> Figure:
    fig = figure(TEXT, 2.6 + (0.16 * len(lines) if len(lines) > 1 else 0))
    shades, meaning = setting_colors([points[0][1] for points in lines.values()])
    for ax, metric in zip(fig.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
        values: list[float] = []
        ends: list[float] = []
        for (label, points), color in zip(lines.items(), shades, strict=True):
            own = _line(ax, points, metric, label=label, color=color)
            values, ends = values + own[0], ends + own[1]
        within = range_of(metric)
        logarithmic = scales.is_logarithmic(values, within)
        shown_ends = [end for end in ends if end > 0 or not logarithmic]
        scales.value_axis(ax.yaxis, values + shown_ends, within, whole=False)
        _number_axis(ax, sorted({value for points in lines.values() for value, _ in points}))
        ax.set_title(metric.replace("_", " "))
        ax.set_xlabel(name)
    if len(lines) > 1:
        legends.outside(fig, fig.axes, loc="outside lower left", title=meaning, alignment="left")
    shown = [one for points in lines.values() for _, one in points]
    counts = sorted({len(one.values(metrics[0])) for one in shown} - {0}) or [0]
    seeds = " to ".join(map(str, dict.fromkeys([counts[0], counts[-1]])))
    says = f"mean of n={seeds} seeds and its 95 % interval" if counts[-1] > 1 else f"n={seeds}"
    explain(fig, says, LOST if any(one.diverged for one in shown) else "")
    return fig


def _line(
    ax: Axes, points: Sequence[tuple[float, Setting]], metric: str, *, label: str, color: Any
) -> tuple[list[float], list[float]]:
    """Draw one line; returns the values of all seeds, and the ends of the intervals."""
    where, estimates, all_values = [], [], []
    for place, one in sorted(points, key=lambda point: point[0]):
        values = [value for seed, value in one.values(metric).items() if seed not in one.diverged]
        if values:
            where.append(place)
            estimates.append(estimate(values))
        seed_dots(ax, place, values, color)
        if one.diverged:
            mark_diverged(ax, place, len(one.diverged), color)
        all_values += values
    within = range_of(metric)
    blocks.error_bars(ax, where, estimates, label=label, color=color, within=within, fmt="o-", markersize=4)
    ends = [float(end) for one in estimates for end in np.clip(one.interval or (one.value, one.value), *within)]
    return all_values, ends


def _number_axis(ax: Axes, values: Sequence[float]) -> None:
    """A horizontal axis for some values: logarithmic where they span a decade."""
    if values[0] > 0 and values[-1] >= 10 * values[0]:
        scales.log_axis(ax.xaxis, values)
    if len(values) <= FEW:
        ax.set_xticks(values, [f"{value:g}" for value in values])


def places(runs: pd.DataFrame, setting: str) -> list[float]:
    """The values of a swept setting, in order."""
    return sorted(float(value) for value in runs[setting].dropna().unique())


def sweep(
    ax: Axes,
    runs: pd.DataFrame,
    setting: str,
    metric: str,
    at: Sequence[float],
    *,
    label: str,
    color: Any,
    **style: Any,
) -> None:
    """Mean and interval of a column of the runs table at each value of a setting, evenly spaced so that 0 has a place.

    Small dots are the seeds. Below the axis stands how many diverged; they are left out of the mean.

    Args:
        runs: of one variant.
        at: the values on the axis.
        style: as in `blocks.error_bars`.
    """
    estimates, where = [], []
    for place, value in enumerate(at):
        own = runs[runs[setting] == value]
        lost = own["status"] == "diverged"  # what was measured in them on the way says nothing of the end
        values = [float(v) for v in own.loc[~lost, metric] if np.isfinite(v)]
        if values:
            where.append(place)
            estimates.append(estimate(values))
            seed_dots(ax, place, values, color)
        if lost.any():
            mark_diverged(ax, place, int(lost.sum()), color)
    if len(runs):
        look = {"fmt": "o-", "markersize": 4, **style}
        blocks.error_bars(ax, where, estimates, label=label, color=color, within=range_of(metric), **look)
    scales.name_ticks(ax.xaxis, range(len(at)), [f"{value:g}" for value in at])
    ax.set_xlim(-0.4, len(at) - 0.6)


def seed_dots(ax: Axes, place: float, values: Sequence[float], color: Any) -> None:
    """A small dot a seed behind their mean, where there are several."""
    if len(values) > 1:
        ax.plot([place] * len(values), values, ".", color=color, alpha=0.4, markersize=3)


def mark_diverged(ax: Axes, place: float, count: int, color: Any) -> None:
    """How many seeds diverged, between the axis and its numbers, where no value can be; see `LOST`.

    Those of several lines stand one below the other.
    """
    row = sum(text.get_gid() == f"diverged {place:g}" for text in ax.texts)
    ax.annotate(
        f"×{count}",
        (place, 0.0),
        xycoords=ax.get_xaxis_transform(),
        xytext=(0, -(TICK + ROW * row)),
        textcoords="offset points",
        ha="center",
        va="top",
        color=color,
        fontsize=6.5,
        fontweight="bold",
        gid=f"diverged {place:g}",
        annotation_clip=False,
    )
    known = ax.xaxis.get_tick_params().get("pad", 0.0)
    ax.tick_params(axis="x", pad=max(known, ROW * (row + 1)))


def add_quantity(
    runs: pd.DataFrame, layers: pd.DataFrame, quantity: str, over_layers: Callable[["pd.Series[float]"], float]
) -> pd.DataFrame:
    """The runs table with a column of that name: the quantity after the last step, put together over the layers."""
    rows = layers[layers["quantity"] == quantity]
    last = rows[rows["step"] == rows.groupby(["run", "seed"])["step"].transform("max")]
    values = last.groupby(["run", "seed"])["value"].agg(over_layers).rename(quantity).reset_index()
    return runs.merge(values, on=["run", "seed"], how="left")


def whole_norm(norms: "pd.Series[float]") -> float:
    """The norm of all weights from those of the layers."""
    return float(np.sqrt((norms**2).sum()))


def footnote(fig: Figure, runs: pd.DataFrame, *more: str) -> None:
    """Number of seeds and meaning of the bars, at the lower right."""
    counts = sorted(runs.groupby("variant")["seed"].nunique().unique())
    explain(fig, f"mean of n={' to '.join(map(str, counts))} seeds and its 95 % interval; small dots: seeds", *more)
