"""Building blocks of figures: curves, layer profiles, error bars. Each draws into given axes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from repro.diagnostics.ranges import range_of
from repro.plots.style import QUIET
from repro.storage.metrics import ANY, Range
from repro.storage.statistics import Estimate, estimate

Spread = Literal["range", "mean", "interval"]
FEW = 6  # fewer seeds than this have a line each; so many and more have a band
THIN = 0.9  # width of a line that is one run
SEED = {"linewidth": 0.5, "alpha": 0.45}  # of a seed's own line below that of all


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
        spread: "range" gives the median between least and greatest, "mean" the mean between them, "interval" the
            mean in its 95 % interval.
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
    low, high = range_of(names.pop()) if len(names) == 1 else ANY
    return (low, high) if rows["value"].between(low, high).all() else ANY


def _center(values: list[float], spread: Spread) -> tuple[float, float, float]:
    if spread != "interval":
        center = np.median(values) if spread == "range" else np.mean(values)
        return float(center), min(values), max(values)
    mean = estimate(values)
    return (mean.value, *(mean.interval or (mean.value, mean.value)))


def curve(
    ax: Axes,
    rows: pd.DataFrame,
    by: str,
    *,
    label: str,
    color: Any,
    spread: Spread = "range",
    several: bool = True,
    **line: Any,
) -> Band:
    """A quantity over training: what its seeds have in common, and how far they are apart.

    Six seeds or more have a band. Fewer have a thin line each: a band would hide that it is of a few. A
    single place becomes a point.

    Args:
        rows: as in `over_seeds`; without a column `seed` there is a band however few they are.
        several: the figure is of several seeds, so that a line of one only is thin, and its label says so.
        line: matplotlib's settings of a line.
    """
    if several:
        label, line = _marked(rows, label, line)
    band = over_seeds(rows, by, spread)
    if len(band.at) == 1:
        line["marker"] = "o"
    ax.plot(band.at, band.center, color=color, label=label, **line)
    _spread(ax, rows, by, band, color, line.get("linestyle", "-"))
    return band


def profile(
    ax: Axes,
    rows: pd.DataFrame,
    *,
    label: str,
    color: Any,
    upright: bool = False,
    spread: Spread = "range",
    several: bool = True,
    **line: Any,
) -> Band:
    """A quantity against depth, as in `curve`.

    Args:
        rows: columns depth, value; one row a seed and layer.
        upright: depth on the vertical axis, as layers are stacked, instead of the horizontal one.
        several: as in `curve`.
    """
    if several:
        label, line = _marked(rows, label, line)
    band = over_seeds(rows, "depth", spread)
    style = {"marker": "o", **line}
    x, y = (band.center, band.at) if upright else (band.at, band.center)
    ax.plot(x, y, color=color, label=label, **style)
    _spread(ax, rows, "depth", band, color, line.get("linestyle", "-"), upright)
    return band


def _marked(rows: pd.DataFrame, label: str, line: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Label and settings of a line; those of one run say so."""
    if "seed" not in rows or rows["seed"].nunique() != 1:
        return label, line
    named = bool(label) and not label.startswith("_")
    return f"{label} (one run)" if named else label, {"linewidth": THIN, **line}


def _spread(
    ax: Axes, rows: pd.DataFrame, by: str, band: Band, color: Any, linestyle: Any, upright: bool = False
) -> None:
    """The seeds behind a line: one by one where they are few, else a band."""
    if not (band.high > band.low).any():
        return
    if "seed" not in rows or rows["seed"].nunique() >= FEW:
        fill: Callable[..., Any] = ax.fill_betweenx if upright else ax.fill_between
        fill(band.at, band.low, band.high, color=color, alpha=0.18, linewidth=0)
    else:
        seeds(ax, rows, by, color=color, linestyle=linestyle, upright=upright)


def in_words(rows: pd.DataFrame, each: Sequence[str] = ("variant",), center: str = "mean") -> str:
    """What lines drawn by `curve` or `profile` are of: how many seeds, and how these are shown.

    Args:
        rows: of all lines, with a column `seed`.
        each: the columns whose values tell the lines apart.
        center: what a thick line is, "mean" or "median".
    """
    counts = set(rows.groupby(list(each), observed=True)["seed"].nunique())
    ways = [
        ("bands: their range", any(n >= FEW for n in counts)),
        ("thin lines: each of them", any(1 < n < FEW for n in counts)),
    ]
    return "; ".join([f"{center} of n={how_many(rows, each)} seeds", *(words for words, there in ways if there)])


def how_many(rows: pd.DataFrame, each: Sequence[str] = ("variant",)) -> str:
    """From how many seeds to how many there are of each: "5", or "3 to 10".

    Args:
        rows: of all that is drawn, with a column `seed`.
        each: as in `in_words`.
    """
    counts = rows.groupby(list(each), observed=True)["seed"].nunique().tolist() or [0]
    return " to ".join(map(str, dict.fromkeys([min(counts), max(counts)])))


def seeds(ax: Axes, rows: pd.DataFrame, by: str, *, color: Any, upright: bool = False, **line: Any) -> None:
    """A thin line a seed; for seeds that do different things, of which neither a mean nor a band says anything.

    Args:
        rows: columns seed, value and `by`; values that are not finite leave a gap.
        line: matplotlib's settings of a line, in place of those of a seed's.
    """
    for _, own in rows.groupby("seed"):
        values = own.groupby(by)["value"].mean()
        pair = (values.index.to_numpy(float), values.to_numpy(float))
        ax.plot(*(pair[::-1] if upright else pair), color=color, label="_seed", **{**SEED, **line})


def say_clipped(ax: Axes) -> int:
    """Write into the axes how many of the lines drawn in data coordinates leave them; returns how many.

    To be called once the limits stand.
    """
    low, high = sorted(ax.get_ylim())
    drawn = [np.asarray(line.get_ydata(), dtype=float) for line in ax.lines if line.get_transform() == ax.transData]
    beyond = sum(bool(((values < low) | (values > high)).any()) for values in drawn)
    if beyond:
        text = f"{beyond} of {len(drawn)} lines leave the panel"
        look: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.0}
        ax.text(0.98, 0.03, text, transform=ax.transAxes, ha="right", va="bottom", color=QUIET, fontsize=6, bbox=look)
    return beyond


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
        within: least and greatest value that there can be; no interval is drawn beyond, see `range_of`.
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


def remark(ax: Axes, text: str) -> None:
    """A quiet sentence in the middle of the axes; for what cannot be drawn."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=QUIET, fontsize="medium")
