"""One layer of sigmoids in loops of Python and as a product of matrices: how long each takes, in turns."""

import math
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from repro.errors import whole
from repro.training.work import Measured, from_rows


def _check(*, inputs: int, outputs: int, batch: int, repeats: int) -> None:
    for name, value in (("inputs", inputs), ("outputs", outputs), ("batch", batch), ("repeats", repeats)):
        whole(name, value, 1)


@from_rows(check=_check)
def vectorization(
    data: None, rng: torch.Generator, *, inputs: int, outputs: int, batch: int, repeats: int
) -> Iterator[Measured]:
    """How many times longer loops take, and one sample after the other against a batch.

    Args:
        data: none.
        rng: of weights and inputs.
        inputs: of the layer.
        outputs: units of it.
        batch: samples.
        repeats: of each way; medians count.
    """
    del data
    weight, bias = _normal(rng, outputs, inputs) / math.sqrt(inputs), _normal(rng, outputs)
    x = _normal(rng, batch, inputs)
    rows, shifts, first = weight.tolist(), bias.tolist(), x[0].tolist()
    looped, one = _in_turns(lambda: by_loops(rows, shifts, first), lambda: by_matrix(weight, bias, x[0]), repeats)
    yield Measured("difference", np.abs(np.array(looped.result) - one.result).max())
    yield Measured("loops_milliseconds", looped.milliseconds)
    yield Measured("matrix_milliseconds", one.milliseconds)
    yield Measured("loops_time_ratio", looped.milliseconds / one.milliseconds)
    single, together = _in_turns(
        lambda: np.stack([by_matrix(weight, bias, v) for v in x]), lambda: by_matrix(weight, bias, x), repeats
    )
    yield Measured("batch_difference", np.abs(single.result - together.result).max())
    yield Measured("singles_time_ratio", single.milliseconds / together.milliseconds)


def by_loops(weight: list[list[float]], bias: list[float], x: list[float]) -> list[float]:
    """The layer as loops over its units and their inputs."""
    found = []
    for own, shift in zip(weight, bias, strict=True):
        total = shift
        for w, v in zip(own, x, strict=True):
            total += w * v
        found.append(1 / (1 + math.exp(-total)))
    return found


def by_matrix(weight: np.ndarray, bias: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The same for one sample (inputs,) or many (samples, inputs)."""
    out: np.ndarray = 1 / (1 + np.exp(-(x @ weight.T + bias)))
    return out


class _Timed:
    def __init__(self, work: Callable[[], Any]) -> None:
        self.work, self.result, self._took = work, work(), list[float]()

    def once(self) -> None:
        began = time.process_time()
        self.work()
        self._took.append(1000 * (time.process_time() - began))

    @property
    def milliseconds(self) -> float:
        return statistics.median(self._took)


def _in_turns(one: Callable[[], Any], other: Callable[[], Any], repeats: int) -> tuple[_Timed, _Timed]:
    """What two ways come to, and the processor's own time for it: in turns, so that both meet the same disturbances."""
    both = _Timed(one), _Timed(other)
    for _ in range(repeats):
        for way in both:
            way.once()
    return both


def _normal(rng: torch.Generator, *shape: int) -> np.ndarray:
    drawn: np.ndarray = torch.randn(shape, generator=rng, dtype=torch.float64).numpy()
    return drawn
