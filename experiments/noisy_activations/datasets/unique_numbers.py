"""Random sequences whose different numbers are to be counted, drawn as they are needed."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from repro.datasets.memory import CHUNK, Split
from repro.datasets.protocol import Batch, Feed, Order, Stateless
from repro.errors import whole
from repro.seeds import generator

from ..schedules.growth import Growth

HELD_OUT = ("valid", "test", "probe")  # each from a generator of its own


def unique_numbers(
    length: int, values: int, epoch_steps: int, valid_size: int, test_size: int, seed: int
) -> "UniqueNumbers":
    """How many different numbers a sequence has (Gulcehre et al. 2016, section 6.6); class k means k + 1 of them.

    With 11 values and length 26 always saying 10 errs in 55.8 % of the cases, with 10 values in 52.1 %.

    Args:
        length: numbers of a sequence.
        values: they are uniform on 0 ... values − 1; the paper's "between 0 and 10" is read as 11 values.
        epoch_steps: updates that count as an epoch.
        valid_size, test_size: sequences, drawn once, always of the full length.
        seed: of those.

    Raises:
        UserError: an option is not allowed.
    """
    for option, count, least in (
        ("length", length, 1),
        ("values", values, 2),
        ("epoch_steps", epoch_steps, 1),
        ("valid_size", valid_size, 0),
        ("test_size", test_size, 0),
    ):
        whole(option, count, least)
    whole("seed", seed, 0)
    return UniqueNumbers(length, values, epoch_steps, {"valid": valid_size, "test": test_size}, seed)


def distinct(x: Tensor, values: int) -> Tensor:
    """How many different numbers each sequence has: (..., length) to (...)."""
    seen = torch.zeros(*x.shape[:-1], values, dtype=torch.bool, device=x.device)
    return seen.scatter_(-1, x, True).sum(-1)


@dataclass(frozen=True)
class UniqueNumbers:
    """The data set; attributes as in `unique_numbers` and `Dataset`."""

    length: int
    values: int
    epoch_steps: int
    held_out: dict[str, int]
    seed: int
    name: str = field(default="unique_numbers", init=False)
    source: str = field(default="", init=False)
    shape: tuple[int, ...] = field(default=(), init=False)

    @property
    def outputs(self) -> int:
        """Classes: one a count."""
        return self.values

    @property
    def tokens(self) -> int:
        """Size of the vocabulary."""
        return self.values

    @property
    def sizes(self) -> dict[str, int | None]:
        """Sequences of each split."""
        return {"train": None, **self.held_out}

    def feed(self, order: Order) -> Feed:
        """`order.batch_size` fresh sequences an update."""
        return Fresh(self, order)

    def draw(self, split: str, count: int) -> Split:
        """The first `count` sequences of a split that is the same for all runs."""
        rng = np.random.default_rng([self.seed, 2, HELD_OUT.index(split)])
        x = torch.from_numpy(rng.integers(self.values, size=(count, self.length)))
        return Split(x, distinct(x, self.values) - 1)


class Fresh(Stateless):
    """A new batch for every update, which follows from seed and step alone; all its sequences are equally long.

    The curriculum `Growth`, if there is one, says how long; what is held out has the full length.
    """

    def __init__(self, data: UniqueNumbers, order: Order) -> None:
        self.data, self.seeds, self.size, self.device = data, order.seeds, order.size(data.name), order.device
        self.growth: Growth | None = order.level(data.name, Growth)
        if self.growth is not None:
            self.growth.check(data.length)
        self.per_epoch = data.epoch_steps
        self.updates = order.epochs * data.epoch_steps if order.steps is None else order.steps
        self.splits = {name: data.draw(name, n).to(order.device) for name, n in data.held_out.items()}
        self.length = self._length(0)  # of the batch that was asked for last

    def _length(self, step: int) -> int:
        if self.growth is None:
            return self.data.length
        return self.growth.length(step, self.updates, self.data.length)

    def batch(self, step: int) -> Batch:
        """See `Feed`."""
        self.length = self._length(step)
        shape = self.size, self.length
        draws = [torch.randint(self.data.values, shape, generator=generator(s, "order", step)) for s in self.seeds]
        x = torch.stack(draws)
        return Batch(x.to(self.device), (distinct(x, self.data.values) - 1).to(self.device))

    def batches(self, split: str) -> Iterator[Batch]:
        """See `Feed`; there is no end to the training split."""
        if split == "train":
            return
        x, y = self.splits[split].x, self.splits[split].y
        for first in range(0, len(x), CHUNK):
            yield Batch(x[first : first + CHUNK], y[first : first + CHUNK])

    def probe(self, samples: int) -> Batch:
        """See `Feed`; drawn besides what is trained on, of the full length."""
        found = self.data.draw("probe", samples).to(self.device)
        return Batch(found.x, found.y)

    def notes(self) -> dict[str, float]:
        """The length that was trained on last."""
        return {"length": float(self.length)}
