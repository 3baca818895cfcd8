"""A continuous function of one number, to be approximated."""

import numpy as np
from numpy.typing import NDArray

from repro.datasets.from_arrays import Options, Pair, Raw, finish
from repro.datasets.memory import Data
from repro.errors import whole


def wave(train_size: int, test_size: int) -> Data:
    """Inputs x in [−1, 1], shape (1,), and targets ½ sin 3πx + 0.3 |x| + 0.2 cos 7x, shape (1,), without noise.

    Both splits are even grids from end to end; there is no validation split, since this is about how near a net can
    come and not about what it makes of samples.

    Args:
        train_size, test_size: points of each grid, 2 or more.

    Raises:
        UserError: a size is not allowed.
    """
    whole("train_size", train_size, 2)
    whole("test_size", test_size, 2)
    raw = Raw(_grid(train_size), (np.zeros((0, 1)), np.zeros((0, 1))), _grid(test_size))
    return finish("wave", raw, 1, Options("none", None, 0))


def curve(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The function itself."""
    value: NDArray[np.float64] = 0.5 * np.sin(3 * np.pi * x) + 0.3 * np.abs(x) + 0.2 * np.cos(7 * x)
    return value


def _grid(size: int) -> Pair:
    x = np.linspace(-1, 1, size)[:, None]
    return x, curve(x)
