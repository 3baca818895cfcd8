"""What a net says where in the plane: regions of its classes, maps of its units, the plane as a layer bends it.

Tables are rows of predictions.csv of one seed. A grid goes in rows from the bottom up, each from left to right.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.image import AxesImage

from repro.plots.style import INK, QUIET


def regions(ax: Axes, grid: pd.DataFrame, edge: float, colors: Sequence[Any]) -> None:
    """The class told at each point of a grid over [-edge, edge]², in pale colours, one a class; no ticks."""
    ax.imshow(
        square(grid, "predicted"),
        origin="lower",
        extent=(-edge, edge, -edge, edge),
        cmap=ListedColormap(list(colors)),
        vmin=0,
        vmax=len(colors) - 1,
        alpha=0.3,
        interpolation="nearest",
    )
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)


def classes(ax: Axes, points: pd.DataFrame, colors: Sequence[Any], markersize: float) -> None:
    """Points in the colours of their classes, as they are labelled."""
    for name, color in enumerate(colors):
        own = points[points["target"] == name]
        ax.plot(own["input_0"], own["input_1"], "o", color=color, markersize=markersize)


def square(grid: pd.DataFrame, column: str) -> np.ndarray:
    """A column of the grid's rows as (side, side), first row at the bottom."""
    ordered = grid.sort_values("sample")[column].to_numpy()
    return ordered.reshape(math.isqrt(len(ordered)), -1)


def connected(grid: pd.DataFrame) -> int:
    """How many connected regions the classes a net tells make: points of the grid that touch side by side are one."""
    from scipy.ndimage import label

    said = square(grid, "predicted")
    return sum(int(label(said == name)[1]) for name in np.unique(said))


def boundary(grid: pd.DataFrame) -> int:
    """Length of the border between the classes a net tells: neighbouring points of the grid that differ."""
    said = square(grid, "predicted")
    return int((said[1:] != said[:-1]).sum() + (said[:, 1:] != said[:, :-1]).sum())


def unit_map(ax: Axes, values: np.ndarray, edge: float, ends: tuple[float, float]) -> AxesImage:
    """What a unit gives at each point of a grid over [-edge, edge]², with a line where it is halfway; no ticks.

    Args:
        values: of the grid's points, in its order.
        ends: values at the ends of the colour scale.
    """
    side = math.isqrt(len(values))
    image = values.reshape(side, side)
    extent = (-edge, edge, -edge, edge)
    drawn = ax.imshow(image, origin="lower", extent=extent, cmap="RdBu", vmin=ends[0], vmax=ends[1])
    if image.min() < (middle := sum(ends) / 2) < image.max():
        ax.contour(image, levels=[middle], origin="lower", extent=extent, colors=[INK], linewidths=0.8)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    return drawn


def warped_grid(ax: Axes, places: np.ndarray, said: np.ndarray, colors: Sequence[Any]) -> None:
    """The lines of a grid of the plane where a layer sends them, their crossings in the colour of the class told there.

    Args:
        places: of the grid's points after the layer, (side², 2), in the grid's order.
        said: class told at each, (side²,).
        colors: one a class.
    """
    side = math.isqrt(len(places))
    lattice = places.reshape(side, side, 2)
    for lines in (lattice, lattice.swapaxes(0, 1)):
        ax.add_collection(LineCollection([*lines], colors=QUIET, linewidths=0.35, alpha=0.7, rasterized=True))
    for name, color in enumerate(colors):
        own = places[said == name]
        ax.plot(own[:, 0], own[:, 1], ".", color=color, markersize=1.5, alpha=0.35, rasterized=True)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.margins(0.05)
    ax.autoscale_view()
