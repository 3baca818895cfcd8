"""Points of ConvNetJS's demonstration of nets in the plane (demo/js/classify2d.js): a disc in a ring, two spirals."""

from collections.abc import Callable

import numpy as np

from repro.datasets.from_arrays import Options, Pair, finish, generate
from repro.datasets.memory import Data
from repro.errors import unknown

JITTER = 0.1  # of the spiral: of radius and angle, to either side
TURNS = 1.25  # of an arm


def convnetjs(points: str, train_size: int, valid_size: int, test_size: int, preprocessing: str, seed: int) -> Data:
    """Points within a radius of about 5, two classes, half of the samples each. Shape (2,).

    Args:
        points: circle, class 1 a disc of radius 2 in a ring from 3 to 5, whose points are at equal angles; spiral,
            two arms of 1.25 turns, points at equal steps along each, radius and angle jittered by up to 0.1.
        train_size, valid_size, test_size: samples drawn for each split; in the demonstration 100 of the circle and
            200 of the spiral for training.
        preprocessing: none, center, standardize, pca or whiten.
        seed: of the draw.

    Raises:
        UserError: an option is not allowed.
    """
    if points not in KINDS:
        raise unknown("points", str(points), KINDS)
    raw = generate(KINDS[points], (train_size, valid_size, test_size), seed)
    return finish("convnetjs", raw, 2, Options(preprocessing, None, seed))


def _circle(n: int, rng: np.random.Generator) -> Pair:
    y = np.arange(n, dtype=np.int64) % 2
    radius = np.where(y == 1, rng.uniform(0, 2, n), rng.uniform(3, 5, n))
    outside = max((n + 1) // 2, 1)
    angle = np.where(y == 1, rng.uniform(0, 2 * np.pi, n), 2 * np.pi * (np.arange(n) // 2) / outside)
    return _in_any_order(radius, angle, y, rng)


def _spiral(n: int, rng: np.random.Generator) -> Pair:
    y = np.arange(n, dtype=np.int64) % 2
    along = (np.arange(n) // 2) / max(n / 2, 1)
    radius = 5 * along + rng.uniform(-JITTER, JITTER, n)
    angle = 2 * np.pi * TURNS * along + rng.uniform(-JITTER, JITTER, n) + np.pi * (1 - y)
    return _in_any_order(radius, angle, y, rng)


def _in_any_order(radius: np.ndarray, angle: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Pair:
    order = rng.permutation(len(y))
    return (radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1))[order], y[order]


KINDS: dict[str, Callable[[int, np.random.Generator], Pair]] = {"circle": _circle, "spiral": _spiral}
