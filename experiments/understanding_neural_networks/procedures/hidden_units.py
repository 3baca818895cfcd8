"""What hidden units cost by number, and what a net of random hidden units learns by least squares."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import UserError, unknown, whole
from repro.training.work import Measured, from_rows

Array = NDArray[np.float64]
RATE, BATCH = 0.1, 20
FROM = 20  # units, from which on the line is fitted
LESSER, GREATER = 2, 150  # units, whose times are compared


@from_rows
def timing(
    data: Any, rng: torch.Generator, *, back_end: str, widths: list[int], iterations: int, repeats: int
) -> Iterator[Measured]:
    """Processor time of gradient descent on one batch of 20 by number of hidden units, and the line a + b n through it.

    The nets have sigmoid units, no biases and squared error, as in row A1. The line is fitted from 20 units on.

    Args:
        back_end: vectorised, each layer a product of matrices; or per_neuron, a product for each neuron in a loop.
        widths: hidden units of each net; 2 and 150 must be among them, and two of 20 or more.
        iterations: updates that are timed at once.
        repeats: turns through all widths; the median counts.

    Returns:
        timing_milliseconds for 1,000 updates, by width as the step; of the line timing_intercept (ms), timing_slope
        (ms a unit), timing_knee (units: the one over the other) and timing_r2; timing_ratio, of 2 units to 150.
    """
    if back_end not in BACK_ENDS:
        raise unknown("procedure.back_end", str(back_end), BACK_ENDS)
    whole("procedure.iterations", iterations, 1)
    whole("procedure.repeats", repeats, 1)
    if not {LESSER, GREATER} <= set(widths) or sum(n >= FROM for n in widths) < 2:
        raise UserError(f"procedure.widths must have {LESSER}, {GREATER} and another one from {FROM} on, not {widths}")
    images = data.train.x[:BATCH].flatten(1).double()
    x = (images / max(float(images.max()), 1.0)).numpy()
    y = np.eye(data.outputs)[data.train.y[:BATCH].numpy()]
    draw = np.random.default_rng(int(torch.randint(2**31, (), generator=rng)))
    turns: dict[int, list[float]] = {n: [] for n in widths}
    for _ in range(repeats):
        for n in widths:
            weights = draw.standard_normal((x.shape[1], n)), draw.standard_normal((n, y.shape[1]))
            began = time.process_time()
            BACK_ENDS[back_end](x, y, *weights, iterations)
            turns[n].append(1e6 * (time.process_time() - began) / iterations)
    found = {n: statistics.median(values) for n, values in turns.items()}
    for n, value in sorted(found.items()):
        yield Measured("milliseconds", value, n)
    yield from _line(found)
    yield Measured("ratio", found[LESSER] / found[GREATER])


def _line(found: dict[int, float]) -> Iterator[Measured]:
    """The line through the times of the larger nets, by least squares."""
    n = np.array([n for n in found if n >= FROM], dtype=float)
    times = np.array([found[int(i)] for i in n])
    slope, intercept = np.polyfit(n, times, 1)
    left = times - (intercept + slope * n)
    yield Measured("intercept", float(intercept))
    yield Measured("slope", float(slope))
    yield Measured("knee", float(intercept / slope))
    yield Measured("r2", float(1 - (left**2).sum() / ((times - times.mean()) ** 2).sum()))


def sigmoid(z: Array) -> Array:
    """1 / (1 + e⁻ᶻ)."""
    return 1 / (1 + np.exp(-z))


def vectorised(x: Array, y: Array, first: Array, second: Array, iterations: int) -> tuple[Array, Array]:
    """Weights (inputs, units) and (units, outputs) after so many updates on inputs (batch, inputs) and targets."""
    for _ in range(iterations):
        h = sigmoid(x @ first)
        o = sigmoid(h @ second)
        above = (o - y) * o * (1 - o)
        below = (above @ second.T) * h * (1 - h)
        second = second - RATE * h.T @ above / len(x)
        first = first - RATE * x.T @ below / len(x)
    return first, second


def per_neuron(x: Array, y: Array, first: Array, second: Array, iterations: int) -> tuple[Array, Array]:
    """The same, neuron by neuron."""
    first, second = first.copy(), second.copy()
    units, outputs = second.shape
    for _ in range(iterations):
        h = [sigmoid(x @ first[:, j]) for j in range(units)]
        above = []
        for k in range(outputs):
            z = h[0] * second[0, k]
            for j in range(1, units):
                z = z + h[j] * second[j, k]
            o = sigmoid(z)
            above.append((o - y[:, k]) * o * (1 - o))
        for j in range(units):
            below = sum(above[k] * second[j, k] for k in range(outputs)) * h[j] * (1 - h[j])
            for k in range(outputs):
                second[j, k] -= RATE * (h[j] @ above[k]) / len(x)
            first[:, j] -= RATE * (below @ x) / len(x)
    return first, second


BACK_ENDS: dict[str, Callable[[Array, Array, Array, Array, int], tuple[Array, Array]]] = {
    "vectorised": vectorised,
    "per_neuron": per_neuron,
}
