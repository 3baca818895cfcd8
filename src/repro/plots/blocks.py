"""Building blocks of figures: curves, layer profiles, heat maps, error bars. Each draws into given axes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.patches import Rectangle

from repro.plots import scales
from repro.plots.style import INK, QUIET
from repro.storage.metrics import ANY, Range
from repro.storage.statistics import Estimate, estimate

Spread = Literal["range", "interval"]


@dataclass(frozen=True)
class Band:
    """A line with its band, one entry a place: arrays of equal length, finite."""

    at: np.ndarray
    center: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray


def over_seeds(rows: pd.DataFrame, by: str, spread: Spread = "range") -> Band:
    """What the seeds have in common at each place; no interval reaches beyond the values that there can be.

    Args:
        rows: a column `value`, the column `by`, one row a seed and place; values that are not finite are left out.
        by: "step", "epoch", "depth" ...
        spread: "range" gives the median between least and greatest; "interval" the mean in its 95 % interval.
    """
    finite = rows[np.isfinite(rows["value"])]
    points: list[tuple[float, float, float, float, int]] = []
    for place, values in finite.groupby(by, sort=True)["value"]:
        points.append((float(str(place)), *_center(values.tolist(), spread), len(values)))
    columns = np.array(points, dtype=float).reshape(-1, 5).T
    low, high = columns[2:4].clip(*range_in(finite))
    return Band(columns[0], columns[1], low, high, columns[4].astype(int))


def range_in(rows: pd.DataFrame) -> Range:
    """Between which values those of some rows lie: by the name in their column `metric` or `quantity`, if it is one.

    Values outside were made into something else (per cent), of which nothing is known.
    """
    names = {str(name) for column in ("metric", "quantity") if column in rows for name in rows[column].unique()}
    low, high = scales.range_of(names.pop()) if len(names) == 1 else ANY
    return (low, high) if rows["value"].between(low, high).all() else ANY


def _center(values: list[float], spread: Spread) -> tuple[float, float, float]:
    if spread == "range":
        return float(np.median(values)), min(values), max(values)
    mean = estimate(values)
    return (mean.value, *(mean.interval or (mean.value, mean.value)))


def curve(
    ax: Axes, rows: pd.DataFrame, by: str, *, label: str, color: Any, spread: Spread = "range", **line: Any
) -> Band:
    """A quantity over training, with its band over the seeds; a single place becomes a point.

    Args:
        rows: as in `over_seeds`.
        line: matplotlib's settings of a line.
    """
    band = over_seeds(rows, by, spread)
    marker = "o" if len(band.at) == 1 else line.pop("marker", None)
    ax.plot(band.at, band.center, color=color, label=label, marker=marker, **line)
    if (band.high > band.low).any():
        ax.fill_between(band.at, band.low, band.high, color=color, alpha=0.18, linewidth=0)
    return band


def profile(ax: Axes, rows: pd.DataFrame, *, label: str, color: Any, upright: bool = False, **line: Any) -> Band:
    """A quantity against depth, with its range over the seeds.

    Args:
        rows: columns depth, value; one row a seed and layer.
        upright: depth on the vertical axis, as layers are stacked, instead of the horizontal one.
    """
    band = over_seeds(rows, "depth")
    style = {"marker": "o", **line}
    x, y = (band.center, band.at) if upright else (band.at, band.center)
    ax.plot(x, y, color=color, label=label, **style)
    if (band.high > band.low).any():
        fill: Callable[..., Any] = ax.fill_betweenx if upright else ax.fill_between
        fill(band.at, band.low, band.high, color=color, alpha=0.18, linewidth=0)
    return band


@dataclass(frozen=True)
class Cell:
    """One cell of a heat map.

    Attributes:
        value: what the colour shows; NaN leaves it hatched.
        text: in the middle.
        note: below it, smaller: an interval, an n, "2 of 3 diverged".
    """

    value: float
    text: str
    note: str = ""


def cell(values: Sequence[float], show: Callable[[float], str], *, seeds: int, diverged: int, usual: int) -> Cell:
    """The cell of one configuration: the mean over its seeds.

    Args:
        values: one a seed; those that are not finite are left out.
        show: the text for a mean.
        seeds: runs of this configuration, diverged ones included.
        diverged: how many of them diverged.
        usual: n of most cells, said elsewhere in the figure; another n is noted here.
    """
    finite = [value for value in values if math.isfinite(value)]
    note = f"{diverged} of {seeds} div." if diverged else f"n={len(finite)}" if len(finite) != usual else ""
    if not finite:
        return Cell(math.nan, "diverged" if diverged else "–", f"n={seeds}" if seeds != usual else "")
    value = estimate(finite).value
    return Cell(value, show(value), note)


def heat_map(
    ax: Axes,
    cells: Mapping[tuple[Any, Any], Cell],
    rows: Sequence[Any],
    columns: Sequence[Any],
    *,
    cmap: Colormap,
    norm: Normalize,
) -> None:
    """Coloured cells with their numbers inside; first row on top; missing cells stay white.

    Args:
        cells: by (row, column).
        norm: from value to colour; beyond its ends the colour is that of the end.
    """
    for (row, column), entry in cells.items():
        x, y = columns.index(column), rows.index(row)
        empty = math.isnan(entry.value)
        color = "#F0F0F0" if empty else cmap(float(np.clip(norm(entry.value), 0, 1)))
        ax.add_patch(
            Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=color, edgecolor="white", hatch="////" if empty else None)
        )
        ink = INK if empty or _luminance(color) > 0.45 else "white"
        behind = {"bbox": {"facecolor": "#F0F0F0", "edgecolor": "none", "pad": 1.0}} if empty else {}
        ax.text(
            x,
            y - (0.14 if entry.note else 0),
            entry.text,
            color=ink,
            ha="center",
            va="center",
            fontsize=6.5 if empty else 8,
            **behind,
        )
        ax.text(x, y + 0.24, entry.note, color=ink, ha="center", va="center", fontsize=5.5)
    ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    scales.name_ticks(ax.xaxis, range(len(columns)), [str(c) for c in columns])
    scales.name_ticks(ax.yaxis, range(len(rows)), [str(r) for r in rows])
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def _luminance(color: Any) -> float:
    red, green, blue = color[:3]
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def error_bars(
    ax: Axes,
    at: Sequence[float],
    estimates: Sequence[Estimate],
    *,
    label: str,
    color: Any,
    across: bool = False,
    within: Range = ANY,
    **style: Any,
) -> None:
    """Means with their intervals; a point without one where there is none (n = 1, or all values equal).

    Args:
        at: place of each.
        across: values on the horizontal axis, places on the vertical one.
        within: least and greatest value that there can be; no interval is drawn beyond, see `scales.range_of`.
    """
    means = np.array([f.value for f in estimates])
    ends = [np.clip(f.interval or (f.value, f.value), *within) for f in estimates]
    # Rounding may put an end on the wrong side of the mean by one unit in the last place.
    below = np.maximum(means - [e[0] for e in ends], 0)
    above = np.maximum([e[1] for e in ends] - means, 0)
    look = {"fmt": "o", "capsize": 2.5, "elinewidth": 1.2, "capthick": 1.2, **style}
    if across:
        ax.errorbar(means, at, xerr=(below, above), color=color, label=label, **look)
    else:
        ax.errorbar(at, means, yerr=(below, above), color=color, label=label, **look)


def mark_zeros(ax: Axes, at: Sequence[float], *, color: Any, upright: bool = False) -> None:
    """Arrows at the edge of a logarithmic axis, infinitely far beyond which zeros lie.

    Args:
        at: places on the other axis.
        upright: values on the horizontal axis.
    """
    edge = [0.0] * len(at)
    if not edge:
        return
    if upright:
        ax.plot(edge, at, "<", color=color, transform=ax.get_yaxis_transform(), clip_on=False, label="_zeros")
    else:
        ax.plot(at, edge, "v", color=color, transform=ax.get_xaxis_transform(), clip_on=False, label="_zeros")


def remark(ax: Axes, text: str, *, x: float = 0.5, y: float = 0.5) -> None:
    """A quiet sentence inside the axes, at fractions of their size; for what cannot be drawn."""
    ax.text(x, y, text, transform=ax.transAxes, ha="center", va="center", color=QUIET, fontsize="medium")
