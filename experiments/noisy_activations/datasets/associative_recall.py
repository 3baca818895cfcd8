"""Associative recall: a list of items, one of them again, and the item after it is to be told (Graves et al. 2014)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from repro.datasets.protocol import Batch, Feed, Order, Stateless
from repro.errors import UserError, whole
from repro.seeds import generator

FLAGS = 2  # channels besides the bits: an item begins, the query begins or is over
LONG = 500  # sequences evaluated at once

# What the data set's own seed is for.
COUNTS, PROBE, VALID, TEST = range(4)


@dataclass(frozen=True)
class AssociativeRecall:
    """Sequences without end for training, and a fixed set of them for evaluation.

    Attributes:
        name: public name, as in `dataset=NAME`.
        counts: least and greatest number of items in training.
        length: vectors of an item.
        bits: of a vector.
        epoch_steps: updates that are called an epoch.
        eval_items: numbers of items in evaluation.
        each: sequences for each of these numbers, by split.
        seed: of the numbers of items, of evaluation sets and of the probe.
    """

    name: str
    counts: tuple[int, int]
    length: int
    bits: int
    epoch_steps: int
    eval_items: tuple[int, ...]
    each: dict[str, int]
    seed: int
    source: str = ""
    tokens: int | None = None

    @property
    def outputs(self) -> int:
        """Bits to predict at a step."""
        return self.bits

    @property
    def shape(self) -> tuple[int, ...]:
        """Bits and flags of a step."""
        return (self.bits + FLAGS,)

    @property
    def sizes(self) -> dict[str, int | None]:
        """Sequences of each split; training has no end."""
        return {"train": None, **{split: n * len(self.eval_items) for split, n in self.each.items()}}

    def feed(self, order: Order) -> Feed:
        """Fresh batches for every update."""
        order.without_curriculum(self.name)
        return Sequences(self, order)

    def drawn(self, rng: torch.Generator, batch: int, items: int) -> tuple[Tensor, Tensor]:
        """So many sequences with so many items, as `sequences` returns them, on the CPU."""
        bits = torch.randint(2, (batch, items, self.length, self.bits), generator=rng).float()
        return sequences(bits, torch.randint(items - 1, (batch,), generator=rng))


def associative_recall(
    min_items: int,
    max_items: int,
    item_length: int,
    bits: int,
    epoch_steps: int,
    eval_items: list[int],
    valid_size: int,
    test_size: int,
    seed: int,
) -> AssociativeRecall:
    """The task of Graves, Wayne and Danihelka (2014), section 4.3; `sequences` shows the layout.

    Training sequences are drawn afresh for every update. All of a batch have the same number of items, and in update
    i this number is the same for every seed of a run, so that seeds can be trained stacked: it follows from the data
    set's seed, everything else from the run's. Items are independent: with very few bits two of a sequence may be
    the same, and then the answer is open.

    Args:
        min_items: least number of items in training, 2 or more.
        max_items: greatest.
        item_length: vectors of an item.
        bits: of a vector.
        epoch_steps: updates that are called an epoch.
        eval_items: numbers of items in evaluation, each 2 or more; scores are means over all of these sequences.
        valid_size: sequences for each of these numbers in the validation set; 0 = no such set.
        test_size: the same for the test set.
        seed: of the numbers of items and of the evaluation sets, which all runs share.
    """
    whole("min_items", min_items, 2)
    whole("max_items", max_items, min_items)
    for option, value in (("item_length", item_length), ("bits", bits), ("epoch_steps", epoch_steps)):
        whole(option, value, 1)
    if not eval_items:
        raise UserError("eval_items must list one number of items or more, e.g. [2, 16]")
    for items in eval_items:
        whole("each of eval_items", items, 2)
    whole("valid_size", valid_size, 0)
    whole("test_size", test_size, 0)
    whole("seed", seed, 0)
    return AssociativeRecall(
        "associative_recall",
        (min_items, max_items),
        item_length,
        bits,
        epoch_steps,
        tuple(eval_items),
        {"valid": valid_size, "test": test_size},
        seed,
    )


def sequences(items: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs and targets of lists of n items, each of L vectors.

        item flag, L vectors        for each of the n items
        query flag, L vectors       the item that is asked about
        query flag, L blanks        where the item after it is to be told

    Args:
        items: bits, float32, shape (batch, n, L, bits).
        query: place of the item that is asked about, 0 to n - 2, int64, shape (batch,).

    Returns:
        x: (batch, (L + 1)(n + 2), bits + 2); the last two channels are item flag and query flag.
        y: the item after the query, (batch, L, bits), for the last L steps.
    """
    batch, n, length, bits = items.shape
    rows = torch.arange(batch, device=items.device)
    blocks = items.new_zeros(batch, n + 2, length + 1, bits + FLAGS)
    blocks[:, :n, 0, bits] = 1
    blocks[:, n:, 0, bits + 1] = 1
    blocks[:, :n, 1:, :bits] = items
    blocks[:, n, 1:, :bits] = items[rows, query]
    return blocks.flatten(1, 2), items[rows, query + 1]


class Sequences(Stateless):
    """Batches of one run: see `associative_recall`."""

    def __init__(self, data: AssociativeRecall, order: Order) -> None:
        self.data, self.seeds, self.size, self.device = data, order.seeds, order.size(data.name), order.device
        self.per_epoch = data.epoch_steps
        self.fixed = {split: self._evaluation(split) for split in data.each}

    def batch(self, step: int) -> Batch:
        """See `Feed`; everything follows from seed and step."""
        items = self._items(step)
        drawn = [self.data.drawn(generator(seed, "order", step), self.size, items) for seed in self.seeds]
        x, y = (torch.stack(part).to(self.device) for part in zip(*drawn, strict=True))
        return Batch(x, y)

    def batches(self, split: str) -> Iterator[Batch]:
        """See `Feed`; there is nothing to go through in training data without end."""
        return iter(self.fixed.get(split, ()))

    def probe(self, samples: int) -> Batch:
        """See `Feed`: so many sequences of the greatest length."""
        x, y = self.data.drawn(self._rng(PROBE), samples, self.data.counts[1])
        return Batch(x.to(self.device), y.to(self.device))

    def _items(self, step: int) -> int:
        least, most = self.data.counts
        return int(np.random.default_rng([self.data.seed, COUNTS, step]).integers(least, most + 1))

    def _evaluation(self, split: str) -> Sequence[Batch]:
        rng, size = self._rng({"valid": VALID, "test": TEST}[split]), self.data.each[split]
        found = []
        for items in self.data.eval_items:
            x, y = (part.to(self.device) for part in self.data.drawn(rng, size, items))
            found += [Batch(x[i : i + LONG], y[i : i + LONG]) for i in range(0, size, LONG)]
        return found

    def _rng(self, purpose: int) -> torch.Generator:
        sequence = np.random.SeedSequence([self.data.seed, purpose])
        return torch.Generator().manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))
