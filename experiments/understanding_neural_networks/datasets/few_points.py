"""Few points in the plane whose classes overlap, a grid to look at a net's regions, many points to test on."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from repro.datasets.from_arrays import Options, Pair, finish, generate
from repro.datasets.memory import Data
from repro.errors import UserError, unknown, whole

from . import convnetjs

EDGE = 6.0  # the grid covers [-6, 6]²
JITTER, FLIPPED = 0.3, 0.15  # of circle_flip: standard deviation of the points, share of wrong labels
CENTRES = (((2.5, -0.5), (-2.0, -1.5), (3.0, 2.0)), ((-1.0, 1.0), (1.5, 1.5), (0.0, -2.0)))  # outliers: of each class
DEVIATION = 0.9


def few_points(points: str, train_size: int, valid_size: int, test_size: int, preprocessing: str, seed: int) -> Data:
    """Points of two classes, shape (2,). The validation split is a grid over [-6, 6]² whose classes mean nothing.

    Args:
        points: circle_flip, a disc of radius 2 (class 1) in a ring from 3 to 5 (class 0), as in ConvNetJS, with normal
            jitter and 15 % of all labels flipped, those of the test split too; outliers, three normal clouds a class;
            spiral, ConvNetJS's two arms.
        train_size, test_size: samples drawn for these splits, half of them of each class (before labels are flipped).
        valid_size: points of the grid, a square number; in rows from the bottom up, each from left to right.
        preprocessing: none, center, standardize, pca or whiten.
        seed: of the draw.

    Raises:
        UserError: an option is not allowed.
    """
    if points not in KINDS:
        raise unknown("points", str(points), KINDS)
    whole("valid_size", valid_size, 0)
    side = math.isqrt(valid_size)
    if side**2 != valid_size:
        raise UserError(f"valid_size must be a square number (the points of a grid), e.g. {side**2}, not {valid_size}")
    along = np.linspace(-EDGE, EDGE, side)
    grid = np.stack([np.tile(along, side), np.repeat(along, side)], axis=1)
    drawn = generate(KINDS[points], (train_size, 0, test_size), seed)
    raw = replace(drawn, valid=(grid, np.zeros(valid_size, dtype=np.int64)))
    return finish("few_points", raw, 2, Options(preprocessing, None, seed))


def _circle_flip(n: int, rng: np.random.Generator) -> Pair:
    y = rng.permutation(np.arange(n, dtype=np.int64) % 2)
    radius = np.where(y == 1, rng.uniform(0, 2, n), rng.uniform(3, 5, n))
    angle = rng.uniform(0, 2 * np.pi, n)
    x = radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1) + JITTER * rng.standard_normal((n, 2))
    return x, np.where(rng.uniform(size=n) < FLIPPED, 1 - y, y)


def _outliers(n: int, rng: np.random.Generator) -> Pair:
    y = rng.permutation(np.arange(n, dtype=np.int64) % 2)
    middle = np.asarray(CENTRES)[y, rng.integers(0, 3, n)]
    return middle + DEVIATION * rng.standard_normal((n, 2)), y


KINDS: dict[str, Callable[[int, np.random.Generator], Pair]] = {
    "circle_flip": _circle_flip,
    "outliers": _outliers,
    "spiral": convnetjs.KINDS["spiral"],
}
