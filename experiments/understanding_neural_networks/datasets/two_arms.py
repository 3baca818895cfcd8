"""Two arms of a spiral that turn around each other."""

import numpy as np

from repro.datasets.from_arrays import Options, Pair, finish, generate
from repro.datasets.memory import Data
from repro.errors import UserError, number

RADIUS = 5.0


def two_arms(
    train_size: int, valid_size: int, test_size: int, turns: float, jitter: float, scale: float, seed: int
) -> Data:
    """Points at angle 2π · turns · t and radius 5t, t uniform on [0, 1]; class 1 half a turn further. Shape (2,).

    Args:
        train_size, valid_size, test_size: samples drawn for each split, in equal shares for the arms.
        turns: of an arm.
        jitter: standard deviation added to both coordinates.
        scale: the coordinates are divided by it, above 0.
        seed: of the draw.

    Raises:
        UserError: an option is not allowed.
    """
    number("turns", turns, 0)
    number("jitter", jitter, 0)
    number("scale", scale, 0)
    if scale == 0:
        raise UserError("scale must be above 0: coordinates are divided by it")

    def sample(n: int, rng: np.random.Generator) -> Pair:
        y = rng.permutation(np.arange(n, dtype=np.int64) % 2)
        along = rng.uniform(0, 1, n)
        angle = 2 * np.pi * turns * along + np.pi * y
        x = RADIUS * along[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return (x + jitter * rng.standard_normal((n, 2))) / scale, y

    return finish(
        "two_arms", generate(sample, (train_size, valid_size, test_size), seed), 2, Options("none", None, seed)
    )
