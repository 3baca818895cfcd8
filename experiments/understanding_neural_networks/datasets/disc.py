"""A disc in a square, which only a closed region tells from the rest."""

import math

import numpy as np
from numpy.typing import NDArray

from repro.datasets.from_arrays import Options, Pair, Raw, finish, generate
from repro.datasets.memory import Data
from repro.errors import UserError, number, whole


def disc(train_size: int, border_size: int, grid_size: int, radius: float, seed: int) -> Data:
    """Points of the square [−1, 1]², shape (2,); class 1 within a disc about its middle.

    Training points are drawn uniformly. The validation split goes around the border of the square, which lies outside
    the disc: a net that is right on all of it has no region of class 1 that leaves the square. The test split is a grid
    over the square, in rows from the bottom up, each from left to right, so that its accuracy is by area.

    Args:
        train_size: points drawn.
        border_size: points around the border, a multiple of 4.
        grid_size: points of the grid, a square number.
        radius: of the disc, above 0 and below 1.
        seed: of the draw.

    Raises:
        UserError: an option is not allowed.
    """
    whole("border_size", border_size, 0)
    whole("grid_size", grid_size, 0)
    number("radius", radius, 0)
    if not 0 < radius < 1:
        raise UserError(f"radius must be above 0 and below 1, so that the disc lies in the square, not {radius}")
    if border_size % 4:
        raise UserError(f"border_size must be a multiple of 4, e.g. {border_size // 4 * 4}, not {border_size}")
    side = math.isqrt(grid_size)
    if side**2 != grid_size:
        raise UserError(f"grid_size must be a square number, e.g. {side**2}, not {grid_size}")

    def labelled(x: NDArray[np.float64]) -> Pair:
        return x, (np.linalg.norm(x, axis=1) < radius).astype(np.int64)

    def sample(n: int, rng: np.random.Generator) -> Pair:
        return labelled(rng.uniform(-1, 1, (n, 2)))

    along = np.linspace(-1, 1, side)
    grid = np.stack([np.tile(along, side), np.repeat(along, side)], axis=1)
    train = generate(sample, (train_size, 0, 0), seed).train
    return finish("disc", Raw(train, labelled(border(border_size)), labelled(grid)), 2, Options("none", None, seed))


def border(size: int) -> NDArray[np.float64]:
    """Evenly around the square from its lower left corner, each corner once, shape (size, 2)."""
    along = np.arange(size // 4) / max(size // 4, 1) * 2 - 1  # from a corner to just before the next
    low, high = np.full_like(along, -1), np.full_like(along, 1)
    sides = [(along, low), (high, along), (-along, high), (low, -along)]
    return np.concatenate([np.stack(pair, axis=1) for pair in sides])
