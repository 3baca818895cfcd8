"""Axes: which are logarithmic, how far they reach, and ticks that leave each other room. One rule for all figures."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, ScalarFormatter

from repro.storage.metrics import ANY, Range

# Wider than this, small values can no longer be told apart on a linear axis.
LOG_FROM_DECADES = 1.5
# Further than this from 1, a linear axis needs a power of ten written above it.
UNREADABLE = 1e4
LONGEST = 28  # letters of a name at a tick
PAD = 0.02  # of an axis, beyond the ends of what can be
POINTS = 72.0  # in an inch


def spans_decades(values: Iterable[float]) -> bool:
    """Whether the positive ones among the values span so much that only a logarithmic axis shows them all."""
    positive = [v for v in map(float, values) if 0 < v < math.inf]
    return bool(positive) and math.log10(max(positive)) - math.log10(min(positive)) > LOG_FROM_DECADES


def is_logarithmic(values: Iterable[float], within: Range = ANY) -> bool:
    """The rule: logarithmic where values span decades, or are too large to write, and none is below 0.

    What has two ends (a share, an accuracy, a cosine) is linear between them. Zeros do not hinder: `mark_zeros` in
    `blocks` draws them at the edge.
    """
    finite = [v for v in map(float, values) if math.isfinite(v)]
    if not finite or min(finite) < 0 or all(map(math.isfinite, within)):
        return False
    return spans_decades(finite) or max(finite) > UNREADABLE


def value_axis(axis: Axis, values: Iterable[float], within: Range = ANY, *, whole: bool = True) -> None:
    """An axis for some values: logarithmic or linear by the rule, and not beyond what there can be.

    Args:
        axis: horizontal or vertical.
        values: all that is drawn, ends of bands included; what is not finite does not count.
        within: least and greatest value that there can be.
        whole: show all between the two ends of what has two.
    """
    finite = [v for v in map(float, values) if math.isfinite(v)]
    if is_logarithmic(finite, within):
        log_axis(axis, finite)
        return
    low, high = axis.get_view_interval()
    if finite:
        pad = 0.05 * (max(finite) - min(finite)) or 0.05 * abs(max(finite)) or 0.5
        low, high = min(finite) - pad, max(finite) + pad
    if whole and all(map(math.isfinite, within)):
        low, high = -math.inf, math.inf
    pad = PAD * (min(high, within[1]) - max(low, within[0]))
    set_limits(axis, max(low, within[0] - pad), min(high, within[1] + pad))
    plain_ticks(axis)


def one_range(
    axes: Iterable[Axes], values: Iterable[float], within: Range = ANY, *, upright: bool = True, whole: bool = True
) -> None:
    """One axis for all panels that are compared: whether it is logarithmic, and where it ends.

    Args:
        axes: the panels.
        values: what is drawn in any of them; see `value_axis`.
        upright: the vertical axis, else the horizontal one.
    """
    drawn = list(values)
    for ax in axes:
        value_axis(ax.yaxis if upright else ax.xaxis, drawn, within, whole=whole)


def linear_from_zero(axis: Axis, values: Iterable[float]) -> None:
    """A linear axis from 0 to a little beyond the greatest of some values, of which none is below 0."""
    greatest = max([float(v) for v in values if math.isfinite(v)], default=0.0) or 1.0
    set_limits(axis, -PAD * greatest, (1 + 2 * PAD) * greatest)
    plain_ticks(axis)


def log_axis(axis: Axis, values: Iterable[float], most: int | None = None) -> None:
    """A logarithmic axis around the positive values.

    Args:
        axis: horizontal or vertical.
        values: all that is drawn; zeros and what is not finite do not count.
        most: labelled decades; None = as many as there is room for, and 6. Values within two decades get plain
            numbers, 1, 2, 5 or 1, 3.
    """
    exponents = [math.log10(v) for v in map(float, values) if 0 < v < math.inf] or [-1.0, 0.0]
    least, last = min(exponents), max(exponents)
    pad = max(0.04 * (last - least), (0.3 - (last - least)) / 2, 0.02)
    axis.axes.set(**{f"{_name(axis)}scale": "log"})
    set_limits(axis, 10 ** (least - pad), 10 ** (last + pad))
    axis.set_minor_locator(NullLocator())
    if last - least < 2:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if last - least < 1.3 else (1.0, 3.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    else:
        axis.set_major_locator(LogLocator(numticks=most or max(2, min(6, room(axis, 5)))))


def set_limits(axis: Axis, low: float, high: float) -> None:
    """The ends of an axis, horizontal or vertical."""
    axis.axes.set(**{f"{_name(axis)}lim": (low, high)})


def plain_ticks(axis: Axis, most: int = 6) -> None:
    """As many ticks as there is room for at numbers of five letters, and no factor written above the axis."""
    axis.set_major_locator(MaxNLocator(nbins=max(1, min(most, room(axis, 5))), steps=[1, 2, 5, 10], min_n_ticks=2))
    formatter = ScalarFormatter(useOffset=False)
    formatter.set_powerlimits((-4, 5))
    axis.set_major_formatter(formatter)


def whole_ticks(axis: Axis, most: int = 6) -> None:
    """Ticks at whole numbers only: layers, epochs."""
    axis.set_major_locator(MaxNLocator(nbins=most, integer=True, min_n_ticks=1))


def name_ticks(axis: Axis, at: Sequence[float], names: Sequence[str]) -> None:
    """Names at some places: upright where they would touch side by side, every second, third ... where even that is
    too much; names that are too long are cut in the middle.

    Args:
        axis: horizontal or vertical.
        at: places, in order.
        names: one a place.
    """
    names = [shortened(name) for name in names]
    upright = _name(axis) == "x" and any(
        len(names) > room(axis, (len(one) + len(other)) / 2 + 0.3) for one, other in pairwise(names)
    )
    every = -(-len(names) // room(axis, 0)) if upright or _name(axis) == "y" else 1
    axis.set_ticks(list(at)[::every], names[::every])
    if upright:
        axis.axes.tick_params(axis="x", labelrotation=90)


def shortened(name: str, longest: int = LONGEST) -> str:
    """A name of at most so many letters, without those in the middle."""
    if len(name) <= longest:
        return name
    tail = longest // 2
    return f"{name[: longest - tail - 1]}…{name[len(name) - tail :]}"


def room(axis: Axis, letters: float) -> int:
    """How many labels have room along an axis: side by side, or one above the other.

    Args:
        axis: horizontal or vertical.
        letters: of each label; 0 = upright.
    """
    horizontal = _name(axis) == "x"
    length = size_of(axis.axes)[0 if horizontal else 1]
    size = float(np.mean([label.get_fontsize() for label in axis.get_majorticklabels()] or [8.0]))
    return max(1, int(length / (size * (0.58 * letters if horizontal and letters else 1.25))))


def size_of(ax: Axes) -> np.ndarray:
    """Width and height of axes in points, before the layout changes them a little."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    box = ax.get_position()
    size: np.ndarray = np.asarray(figure.get_size_inches()) * (POINTS * box.width, POINTS * box.height)
    return size


def _name(axis: Axis) -> str:
    name: str = axis.axis_name  # type: ignore[attr-defined]
    return name
