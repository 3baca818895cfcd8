"""Nets of sigmoids in double precision, as lists of weights and biases, with their gradients written out by hand."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from repro.datasets.memory import Data
from repro.errors import UserError

Net = list[tuple[Tensor, Tensor]]  # weight (outputs, inputs) and bias (outputs,) of each layer


def sigmoid_net(sizes: Sequence[int], rng: torch.Generator) -> Net:
    """Weights from N(0, 1/n) for n inputs and biases from N(0, 1), float64."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=rng, dtype=torch.float64)

    return [(normal(out, own) / own**0.5, normal(out)) for own, out in pairwise(sizes)]


def activations(net: Net, x: Tensor) -> list[Tensor]:
    """Input and output of every layer, each (samples, units)."""
    found = [x]
    for weight, bias in net:
        found.append(torch.sigmoid(found[-1] @ weight.T + bias))
    return found


def errors(net: Net, layers: Sequence[Tensor], y: Tensor) -> list[Tensor]:
    """Each layer's derivative of ½‖a − y‖² by its weighted input, (samples, units): equations BP1 and BP2.

    Args:
        layers: what `activations` found.
        y: targets (samples, outputs).
    """
    found = [(layers[-1] - y) * layers[-1] * (1 - layers[-1])]
    for (weight, _), a in zip(net[:0:-1], layers[-2:0:-1], strict=True):
        found.insert(0, (found[0] @ weight) * a * (1 - a))
    return found


def gradients(layers: Sequence[Tensor], deltas: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Of the mean over samples by each weight and bias: equations BP4 and BP3."""
    return [(delta.T @ a / len(a), delta.mean(0)) for a, delta in zip(layers, deltas, strict=False)]


def batch(data: object, size: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """So many training images drawn at random, (samples, pixels) in float64, and their classes one-hot.

    Raises:
        UserError: the data set has no images with classes, or fewer.
    """
    if not isinstance(data, Data) or data.train.y.dim() != 1 or data.train.y.is_floating_point():
        raise UserError("the procedure needs inputs with one class each; take dataset=digits, say")
    x, y = data.train.x, data.train.y
    if size > len(x):
        raise UserError(f"procedure.images={size} is more than the {len(x)} of the training set; take fewer")
    drawn = torch.randperm(len(x), generator=rng)[:size]
    return pixels(x[drawn], torch.float64), torch.nn.functional.one_hot(y[drawn], data.outputs).double()


def pixels(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Inputs as (samples, features) of a type; bytes of images become 0 to 1."""
    return x.flatten(1).to(dtype) / (1 if x.is_floating_point() else 255)
