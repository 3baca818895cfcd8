"""Rosenblatt's rule and logistic regression on functions of two bits."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from repro.errors import number, whole
from repro.training.work import Measured, from_rows

CORNERS = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=float)  # two bits, and 1 for the bias
GATES = {"and": 0b1000, "or": 0b1110, "nand": 0b0111, "xor": 0b0110, "xnor": 0b1001}


def _check(*, epochs: int, steps: int, rate: float) -> None:
    whole("epochs", epochs, 1)
    whole("steps", steps, 1)
    number("rate", rate, 0, ends="()")


@from_rows(check=_check, stacked=True)
def perceptron(
    data: None, rngs: Sequence[torch.Generator], *, epochs: int, steps: int, rate: float
) -> Iterator[Measured]:
    """Which functions of two bits a single unit learns.

    Args:
        data: none.
        rngs: one a seed: of the order of the corners, and of where logistic regression starts.
        epochs: of the perceptron rule, at most.
        steps: of logistic regression on exclusive or.
        rate: of its gradient descent, above 0.
    """
    del data
    functions = np.array([[(table >> corner) & 1 for corner in range(4)] for table in range(16)], dtype=float)
    orders = np.stack([[torch.randperm(4, generator=rng).numpy() for _ in range(epochs)] for rng in rngs])
    learnt, lines = rosenblatt(functions, orders)
    yield Measured("separable", np.isfinite(learnt).sum(1))
    for name, table in GATES.items():
        yield Measured(f"learnt_{name}", np.isfinite(learnt[:, table]))
        if np.isfinite(learnt[:, table]).all():
            yield Measured(f"epochs_{name}", learnt[:, table])
        for place in range(3):
            yield Measured(f"line_{name}", lines[:, table, place], place)
    start = np.stack([torch.randn(3, generator=rng, dtype=torch.float64).numpy() for rng in rngs])
    weights, loss = logistic(start, functions[GATES["xor"]], steps, rate)
    yield Measured("logistic_loss", loss)
    yield Measured("logistic_largest_weight", np.abs(weights).max(1))


def rosenblatt(targets: np.ndarray, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rule w ← w + (y − o) x from zero, for all functions and seeds at once.

    Args:
        targets: 0 or 1, shape (functions, corners).
        orders: of the corners in each epoch, (seeds, epochs, corners).

    Returns:
        The first epoch in which no corner was wrong, (seeds, functions), infinite where there was none; and the
        weights at the end, (seeds, functions, 3), the bias last.
    """
    seeds, epochs, _ = orders.shape
    weights = np.zeros((seeds, len(targets), 3))
    learnt = np.full((seeds, len(targets)), np.inf)
    for epoch in range(epochs):
        wrong = np.zeros_like(learnt, dtype=bool)
        for corner in orders[:, epoch].T:  # of each seed
            x = CORNERS[corner]
            off = targets[:, corner].T - (np.einsum("sfi,si->sf", weights, x) > 0)
            weights += off[:, :, None] * x[:, None]
            wrong |= off != 0
        learnt = np.where(~wrong & np.isinf(learnt), epoch + 1.0, learnt)
    return learnt, weights


def logistic(start: np.ndarray, y: np.ndarray, steps: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Gradient descent on the corners' mean cross-entropy: weights (seeds, 3) and loss (seeds,) at the end."""
    weights = start
    for _ in range(steps):
        p = 1 / (1 + np.exp(-weights @ CORNERS.T))
        weights = weights - rate * (p - y) @ CORNERS / 4
    z = weights @ CORNERS.T
    return weights, (np.logaddexp(0, z) - y * z).mean(1)
