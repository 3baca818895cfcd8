"""The size of a hidden layer found by deleting its units, or by adding some, a few at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from repro.datasets.memory import Data, Split
from repro.errors import UserError, number, unknown, whole
from repro.training.work import Measured, from_rows

DIRECTIONS = ("prune", "grow", "fresh")
SLACK = 0.01  # of validation accuracy that a smaller net may lack and is still chosen


@dataclass(frozen=True)
class Net:
    """One hidden layer of ReLUs between linear maps.

    Attributes:
        into: weights of the hidden units, (units, inputs), and their biases, (units,).
        out: weights of the outputs, (classes, units), and their biases, (classes,).
    """

    into: tuple[Tensor, Tensor]
    out: tuple[Tensor, Tensor]

    @property
    def units(self) -> int:
        """Of the hidden layer."""
        return len(self.into[1])

    def hidden(self, x: Tensor) -> Tensor:
        """(samples, inputs) to (samples, units)."""
        return functional.linear(x, *self.into).relu()

    def outputs(self, x: Tensor) -> Tensor:
        """(samples, inputs) to (samples, classes)."""
        return functional.linear(self.hidden(x), *self.out)


@from_rows
def prune_and_grow(
    data: Data,
    rng: torch.Generator,
    *,
    direction: str,
    sizes: list[int],
    first_steps: int,
    steps: int,
    batch_size: int,
    lr: float,
) -> Iterator[Measured]:
    """Accuracy by the number of hidden units on the way down or up, and the size that the validation split chooses.

    Rows for each size n, all in [0, 1] and after so many updates: changed_accuracy_of_n, on the test split as soon as
    units are gone or there; test_accuracy_of_n and valid_accuracy_of_n after they have been tuned. At the end
    chosen_size: the smallest with a validation accuracy within 0.01 of the best on the way.

    Args:
        data: classes, in memory.
        rng: of weights and batches.
        direction: prune, from the largest size down: the units with the smallest product of the activation's standard
            deviation and the norm of the weights that leave it go, their mean activations into the biases behind
            them; grow, from the smallest up: new units come with weights of 0 that leave them; fresh, a new net a size.
        sizes: of the hidden layer, rising.
        first_steps: updates of a new net.
        steps: updates after each change.
        batch_size: samples of an update, drawn with replacement.
        lr: Adam's learning rate; each net and each change starts it anew.

    Raises:
        UserError: a setting is not allowed, or the data set's targets are not classes.
    """
    _check(data, direction, sizes, first_steps, steps, batch_size, lr)
    features, x = data.train.x[0].numel(), data.train.x.flatten(1)
    net: Net | None = None
    made, valid = 0, {}
    for units in reversed(sizes) if direction == "prune" else sizes:
        if net is None or direction == "fresh":
            net, due = fresh(features, units, data.outputs, rng), first_steps
        else:
            net, due = pruned(net, units, x) if direction == "prune" else grown(net, units, rng), steps
            yield Measured(f"changed_accuracy_of_{units}", accuracy(net, data.test), made)
        tune(net, data.train, due, batch_size, lr, rng)
        made += due
        valid[units] = accuracy(net, data.valid)
        yield Measured(f"test_accuracy_of_{units}", accuracy(net, data.test), made)
        yield Measured(f"valid_accuracy_of_{units}", valid[units], made)
    good = max(valid.values()) - SLACK
    yield Measured("chosen_size", min(units for units, value in valid.items() if value >= good), made)


def _check(
    data: Data, direction: str, sizes: list[int], first_steps: int, steps: int, batch_size: int, lr: float
) -> None:
    if direction not in DIRECTIONS:
        raise unknown("procedure.direction", str(direction), DIRECTIONS)
    if not sizes or sizes[0] < 1 or any(a >= b for a, b in pairwise(sizes)):
        raise UserError(f"procedure.sizes must be whole numbers of 1 or more that rise, e.g. [2,4,8], not {sizes}")
    counts = {"first_steps": first_steps, "steps": steps, "batch_size": batch_size}
    for name, value in counts.items():
        whole(f"procedure.{name}", value, 0 if name == "steps" else 1)
    number("procedure.lr", lr, 0)
    y = data.train.y
    if not isinstance(y, Tensor) or y.is_floating_point() or y.dim() != 1 or not len(data.valid):
        raise UserError(
            "procedure=prune_and_grow needs a class each sample and a validation split; take dataset=digits"
        )


def fresh(inputs: int, units: int, classes: int, rng: torch.Generator) -> Net:
    """He's normal weights for the hidden units, N(0, 1/units) for the outputs, biases of 0."""
    into = torch.randn(units, inputs, generator=rng) * (2 / inputs) ** 0.5
    out = torch.randn(classes, units, generator=rng) * (1 / units) ** 0.5
    return Net((into, torch.zeros(units)), (out, torch.zeros(classes)))


def pruned(net: Net, units: int, x: Tensor) -> Net:
    """The net with so many of its units, those that move its outputs most; x are the samples on which that is seen."""
    hidden = net.hidden(x)
    importance = hidden.std(0, correction=0) * net.out[0].norm(dim=0)
    order = importance.argsort(descending=True)
    kept, gone = order[:units].sort().values, order[units:]
    bias = net.out[1] + net.out[0][:, gone] @ hidden[:, gone].mean(0)
    return Net((net.into[0][kept], net.into[1][kept]), (net.out[0][:, kept], bias))


def grown(net: Net, units: int, rng: torch.Generator) -> Net:
    """The net with new units, up to so many, drawn as in `fresh`; its outputs are what they were."""
    new = fresh(net.into[0].shape[1], units - net.units, len(net.out[1]), rng)
    weights = torch.cat([net.out[0], torch.zeros_like(new.out[0])], dim=1)
    return Net((torch.cat([net.into[0], new.into[0]]), torch.cat([net.into[1], new.into[1]])), (weights, net.out[1]))


def tune(net: Net, split: Split, steps: int, batch_size: int, lr: float, rng: torch.Generator) -> None:
    """So many updates of the net's parameters, in place, by Adam on the cross-entropy."""
    parameters = [p.requires_grad_() for p in (*net.into, *net.out)]
    optimizer, x = torch.optim.Adam(parameters, lr=lr), split.x.flatten(1)
    for _ in range(steps):
        chosen = torch.randint(len(x), (batch_size,), generator=rng)
        optimizer.zero_grad()
        torch.autograd.backward(functional.cross_entropy(net.outputs(x[chosen]), split.y[chosen]))
        optimizer.step()
    for parameter in parameters:
        parameter.requires_grad = False


def accuracy(net: Net, split: Split) -> float:
    """Share of right answers, in [0, 1]."""
    return float((net.outputs(split.x.flatten(1)).argmax(1) == split.y).double().mean())
