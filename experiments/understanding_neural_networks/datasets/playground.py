"""The points of TensorFlow Playground (src/dataset.ts): a circle in a ring, exclusive or, two spirals."""

from collections.abc import Callable

import numpy as np

from repro.datasets.from_arrays import Options, Pair, finish, generate
from repro.datasets.memory import Data
from repro.errors import number, unknown

RADIUS = 5.0
PADDING = 0.3  # of xor: no point is nearer to an axis
TURNS = 1.75  # of a spiral


def playground(
    points: str,
    train_size: int,
    valid_size: int,
    test_size: int,
    noise: float,
    features: list[str] | None,
    preprocessing: str,
    seed: int,
) -> Data:
    """Points in the plane within a radius, or half an edge, of about 5; two classes. Shape (2,) without features.

    Args:
        points: circle, a disc of radius 2.5 (class 1) in a ring from 3.5 to 5 (class 0); xor, class 1 where both
            coordinates have one sign; spiral, two arms of 1.75 turns, points at equal steps along each.
        train_size, valid_size, test_size: samples drawn for each split.
        noise: from 0 to 1, in Playground at most 0.5. Of circle and xor it moves where a point is when its class is
            told, by up to 5 times the noise along both axes, and not the point; of spiral it moves the point, by up to
            the noise.
        features: inputs computed from the two besides, of products, squares and sines; None = none.
        preprocessing: none, center, standardize, pca or whiten.
        seed: of the draw.

    Raises:
        UserError: an option is not allowed.
    """
    if points not in KINDS:
        raise unknown("points", str(points), KINDS)
    number("noise", noise, 0, 1)
    kind = KINDS[points]
    raw = generate(lambda n, rng: kind(n, noise, rng), (train_size, valid_size, test_size), seed)
    return finish("playground", raw, 2, Options(preprocessing, None, seed, features=features))


def _circle(n: int, noise: float, rng: np.random.Generator) -> Pair:
    inside = rng.permutation(np.arange(n) % 2) == 1
    radius = np.where(inside, rng.uniform(0, 0.5 * RADIUS, n), rng.uniform(0.7 * RADIUS, RADIUS, n))
    angle = rng.uniform(0, 2 * np.pi, n)
    x = radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    told = x + _moved(n, noise, rng)
    return x, (np.linalg.norm(told, axis=1) < 0.5 * RADIUS).astype(np.int64)


def _xor(n: int, noise: float, rng: np.random.Generator) -> Pair:
    x = rng.uniform(-RADIUS, RADIUS, (n, 2))
    x += np.where(x > 0, PADDING, -PADDING)
    told = x + _moved(n, noise, rng)
    return x, (told[:, 0] * told[:, 1] >= 0).astype(np.int64)


def _spiral(n: int, noise: float, rng: np.random.Generator) -> Pair:
    y = np.arange(n, dtype=np.int64) % 2
    along = (np.arange(n) // 2) / max(n / 2, 1)
    angle = 2 * np.pi * TURNS * along + np.pi * (1 - y)  # class 1 starts upwards
    x = RADIUS * along[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1) + rng.uniform(-1, 1, (n, 2)) * noise
    order = rng.permutation(n)
    return x[order], y[order]


def _moved(n: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-RADIUS, RADIUS, (n, 2)) * noise


KINDS: dict[str, Callable[[int, float, np.random.Generator], Pair]] = {
    "circle": _circle,
    "xor": _xor,
    "spiral": _spiral,
}
