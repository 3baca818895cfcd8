"""Points of a square in the plane; the class is whether a point lies in a polygon, which half-planes cut out."""

import numpy as np

from repro.datasets.from_arrays import Options, Pair, finish, generate
from repro.datasets.memory import Data
from repro.errors import UserError, number

EDGE = 2.0  # points are uniform over [-EDGE, EDGE]²


def normals(angles: list[float]) -> np.ndarray:
    """Unit vectors, shape (sides, 2), of angles in degrees from the first axis, counted against the clock."""
    turned = np.deg2rad(np.asarray(angles, dtype=np.float64))
    return np.stack([np.cos(turned), np.sin(turned)], axis=1)


def half_planes(
    train_size: int,
    valid_size: int,
    test_size: int,
    angles: list[float],
    distance: float,
    preprocessing: str,
    seed: int,
) -> Data:
    """Class 1 where n·x < distance for every normal n, else class 0. Shape (2,).

    Args:
        train_size, valid_size, test_size: samples drawn for each split, all over the square [-2, 2]².
        angles: directions of the normals in degrees, one a half-plane.
        distance: of every side from the origin, above 0.
        preprocessing: none, center, standardize, pca or whiten.
        seed: of the draw.

    Raises:
        UserError: an option is not allowed.
    """
    if not angles:
        raise UserError("angles must list the direction of at least one half-plane, e.g. [90, 210, 330], not []")
    for angle in angles:
        number("each of angles", abs(angle), 0)
    number("distance", distance, 0)
    if distance == 0:
        raise UserError("distance must be above 0, e.g. 0.8, or no point lies within all half-planes of a triangle")
    sides = normals(angles)

    def sample(n: int, rng: np.random.Generator) -> Pair:
        x = rng.uniform(-EDGE, EDGE, (n, 2))
        return x, (x @ sides.T < distance).all(axis=1).astype(np.int64)

    raw = generate(sample, (train_size, valid_size, test_size), seed)
    return finish("half_planes", raw, 2, Options(preprocessing, None, seed))
