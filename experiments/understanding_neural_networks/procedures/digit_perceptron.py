"""Rosenblatt's perceptron for several classes: a line of weights each, moved only where it errs."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import UserError, whole
from repro.training.work import Measured, from_rows


def check(*, epochs: int) -> None:
    """Raise a `UserError` for an option out of its range."""
    whole("procedure.epochs", epochs, 1)


@from_rows(check=check)
def digit_perceptron(data: Any, rng: torch.Generator, *, epochs: int) -> Iterator[Measured]:
    """Accuracies on the test split after each epoch, of the last weights and of the mean of all that there were.

    Of a sample that it errs on, the input is added to the weights of its class and taken from those of the class that
    was told (the multiclass perceptron, Crammer & Singer 2003); the mean is Freund & Schapire's (1999) without votes.

    Args:
        data: a data set of classes in memory.
        rng: draws the order of the samples in each epoch.
        epochs: passes over the training split.
    """
    if not hasattr(data, "train") or data.train.y.is_floating_point():
        raise UserError("procedure=digit_perceptron tells classes; take dataset=mnist or dataset=digits")
    (x, y), (test_x, test_y) = (_inputs(split.x, split.y) for split in (data.train, data.test))
    weights = np.zeros((data.outputs, x.shape[1]))
    late = np.zeros_like(weights)  # moves, each times the samples that came before it
    seen = 0
    for epoch in range(1, epochs + 1):
        for i in torch.randperm(len(x), generator=rng).tolist():
            told = int(np.argmax(weights @ x[i]))
            if told != y[i]:
                for line, sign in ((y[i], 1), (told, -1)):
                    weights[line] += sign * x[i]
                    late[line] += sign * seen * x[i]
            seen += 1
        for name, chosen in (("plain", weights), ("averaged", weights - late / seen)):
            right = (test_x @ chosen.T).argmax(axis=1) == test_y
            yield Measured(f"{name}_accuracy", float(right.mean()), epoch)


def _inputs(x: torch.Tensor, y: torch.Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Inputs with a 1 behind them, whose weight is the threshold, and classes."""
    flat = x.flatten(1).double().numpy()
    return np.hstack([flat, np.ones((len(flat), 1))]), y.numpy()
