"""How far the gradient of a batch is from that of all images, by the size of the batch."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from repro.datasets.memory import Data
from repro.errors import UserError, whole
from repro.training.work import Measured, from_rows

from .small_nets import batch


def _check(*, hidden: int, sizes: Sequence[int], batches: int) -> None:
    whole("procedure.hidden", hidden, 1)
    whole("procedure.batches", batches, 1)
    for size in sizes:
        whole("each of procedure.sizes", size, 1)
    if len(set(sizes)) < 2:
        raise UserError(f"procedure.sizes must be two or more different sizes, e.g. [1,16,256], not {list(sizes)}")


@from_rows(check=_check)
def gradient_error(
    data: object, rng: torch.Generator, *, hidden: int, sizes: Sequence[int], batches: int
) -> Iterator[Measured]:
    """Relative error ‖g_B − g‖ / ‖g‖ of the gradients g_B of batches, root of the mean square over batches.

    Rows: relative, at the batch's size as its step; exponent, the slope of a line through log error against log size,
    -0.5 for batches drawn with replacement.

    Args:
        data: images with a class each.
        rng: of weights (He's) and batches.
        hidden: ReLUs of the one hidden layer; the net is as it starts.
        sizes: of batches, each drawn with replacement from the training split.
        batches: of each size.

    Raises:
        UserError: a setting is not allowed, or the data set's targets are not classes.
    """
    if not isinstance(data, Data):
        raise UserError("procedure=gradient_error needs inputs with one class each; take dataset=digits, say")
    x, y = batch(data, len(data.train), rng)
    net = _net(x.shape[1], hidden, y.shape[1], rng)
    whole_gradient = _gradient(net, x, y)
    found = []
    for size in sizes:
        squares = []
        for _ in range(batches):
            drawn = torch.randint(len(x), (size,), generator=rng)
            squares.append(float((_gradient(net, x[drawn], y[drawn]) - whole_gradient).square().sum()))
        found.append(float(np.sqrt(np.mean(squares))) / float(whole_gradient.norm()))
        yield Measured("relative", found[-1], size)
    yield Measured("exponent", np.polyfit(np.log(sizes), np.log(found), 1)[0], max(sizes))


def _net(inputs: int, hidden: int, outputs: int, rng: torch.Generator) -> nn.Sequential:
    net = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs)).double()
    for layer in (net[0], net[2]):
        assert isinstance(layer, nn.Linear)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=rng)
        nn.init.zeros_(layer.bias)
    return net


def _gradient(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Of the mean cross-entropy by all parameters, in one vector."""
    loss = functional.cross_entropy(net(x), y)
    return torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(net.parameters()))])
