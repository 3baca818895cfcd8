"""One hidden layer of sigmoids on exclusive or, by gradient descent; all seeds at once, gradients written out."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from repro.errors import number, whole
from repro.training.work import Measured, from_rows

BITS = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float64)
XOR = torch.tensor([0, 1, 1, 0], dtype=torch.float64)
LOOKS = 100  # steps from one look at the outputs to the next
MARGIN = 0.5  # the map reaches so far beyond the corners


def _check(*, hidden: int, steps: int, rate: float, side: int) -> None:
    whole("hidden", hidden, 1)
    whole("steps", steps, 1)
    number("rate", rate, 0, ends="()")
    whole("side", side, 0)


@from_rows(check=_check, stacked=True)
def xor_net(
    data: None, rngs: Sequence[torch.Generator], *, hidden: int, steps: int, rate: float, side: int
) -> Iterator[Measured]:
    """Train 2-hidden-1 nets on the four corners and say which learn them.

    Args:
        data: none.
        rngs: one a seed, of the weights and biases, N(0, 1).
        hidden: units.
        steps: of gradient descent, all four corners each.
        rate: on ½ Σ (o − y)², above 0.
        side: points along each side of a map of outputs over [−½, 1½]²; 0 = no map.
    """
    del data
    shapes = [(2, hidden), (1, hidden), (hidden, 1), (1, 1)]
    net = [torch.stack([torch.randn(s, generator=rng, dtype=torch.float64) for rng in rngs]) for s in shapes]
    first = np.full(len(rngs), float(steps))
    for step in range(steps + 1):
        hiddens, out = outputs(net, BITS)
        if step % LOOKS == 0 or step == steps:
            right = ((out > 0.5) == (XOR > 0.5)).all(1).numpy()
            first = np.where(right, np.minimum(first, step), first)
            yield Measured("loss", 0.5 * (out - XOR).square().sum(1), step)
        if step < steps:
            net = [p - rate * g for p, g in zip(net, gradients(net, hiddens, out), strict=True)]
    yield Measured("learnt", right, steps)
    yield Measured("learnt_step", first, steps)
    if side:
        along = torch.linspace(-MARGIN, 1 + MARGIN, side, dtype=torch.float64)
        grid = torch.cartesian_prod(along, along).flip(1)  # in rows from the bottom up
        for place, value in enumerate(outputs(net, grid)[1].T):
            yield Measured("map", value, place)


def outputs(net: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden activations (seeds, samples, hidden) and outputs (seeds, samples)."""
    w1, b1, w2, b2 = net
    hiddens = torch.sigmoid(x @ w1 + b1)
    return hiddens, torch.sigmoid(hiddens @ w2 + b2)[..., 0]


def gradients(net: Sequence[Tensor], hiddens: Tensor, out: Tensor) -> list[Tensor]:
    """Of ½ Σ (o − y)² over the four corners, by each weight and bias."""
    above = ((out - XOR) * out * (1 - out))[..., None]  # (seeds, samples, 1)
    below = above @ net[2].mT * hiddens * (1 - hiddens)
    return [BITS.T @ below, below.sum(1, keepdim=True), hiddens.mT @ above, above.sum(1, keepdim=True)]
