"""A square cut in two by a line, and inputs of unlike scales whose class is a matter of chance."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from repro.datasets.from_arrays import Options, Pair, finish, generate
from repro.datasets.memory import Data
from repro.errors import UserError, number, whole


def halves(
    train_size: int,
    valid_size: int,
    test_size: int,
    bend: float,
    noisy_labels: float | None,
    preprocessing: str,
    subset: int | None,
    seed: int,
) -> Data:
    """Points of the square [-3, 3]², cut in two by the line x₂ = bend · sin(x₁); above it lies class 1.

    The test split is no draw but a regular grid over the square with its true classes, so that the test accuracy is the
    share of the square that a net gets right.

    Args:
        train_size, valid_size: samples drawn for these splits, uniformly.
        test_size: points of the grid, a square number; in rows from the bottom up, each from left to right.
        bend: height of the line's waves; 0 makes it straight.
        noisy_labels: share of the training samples that get the other class, at random; None = none.
        preprocessing: none, center, standardize, pca or whiten.
        subset: number of training samples kept; None keeps all.
        seed: of the draw.
    """
    number("bend", bend, 0)
    whole("test_size", test_size, 0)
    side = math.isqrt(test_size)
    if side**2 != test_size:
        raise UserError(f"test_size must be a square number (the points of a grid), e.g. {side**2}, not {test_size}")

    def classes(x: NDArray[np.float64]) -> NDArray[np.int64]:
        return (x[:, 1] > bend * np.sin(x[:, 0])).astype(np.int64)

    def sample(n: int, rng: np.random.Generator) -> Pair:
        x = rng.uniform(-3.0, 3.0, (n, 2))
        return x, classes(x)

    along = np.linspace(-3.0, 3.0, side)
    grid = np.stack([np.tile(along, side), np.repeat(along, side)], axis=1)
    raw = replace(generate(sample, (train_size, valid_size, 0), seed), test=(grid, classes(grid)))
    return finish("halves", raw, 2, Options(preprocessing, subset, seed, noisy_labels=noisy_labels))


def logistic(
    train_size: int,
    valid_size: int,
    test_size: int,
    means: list[float],
    stds: list[float],
    correlation: float,
    slopes: list[float],
    preprocessing: str,
    subset: int | None,
    seed: int,
) -> Data:
    """Normal inputs z with unlike means and scales; class 1 with probability sigmoid(slopes · standard scores of z).

    Args:
        train_size, valid_size, test_size: samples drawn for each split.
        means, stds: of each feature; stds above 0.
        correlation: between any two features, in [0, 1].
        slopes: one a feature.
        preprocessing: none, center, standardize, pca or whiten.
        subset: number of training samples kept; None keeps all.
        seed: of the draw.
    """
    if not means or not len(means) == len(stds) == len(slopes):
        raise UserError(f"means, stds and slopes need one number for each feature, not {means}, {stds} and {slopes}")
    for value in (*stds, *map(abs, means), *map(abs, slopes)):
        number("each of means, stds and slopes", value, 0)
    if min(stds) <= 0:
        raise UserError(f"stds must be above 0, not {stds}")
    number("correlation", correlation, 0, 1)

    def sample(n: int, rng: np.random.Generator) -> Pair:
        own, common = rng.standard_normal((n, len(means))), rng.standard_normal((n, 1))
        scores = math.sqrt(1 - correlation) * own + math.sqrt(correlation) * common
        likely = 1 / (1 + np.exp(-scores @ np.asarray(slopes, dtype=np.float64)))
        y = (rng.uniform(size=n) < likely).astype(np.int64)
        return np.asarray(means, dtype=np.float64) + np.asarray(stds) * scores, y

    raw = generate(sample, (train_size, valid_size, test_size), seed)
    return finish("logistic", raw, 2, Options(preprocessing, subset, seed))
