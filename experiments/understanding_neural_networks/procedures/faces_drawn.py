"""Images of seven parts that make a face, and of others; no torch, since figures show them too."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Classes = NDArray[np.int64]
SIDE = 16
# Rows and columns that a part fills.
PARTS = {
    "hair": (slice(1, 3), slice(4, 12)),
    "left eye": (slice(5, 7), slice(4, 6)),
    "right eye": (slice(5, 7), slice(10, 12)),
    "nose": (slice(7, 10), slice(7, 9)),
    "mouth": (slice(12, 13), slice(5, 11)),
    "left ear": (slice(6, 10), slice(1, 2)),
    "right ear": (slice(6, 10), slice(14, 15)),
}
MOST_WRONG = 3  # parts of what is no face


def draw(n: int, noise: float, rng: np.random.Generator) -> tuple[Floats, NDArray[np.bool_], Classes]:
    """Images (n, 256), which parts are there and in place (n, 7), and whether all are (n,).

    Of what is no face, one to three parts are wrong: each is absent or stands elsewhere, with equal odds.
    """
    images, there = np.zeros((n, SIDE, SIDE)), np.ones((n, len(PARTS)), dtype=bool)
    for i in range(n):
        wrong = rng.choice(len(PARTS), rng.integers(1, MOST_WRONG + 1), replace=False) if i % 2 else []
        there[i, wrong] = False
        for part, place in zip(there[i], PARTS.values(), strict=True):
            if part:
                images[i][place] = 1
            elif rng.random() < 0.5:
                images[i] += np.roll(template(place), tuple(rng.choice((-4, 4), 2)), axis=(0, 1))
    order = rng.permutation(n)
    seen = images.clip(0, 1) + noise * rng.standard_normal(images.shape)
    return seen.reshape(n, -1)[order], there[order], there.all(1).astype(np.int64)[order]


def template(place: tuple[slice, slice]) -> Floats:
    """An image (16, 16) of a part alone."""
    image = np.zeros((SIDE, SIDE))
    image[place] = 1
    return image
