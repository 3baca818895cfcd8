"""Pairs of sentences as numbers, and batches of them of about the same length."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from repro.datasets.about import About
from repro.datasets.protocol import Batch, Feed, Order, Stateless
from repro.errors import UserError
from repro.model.trees import mapped
from repro.seeds import generator
from repro.storage.metrics import SPLITS

NO_TOKEN = -1
"""Behind the end of a sentence, where it is `repro.tasks.IGNORED`, and before its first word."""
END = 0  # the number of the token that ends a sentence
POOL = 20  # batches whose sentences are sorted by length together
EVALUATED = 64  # sentences evaluated at once; changes no number, only the speed


class Sentences:
    """Sentences as numbers of tokens, one behind the other.

    Args:
        sentences: numbers of each, without the token that ends it.
    """

    def __init__(self, sentences: Sequence[Sequence[int]]) -> None:
        self.lengths = torch.tensor([len(one) for one in sentences], dtype=torch.int64)
        self.starts = self.lengths.cumsum(0) - self.lengths
        self.tokens = torch.tensor([token for one in sentences for token in one], dtype=torch.int32)

    def __len__(self) -> int:
        """How many."""
        return len(self.lengths)

    def __getitem__(self, i: int) -> Tensor:
        """Numbers of one, int64."""
        start = int(self.starts[i])
        return self.tokens[start : start + int(self.lengths[i])].long()


@dataclass(frozen=True)
class Split:
    """Pairs of one split.

    Attributes:
        source, target: as many sentences each.
        first: the line of the first pair among the references; None where there are none.
    """

    source: Sentences
    target: Sentences
    first: int | None = None

    def batch(self, chosen: Tensor, device: torch.device) -> Batch:
        """Some of the pairs, filled up with `NO_TOKEN`.

        `x` has the source with its end, and the target from the token before its first word (`NO_TOKEN`) to its last;
        `y` has the target's tokens with its end, and the line of each reference, or `NO_TOKEN`.
        """
        end, none = torch.tensor([END]), torch.tensor([NO_TOKEN])
        sources, targets = ([side[i] for i in chosen.tolist()] for side in (self.source, self.target))
        source, before, after = (
            padded(rows, device)
            for rows in (
                [torch.cat([row, end]) for row in sources],
                [torch.cat([none, row]) for row in targets],
                [torch.cat([row, end]) for row in targets],
            )
        )
        line = torch.full_like(chosen, NO_TOKEN) if self.first is None else chosen + self.first
        return Batch({"source": source, "target": before}, {"tokens": after, "line": line.to(device)})

    @property
    def lengths(self) -> Tensor:
        """Tokens of each target."""
        return self.target.lengths


def _alone(v: Tensor) -> Tensor:
    return v.unsqueeze(0)


def padded(rows: list[Tensor], device: torch.device) -> Tensor:
    """Rows of numbers, (rows, steps), with `NO_TOKEN` behind the shorter ones."""
    return pad_sequence(rows, batch_first=True, padding_value=NO_TOKEN).to(device)


@dataclass(frozen=True)
class Pairs:
    """The data set; attributes as in `Dataset`.

    Attributes:
        tokens: types of the source language.
        outputs: types of the target language.
        about: how numbers are read, and how the data were.
    """

    name: str
    splits: Mapping[str, Split]
    tokens: int
    outputs: int
    about: About
    source: str = ""
    shape: tuple[int, ...] = field(default=(), init=False)

    @property
    def sizes(self) -> dict[str, int | None]:
        """Pairs of each split."""
        return {name: len(self.splits[name].source) for name in SPLITS}

    def feed(self, order: Order) -> Feed:
        """Batches of pairs whose targets have about the same length."""
        order.without_curriculum(self.name)
        return Buckets(self.name, self.splits, order)


class Texts(Protocol):
    """A split whose samples end in texts of different lengths."""

    @property
    def lengths(self) -> Tensor:
        """Tokens of each sample's text, (samples,)."""

    def batch(self, chosen: Tensor, device: torch.device) -> Batch:
        """Some of the samples."""


class Buckets(Stateless):
    """Training texts in an order of their own in every epoch, sorted by length within 20 batches: bucketing.

    Every text comes once an epoch; batches of one pool come in random order. Evaluation goes from short to long.

    Args:
        name: of the data set.
        splits: train, valid and test.
        order: what the run asks for.

    Raises:
        UserError: several seeds are stacked.
    """

    def __init__(self, name: str, splits: Mapping[str, Texts], order: Order) -> None:
        if len(order.seeds) > 1:
            raise UserError(
                f"dataset={name} has sentences of different lengths, which stacked seeds cannot share; "
                f"train them one by one with -m seed=range({len(order.seeds)})"
            )
        self.splits, self.seed, self.device = splits, order.seeds[0], order.device
        samples = len(splits["train"].lengths)
        self.size = min(order.batch_size or samples, samples)
        self.per_epoch = -(-samples // self.size)
        self._known: tuple[int, list[Tensor]] = (-1, [])

    def batch(self, step: int) -> Batch:
        """See `Feed`."""
        epoch, place = divmod(step, self.per_epoch)
        if self._known[0] != epoch:
            self._known = epoch, self._batches(epoch)
        own = self.splits["train"].batch(self._known[1][place], self.device)
        return Batch(mapped(_alone, own.x), mapped(_alone, own.y))

    def _batches(self, epoch: int) -> list[Tensor]:
        """Which texts each batch of an epoch has."""
        rng, lengths = generator(self.seed, "order", epoch), self.splits["train"].lengths
        found: list[Tensor] = []
        for pool in torch.split(torch.randperm(len(lengths), generator=rng), POOL * self.size):
            batches = torch.split(pool[lengths[pool].argsort(stable=True)], self.size)
            found += [batches[i] for i in torch.randperm(len(batches), generator=rng).tolist()]
        return found

    def batches(self, split: str) -> Iterator[Batch]:
        """See `Feed`; the training texts are too many to be read for nothing."""
        lengths = self.splits[split].lengths
        if split == "train" or not len(lengths):
            return
        for chosen in torch.split(lengths.argsort(stable=True), EVALUATED):
            yield self.splits[split].batch(chosen, self.device)

    def probe(self, samples: int) -> Batch:
        """See `Feed`."""
        train = self.splits["train"]
        return train.batch(torch.arange(min(samples, len(train.lengths))), self.device)
