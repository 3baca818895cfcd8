"""Heat maps: coloured cells with their numbers inside."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.patches import Rectangle

from repro.plots import scales
from repro.plots.style import INK
from repro.storage.statistics import estimate

DARK = 0.53  # luminance below which white has more contrast than ink


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
        ink = INK if empty or _luminance(color) > DARK else "white"
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
