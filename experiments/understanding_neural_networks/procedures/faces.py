"""Faces of seven parts: detectors of parts that are set by hand and one unit above them, beside a net that learns."""

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from repro.errors import number, whole
from repro.training.work import Measured, from_rows

from .deep_forest import LARGEST_SEED
from .faces_drawn import PARTS, Classes, Floats, draw, template


def _check(*, train_size: int, test_size: int, noise: float, hidden: int, epochs: int) -> None:
    for name, value in (("train_size", train_size), ("test_size", test_size), ("hidden", hidden), ("epochs", epochs)):
        whole(f"procedure.{name}", value, 2)
    number("procedure.noise", noise, 0)


@from_rows(check=_check)
def faces(
    data: None, rng: torch.Generator, *, train_size: int, test_size: int, noise: float, hidden: int, epochs: int
) -> Iterator[Measured]:
    """Accuracy of both, and how closely hidden units go with parts.

    Args:
        data: none; images are drawn.
        rng: of images and net.
        train_size, test_size: images; half of them are faces.
        noise: standard deviation that is added to every pixel; parts are 1.
        hidden: ReLUs of the net.
        epochs: of Adam at most.

    Raises:
        UserError: a setting is not allowed.
    """
    del data
    seed = int(torch.randint(LARGEST_SEED, (), generator=rng))
    drawn = np.random.default_rng(seed)
    (x, _, y), (test_x, parts, test_y) = (draw(size, noise, drawn) for size in (train_size, test_size))
    yield Measured("hand_set_accuracy", float((hand_set(test_x) == test_y).mean()))
    net = MLPClassifier((hidden,), max_iter=epochs, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs are what was asked for
        net.fit(x, y)
    yield Measured("net_accuracy", net.score(test_x, test_y))
    learnt = closest(np.maximum(test_x @ net.coefs_[0] + net.intercepts_[0], 0), parts)
    made = closest(detectors(test_x), parts)
    for name, found in (("net", learnt), ("hand_set", made)):
        yield Measured(f"{name}_correlation", float(found.mean()))
        for i, one in enumerate(found, 1):
            yield Measured(f"{name}_part_correlation", float(one), i)


def detectors(x: Floats) -> Floats:
    """Units set by hand, one a part, shape (n, 7): the mean of its pixels, less a half; above 0 where it is there."""
    weights = np.stack([template(place).ravel() / template(place).sum() for place in PARTS.values()], axis=1)
    return x @ weights - 0.5


def hand_set(x: Floats) -> Classes:
    """A unit above the detectors, 1 where all of them are: each counts 1, and its bias is half less than all."""
    return ((detectors(x) > 0).sum(1) - (len(PARTS) - 0.5) > 0).astype(np.int64)


def closest(units: Floats, parts: NDArray[np.bool_]) -> Floats:
    """Of each part the greatest |correlation| with a unit, shape (parts,); units that are constant have 0."""
    scaled = [(v - v.mean(0)) / np.where(v.std(0) > 0, v.std(0), 1) for v in (units, parts.astype(np.float64))]
    found: Floats = np.abs(scaled[0].T @ scaled[1] / len(units)).max(0)
    return found
