"""What a net says where in the plane: regions of its classes, their border, and the points it was trained on.

Tables are rows of predictions.csv of one seed. A grid goes in rows from the bottom up, each from left to right.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap


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


def boundary(grid: pd.DataFrame) -> int:
    """Length of the border between the classes a net tells: neighbouring points of the grid that differ."""
    said = square(grid, "predicted")
    return int((said[1:] != said[:-1]).sum() + (said[:, 1:] != said[:, :-1]).sum())
