"""Small generated data sets: points with classes, mostly in the plane, and pure noise."""

import numpy as np
from numpy.typing import NDArray

from repro.datasets.from_arrays import Options, Pair, finish, generate
from repro.datasets.memory import Data
from repro.errors import UserError, number, whole


def three_gaussians(
    train_size: int,
    valid_size: int,
    test_size: int,
    means: list[list[float]],
    stds: list[float],
    preprocessing: str,
    subset: int | None,
    seed: int,
) -> Data:
    """Normal clouds in equal shares; the class is the cloud. Shape (2,) with the default means.

    Args:
        train_size, valid_size, test_size: samples drawn for each split.
        means: centre of each cloud.
        stds: standard deviation of each cloud, the same in all directions; above 0.
        preprocessing: none, center, standardize, pca or whiten.
        subset: number of training samples kept; None keeps all.
        seed: of the draw.
    """
    if not means or len({len(mean) for mean in means}) != 1 or len(means) != len(stds) or not means[0]:
        raise UserError(f"means needs one point of equal length for each of the stds, not {means} and {stds}")
    for value in (*stds, *(abs(entry) for mean in means for entry in mean)):
        number("each of means and stds", value, 0)

    def sample(n: int, rng: np.random.Generator) -> Pair:
        y = _balanced(n, len(means), rng)
        noise = rng.standard_normal((n, len(means[0])))
        return np.asarray(means, dtype=np.float64)[y] + np.asarray(stds)[y, None] * noise, y

    raw = generate(sample, (train_size, valid_size, test_size), seed)
    return finish("three_gaussians", raw, len(means), Options(preprocessing, subset, seed))


def circles(
    train_size: int,
    valid_size: int,
    test_size: int,
    inner: float,
    noise: float,
    features: list[str] | None,
    preprocessing: str,
    subset: int | None,
    seed: int,
) -> Data:
    """Points on two circles about the origin; class 0 has radius 1, class 1 the inner radius.

    Args:
        train_size, valid_size, test_size: samples drawn for each split.
        inner: radius of the inner circle, 0 or above and below 1.
        noise: standard deviation added to both coordinates.
        features: inputs computed from the two besides, of products, squares and sines; None = none.
        preprocessing: none, center, standardize, pca or whiten.
        subset: number of training samples kept; None keeps all.
        seed: of the draw.
    """
    number("noise", noise, 0)
    number("inner", inner, 0)
    if inner >= 1:
        raise UserError(f"inner must be below 1, the outer radius, not {inner}")

    def sample(n: int, rng: np.random.Generator) -> Pair:
        y = _balanced(n, 2, rng)
        angle = rng.uniform(0.0, 2 * np.pi, n)
        ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.where(y == 1, inner, 1.0)[:, None]
        return ring + noise * rng.standard_normal((n, 2)), y

    raw = generate(sample, (train_size, valid_size, test_size), seed)
    return finish("circles", raw, 2, Options(preprocessing, subset, seed, features=features))


def spiral(
    train_size: int,
    valid_size: int,
    test_size: int,
    classes: int,
    turn: float,
    noise: float,
    features: list[str] | None,
    preprocessing: str,
    subset: int | None,
    seed: int,
) -> Data:
    """The CS231n notes' spiral: arm j has radius 0 to 1 and angle j·turn to (j + 1)·turn plus noise.

    Within an arm radius and angle go in equal steps, the point being (radius·sin angle, radius·cos angle).

    Args:
        train_size, valid_size, test_size: samples drawn for each split, in equal shares for the arms.
        classes: number of arms, 2 or more.
        turn: angle an arm sweeps, in radians.
        noise: standard deviation of the angle, in radians.
        features: inputs computed from the two besides, of products, squares and sines; None = none.
        preprocessing: none, center, standardize, pca or whiten.
        subset: number of training samples kept; None keeps all.
        seed: of the draw.
    """
    whole("classes", classes, 2)
    number("noise", noise, 0)
    number("turn", turn, 0)

    def sample(n: int, rng: np.random.Generator) -> Pair:
        y = np.sort(_balanced(n, classes, rng))
        along = np.concatenate([np.linspace(0.0, 1.0, points) for points in np.bincount(y, minlength=classes)])
        angle = (y + along) * turn + noise * rng.standard_normal(n)
        order = rng.permutation(n)  # so that the first samples are not all of one arm
        return (along[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1))[order], y[order]

    raw = generate(sample, (train_size, valid_size, test_size), seed)
    return finish("spiral", raw, classes, Options(preprocessing, subset, seed, features=features))


def xor(
    train_size: int,
    valid_size: int,
    test_size: int,
    noise: float,
    features: list[str] | None,
    preprocessing: str,
    subset: int | None,
    seed: int,
) -> Data:
    """Clouds around the corners (±1, ±1) of a square; class 1 where the corner's signs differ.

    Args:
        train_size, valid_size, test_size: samples drawn for each split.
        noise: standard deviation of each cloud; 0 gives the bare corners.
        features: inputs computed from the two besides, of products, squares and sines; None = none.
        preprocessing: none, center, standardize, pca or whiten.
        subset: number of training samples kept; None keeps all.
        seed: of the draw.
    """
    number("noise", noise, 0)

    def sample(n: int, rng: np.random.Generator) -> Pair:
        corner = _balanced(n, 4, rng)  # bits: right, upper
        signs = np.stack([corner % 2, corner // 2], axis=1) * 2.0 - 1.0
        return signs + noise * rng.standard_normal((n, 2)), (corner % 2) ^ (corner // 2)

    raw = generate(sample, (train_size, valid_size, test_size), seed)
    return finish("xor", raw, 2, Options(preprocessing, subset, seed, features=features))


def gaussian_noise(
    train_size: int,
    valid_size: int,
    test_size: int,
    features: int,
    classes: int,
    preprocessing: str,
    subset: int | None,
    seed: int,
) -> Data:
    """Independent standard normal inputs of shape (features,), classes at random: nothing to learn.

    Args:
        train_size, valid_size, test_size: samples drawn for each split.
        features: inputs of a sample.
        classes: 2 or more, in equal shares.
        preprocessing: none, center, standardize, pca or whiten.
        subset: number of training samples kept; None keeps all.
        seed: of the draw.
    """
    whole("features", features, 1)
    whole("classes", classes, 2)

    def sample(n: int, rng: np.random.Generator) -> Pair:
        return rng.standard_normal((n, features)), _balanced(n, classes, rng)

    raw = generate(sample, (train_size, valid_size, test_size), seed)
    return finish("gaussian_noise", raw, classes, Options(preprocessing, subset, seed))


def _balanced(n: int, classes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """n class numbers in random order, each as often as the others (or once more)."""
    return rng.permutation(np.arange(n, dtype=np.int64) % classes)
