"""A net that loses its smallest weights, and learns on with those that are left."""

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from repro.datasets.memory import Data
from repro.errors import UserError, whole
from repro.training.work import Measured, from_rows

from .classify import arrays
from .deep_forest import LARGEST_SEED, Classes, Floats


def _check(*, hidden: list[int], epochs: int, percents: list[int], tuning: int) -> None:
    for i, width in enumerate(hidden):
        whole(f"procedure.hidden.{i}", width, 1)
    whole("procedure.epochs", epochs, 1)
    whole("procedure.tuning", tuning, 0)
    if sorted(set(percents)) != percents or not all(0 < percent < 100 for percent in percents):
        raise UserError(f"procedure.percents must rise from 1 to 99, e.g. [50,80], not {percents}")


@from_rows(check=_check)
def pruning(
    data: Data, rng: torch.Generator, *, hidden: list[int], epochs: int, percents: list[int], tuning: int
) -> Iterator[Measured]:
    """Accuracy on the test split by percent of weights gone: at once, and after learning on.

    Args:
        data: what is learnt.
        rng: of start and order.
        hidden: ReLUs of each hidden layer.
        epochs: of Adam before anything is pruned.
        percents: of all weights together, the smallest first, each from 1 to 99, rising.
        tuning: epochs after each pruning, in which what is gone stays gone.

    Raises:
        UserError: a setting is not allowed.
    """
    x, y = arrays(data.train)
    net = MLPClassifier(
        tuple(hidden), max_iter=epochs, random_state=int(torch.randint(LARGEST_SEED, (), generator=rng))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs are what was asked for
        net.fit(x, y)
    yield Measured("weights", sum(weight.size for weight in net.coefs_))
    yield from _scores(net, data, 0, "pruned", "tuned")
    for percent in percents:
        masks = largest(net.coefs_, 1 - percent / 100)
        _apply(net, masks)
        yield from _scores(net, data, percent, "pruned")
        _learn_on(net, x, y, masks, tuning)
        yield from _scores(net, data, percent, "tuned")


def largest(weights: list[Floats], share: float) -> list[NDArray[np.bool_]]:
    """Where the largest weights are, by absolute value among all layers together; the share of all that is kept."""
    sizes = np.sort(np.concatenate([np.abs(weight).ravel() for weight in weights]))
    least = sizes[len(sizes) - round(share * len(sizes))]
    return [np.abs(weight) >= least for weight in weights]


def _apply(net: MLPClassifier, masks: list[NDArray[np.bool_]]) -> None:
    for weight, mask in zip(net.coefs_, masks, strict=True):
        weight *= mask


def _learn_on(net: MLPClassifier, x: Floats, y: Classes, masks: list[NDArray[np.bool_]], epochs: int) -> None:
    for _ in range(epochs):
        net.partial_fit(x, y)  # one epoch; Adam's averages go on
        _apply(net, masks)


def _scores(net: MLPClassifier, data: Data, percent: int, *names: str) -> Iterator[Measured]:
    accuracy = net.score(*arrays(data.test))
    for name in names:
        yield Measured(f"{name}_accuracy", accuracy, percent)
