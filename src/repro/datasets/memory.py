"""Batches of tensors in memory, in a new random order each epoch."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from repro.datasets.protocol import Batch, Split, Stateless
from repro.seeds import generator

CHUNK = 2000  # samples evaluated at once


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
            return Batch(train.x.expand(len(seeds), *train.x.shape), train.y.expand(len(seeds), *train.y.shape))
        epoch, place = divmod(step, self.per_epoch)
        if self.order is None or self.order[0] != epoch:
            orders = [torch.randperm(len(train), generator=generator(s, "order", epoch)) for s in seeds]
            self.order = epoch, torch.stack(orders).to(train.x.device)
        chosen = self.order[1][:, place * self.size : (place + 1) * self.size]
        x = train.x.index_select(0, chosen.flatten())  # copies samples whole, which train.x[chosen] does not
        return Batch(x.view(*chosen.shape, *x.shape[1:]), train.y[chosen])

    def batches(self, split: str) -> Iterator[Batch]:
        """See `Feed`."""
        x, y = self.splits[split].x, self.splits[split].y
        for first in range(0, len(x), CHUNK):
            yield Batch(x[first : first + CHUNK], y[first : first + CHUNK])

    def probe(self, samples: int) -> Batch:
        """See `Feed`."""
        train = self.splits["train"]
        return Batch(train.x[:samples], train.y[:samples])
