"""Legends that tell which lines lie on one another, instead of hiding one behind the other."""

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D

from repro.plots import scales

WIDEST = 34  # letters of a line of a legend that names several
TALLEST = 4  # lines of an entry that names all of them
NARROW = 24  # of one inside a panel
SHOWN = 5  # lines at an entry
DASH = 3.0  # widths of a line


def inside(ax: Axes, of: Iterable[Axes] = (), widest: int = WIDEST, **look: Any) -> Legend | None:
    """The legend of some axes, in them or beside them; None where nothing has a name.

    Args:
        ax: where it stands.
        of: all panels that it is for; none = `ax` alone. A panel in which more lines coincide than in all says so.
        widest: letters of a line that names several.
        look: as matplotlib's `Axes.legend`.
    """
    panels = list(of) or [ax]
    legend = _legend(ax.legend, panels, widest, look)
    _tell_apart([other for other in panels if other is not ax], panels)
    return legend


def outside(fig: Figure, axes: Sequence[Axes], widest: int = WIDEST, **look: Any) -> Legend | None:
    """One legend for several axes that show the same lines, outside of all of them; see `inside`."""
    legend = _legend(fig.legend, axes, widest, look)
    _tell_apart(axes, axes)
    return legend


def entries(axes: Sequence[Axes], widest: int = WIDEST) -> tuple[list[Any], list[str]]:
    """Handles and labels; lines that coincide in each of the axes share an entry, "a, b: one line"."""
    named = [_named(ax) for ax in axes]
    handles = []
    groups = _groups(axes, named)
    for group in groups:
        own = [next(handles_of[label] for handles_of in named if label in handles_of) for label in group]
        handles.append(own[0] if len(own) == 1 else tuple(own[:SHOWN]))
    return handles, [_said(group, widest) for group in groups]


def _legend(make: Callable[..., Legend], axes: Sequence[Axes], widest: int, look: Mapping[str, Any]) -> Legend | None:
    """The legend of lines as they are; then those that coincide are dashed in turn, so that each colour shows.

    A sample of a dashed line is too short to show its dashes.
    """
    handles, labels = entries(axes, widest)
    legend = make(handles, labels, handler_map=_side_by_side(), **look) if handles else None
    _dash(axes)
    return legend


def _dash(axes: Sequence[Axes]) -> None:
    """Dashes in turn for lines that coincide in each of the axes, unless dashes mean something there already."""
    named = [_named(ax) for ax in axes]
    for group in (group for group in _groups(axes, named) if len(group) > 1):
        for ax, handles_of in zip(axes, named, strict=True):
            _take_turns(ax, [_line(handles_of[label]) for label in group if label in handles_of])


def _groups(axes: Sequence[Axes], named: Sequence[dict[str, Any]]) -> list[list[str]]:
    groups: list[list[str]] = []
    for label in dict.fromkeys(label for own in sorted(named, key=len, reverse=True) for label in own):
        same = (g for g in groups if all(_coincide(ax, own, g[0], label) for ax, own in zip(axes, named, strict=True)))
        known = next(same, None)
        if known is None:
            groups.append([label])
        else:
            known.append(label)
    return groups


def _tell_apart(axes: Sequence[Axes], of: Sequence[Axes]) -> None:
    """A small legend in each panel in which other lines coincide than in all that the legend is for."""
    known = [set(group) for group in _groups(of, [_named(ax) for ax in of])]
    for ax in axes:
        groups = _groups([ax], [_named(ax)])
        own = [
            pair
            for group, *pair in zip(groups, *entries([ax], NARROW), strict=True)
            if len(group) > 1 and not any(set(group) <= other for other in known)
        ]
        if own:
            look = {"frameon": True, "edgecolor": "none", "framealpha": 0.85, "borderpad": 0.2}
            ax.legend(*zip(*own, strict=True), handler_map=_side_by_side(), loc="best", fontsize=6, **look)
        _dash([ax])


def _said(group: Sequence[str], widest: int) -> str:
    if len(group) == 1:
        return group[0]
    between = "; " if any("," in label for label in group) else ", "
    lines = textwrap.wrap(f"{between.join(group)}: one line", widest)
    if len(lines) > TALLEST:
        ends = [scales.shortened(label, widest) for label in (group[0], group[-1])]
        lines = [f"{len(group)} lines as one:", ends[0], f"… {ends[1]}"]
    return "\n".join(lines)


def _named(ax: Axes) -> dict[str, Any]:
    return {label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}


def _coincide(ax: Axes, handles: dict[str, Any], one: str, other: str) -> bool:
    """Whether two lines have the same places and nowhere lie further apart than a line is wide; absent ones do."""
    if one not in handles and other not in handles:
        return True
    lines = [_line(handles.get(label)) for label in (one, other)]
    if lines[0] is None or lines[1] is None:
        return False
    first, second = (np.asarray(line.get_xydata(), dtype=float) for line in lines if line is not None)
    if first.shape != second.shape or not len(first) or _style(lines[0]) != _style(lines[1]):
        return False
    shown = [_points(ax, values) for values in (first, second)]
    apart = np.abs(shown[0] - shown[1])
    same = np.isfinite(apart).all(1) | (~np.isfinite(shown[0]) & ~np.isfinite(shown[1])).any(1)
    return bool(same.all()) and float(np.nan_to_num(apart).max()) <= float(lines[0].get_linewidth())


def _points(ax: Axes, values: np.ndarray) -> np.ndarray:
    """Places in the axes, in points."""
    with np.errstate(all="ignore"):
        scaled = ax.transScale.transform(values)
        ends = ax.transScale.transform(np.column_stack([ax.get_xlim(), ax.get_ylim()]))
        placed: np.ndarray = (scaled - ends[0]) / (ends[1] - ends[0]) * scales.size_of(ax)
    return placed


def _line(handle: Any) -> Line2D | None:
    if isinstance(handle, ErrorbarContainer):
        handle = handle.lines[0]
    return handle if isinstance(handle, Line2D) else None


def _style(line: Line2D) -> str:
    """Dots without a line and lines are not equal, whatever their places."""
    return "none" if line.get_linestyle() in ("None", "none", "") or not line.get_linewidth() else "line"


def _take_turns(ax: Axes, lines: Sequence[Line2D | None]) -> None:
    """Dashes in turn, where no data in these axes are dashed as it is."""
    solid = [line for line in lines if line is not None and line.get_linestyle() == "-"]
    data = [line for line in ax.lines if line.get_transform() == ax.transData and line not in solid]
    if len(solid) < len(lines) or any(line.get_linestyle() in ("--", "-.", ":") for line in data):
        return
    for turn, line in enumerate(solid):
        line.set_linestyle((DASH * turn, (DASH, DASH * (len(solid) - 1))))
        line.set_dash_capstyle("butt")
        if len(np.atleast_1d(line.get_xdata())) >= 2 * len(solid):
            line.set_markevery((turn, len(solid)))


def _side_by_side() -> dict[type, Any]:
    return {tuple: HandlerTuple(ndivide=None, pad=0.3)}
