"""A hidden layer that is drawn and never trained, with an output layer by least squares."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from repro.datasets.memory import Data, Split
from repro.errors import UserError, number, unknown, whole
from repro.training.work import Measured, from_rows

UNITS: dict[str, Callable[[Tensor], Tensor]] = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}


@from_rows
def random_features(
    data: Data, rng: torch.Generator, *, width: int, unit: str, weight_std: float, bias_std: float
) -> Iterator[Measured]:
    """Fit the outputs of `width` random units to the training split by least squares, of least norm where many fit.

    Classes are fitted as one-hot rows, and the greatest output tells; numbers as they are. In double precision.

    Args:
        data: inputs of any shape, flattened to n numbers; classes, or numbers of shape (samples, targets).
        rng: of weights and biases.
        width: units.
        unit: sigmoid, tanh or relu.
        weight_std: standard deviation of a unit's weights times √n, 0 or above.
        bias_std: standard deviation of its bias, 0 or above.

    Yields:
        train_accuracy and test_accuracy of classes; train_ and test_rmse, train_ and test_greatest_error of numbers.

    Raises:
        UserError: an option is not allowed, or the data are sequences.
    """
    if not isinstance(data, Data) or not isinstance(data.train.x, Tensor):
        raise UserError("procedure=random_features needs inputs of numbers in memory; take dataset=digits, say")
    if unit not in UNITS:
        raise unknown("unit in procedure.unit", str(unit), UNITS)
    whole("procedure.width", width, 1)
    inputs = data.train.x[0].numel()
    std = number("procedure.weight_std", weight_std, 0) / math.sqrt(inputs)
    weights = std * torch.randn(inputs, width, generator=rng, dtype=torch.float64)
    biases = number("procedure.bias_std", bias_std, 0) * torch.randn(width, generator=rng, dtype=torch.float64)

    def features(split: Split) -> Tensor:
        return UNITS[unit](split.x.flatten(1).double() @ weights + biases)

    solution = torch.linalg.lstsq(features(data.train), _wanted(data.train, data.outputs), driver="gelsd").solution
    for name, split in (("train", data.train), ("test", data.test)):
        yield from _scores(name, features(split) @ solution, split)


def _wanted(split: Split, outputs: int) -> Tensor:
    """Targets (samples, outputs)."""
    wanted: Tensor = split.y if split.y.is_floating_point() else functional.one_hot(split.y, outputs)
    return wanted.double()


def _scores(name: str, output: Tensor, split: Split) -> Iterator[Measured]:
    if not split.y.is_floating_point():
        yield Measured(f"{name}_accuracy", float((output.argmax(1) == split.y).double().mean()))
        return
    error = output - split.y
    yield Measured(f"{name}_rmse", float(error.square().mean().sqrt()))
    yield Measured(f"{name}_greatest_error", float(error.abs().max()))
