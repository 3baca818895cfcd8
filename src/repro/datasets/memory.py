"""Data sets in memory, and their batches in a new random order each epoch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from repro.datasets.about import About
from repro.datasets.protocol import Batch, Feed, Order, Stateless
from repro.model.trees import Tree, leaves, mapped, samples
from repro.seeds import generator
from repro.storage.metrics import SPLITS

CHUNK = 2000  # samples evaluated at once


@dataclass(frozen=True)
class Split:
    """One part of a data set.

    Attributes:
        x: inputs, float32 or, of images, bytes (uint8), shape (n, features) or (n, channels, height, width); or a tree
            of inputs.
        y: classes, int64, shape (n,), or values to predict, float32, shape (n, targets); or a tree of targets.
    """

    x: Tree
    y: Tree

    def __len__(self) -> int:
        return samples(self.x)

    def to(self, device: torch.device, dtype: torch.dtype = torch.float32) -> "Split":
        """The same on a device; what is real gets this type."""

        def there(v: Tensor) -> Tensor:
            return v.to(device, dtype if v.is_floating_point() else v.dtype)

        return Split(mapped(there, self.x), mapped(there, self.y))


@dataclass(frozen=True)
class Data:
    """A whole data set in memory; a split of size 0 is an empty tensor of the right shape.

    Attributes:
        train: the only split that statistics are taken from.
        valid: for early stopping and choosing settings.
        test: for the number that is reported.
        outputs: classes, or values to predict per sample.
        name: public name, as in `dataset=NAME`.
        source: which files were read, in words; empty for data that are bundled or generated.
        make_feed: what makes batches of the splits where inputs are not yet what a net takes; None = `Shuffled`.
        about: what classes and columns are called, where somebody has named them.
    """

    train: Split
    valid: Split
    test: Split
    outputs: int
    name: str
    source: str = ""
    make_feed: Callable[[dict[str, Split], Order], Feed] | None = None
    about: About | None = None
    tokens: int | None = field(default=None, init=False)

    @property
    def shape(self) -> Any:
        """Of one input; a tree of shapes where inputs are a tree."""
        return mapped(lambda v: tuple(v.shape[1:]), self.train.x)

    @property
    def sizes(self) -> dict[str, int | None]:
        """Samples of each split."""
        return {name: len(getattr(self, name)) for name in SPLITS}

    def feed(self, order: Order) -> Feed:
        """Batches in random order, every sample once an epoch."""
        order.without_curriculum(self.name)
        splits = {name: getattr(self, name).to(order.device, order.dtype) for name in SPLITS}
        make = self.make_feed or (lambda splits, order: Shuffled(splits, order.seeds, order.batch_size))
        return make(splits, order)


class Shuffled(Stateless):
    """Every training sample once an epoch, each replica in the order of its own seed.

    Args:
        splits: train, valid and test, on the device of the run.
        seeds: one a replica.
        batch_size: samples of a batch; None = the whole training split.
    """

    def __init__(self, splits: Mapping[str, Split], seeds: Sequence[int], batch_size: int | None) -> None:
        self.splits, self.seeds = splits, seeds
        samples = len(splits["train"])
        self.size = min(batch_size or samples, samples)
        # A last batch of one sample has no variance for batch norm; it is left out for every net alike.
        self.per_epoch = samples // self.size + (samples % self.size > (1 if self.size > 1 else 0))
        self.order: tuple[int, Tensor] | None = None

    def batch(self, step: int) -> Batch:
        """See `Feed`; an epoch's order follows from seed and epoch alone, so that resuming needs no state."""
        train, seeds = self.splits["train"], self.seeds
        if self.size == len(train):
            return Batch(*(mapped(lambda v: v.expand(len(seeds), *v.shape), tree) for tree in (train.x, train.y)))
        epoch, place = divmod(step, self.per_epoch)
        if self.order is None or self.order[0] != epoch:
            orders = [torch.randperm(len(train), generator=generator(s, "order", epoch)) for s in seeds]
            self.order = epoch, torch.stack(orders).to(leaves(train.x)[0].device)
        chosen = self.order[1][:, place * self.size : (place + 1) * self.size]

        def picked(v: Tensor) -> Tensor:
            whole = v.index_select(0, chosen.flatten())  # copies samples whole, which v[chosen] does not
            return whole.view(*chosen.shape, *whole.shape[1:])

        return Batch(mapped(picked, train.x), mapped(picked, train.y))

    def batches(self, split: str) -> Iterator[Batch]:
        """See `Feed`."""
        whole = self._whole(split)
        for first in range(0, len(whole), CHUNK):
            yield whole.part(slice(first, first + CHUNK))

    def probe(self, samples: int) -> Batch:
        """See `Feed`."""
        return self._whole("train").part(slice(samples))

    def _whole(self, split: str) -> Batch:
        return Batch(self.splits[split].x, self.splits[split].y)
