"""Pairs of sentences as numbers, and batches of them of about the same length."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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
"""Behind the end of a sentence, and before its first word; `repro.tasks.IGNORED`."""
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
            _filled(rows, device)
            for rows in (
                [torch.cat([row, end]) for row in sources],
                [torch.cat([none, row]) for row in targets],
                [torch.cat([row, end]) for row in targets],
            )
        )
        line = torch.full_like(chosen, NO_TOKEN) if self.first is None else chosen + self.first
        return Batch({"source": source, "target": before}, {"tokens": after, "line": line.to(device)})


def _alone(v: Tensor) -> Tensor:
    return v.unsqueeze(0)


def _filled(rows: list[Tensor], device: torch.device) -> Tensor:
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
        if len(order.seeds) > 1:
            raise UserError(
                f"dataset={self.name} has sentences of different lengths, which stacked seeds cannot share; "
                f"train them one by one with -m seed=range({len(order.seeds)})"
            )
        return Bunches(self, order)


class Bunches(Stateless):
    """Training pairs in an order of their own in every epoch, sorted by the target's length within 20 batches.

    Every pair comes once an epoch; batches of one pool come in random order. Evaluation goes from short to long.
    """

    def __init__(self, data: Pairs, order: Order) -> None:
        self.data, self.seed, self.device = data, order.seeds[0], order.device
        pairs = len(data.splits["train"].source)
        self.size = min(order.batch_size or pairs, pairs)
        self.per_epoch = -(-pairs // self.size)
        self._known: tuple[int, list[Tensor]] = (-1, [])

    def batch(self, step: int) -> Batch:
        """See `Feed`."""
        epoch, place = divmod(step, self.per_epoch)
        if self._known[0] != epoch:
            self._known = epoch, self._batches(epoch)
        own = self.data.splits["train"].batch(self._known[1][place], self.device)
        return Batch(mapped(_alone, own.x), mapped(_alone, own.y))

    def _batches(self, epoch: int) -> list[Tensor]:
        """Which pairs each batch of an epoch has."""
        rng, lengths = generator(self.seed, "order", epoch), self.data.splits["train"].target.lengths
        found: list[Tensor] = []
        for pool in torch.split(torch.randperm(len(lengths), generator=rng), POOL * self.size):
            batches = torch.split(pool[lengths[pool].argsort(stable=True)], self.size)
            found += [batches[i] for i in torch.randperm(len(batches), generator=rng).tolist()]
        return found

    def batches(self, split: str) -> Iterator[Batch]:
        """See `Feed`; the training pairs are too many to be read for nothing."""
        pairs = self.data.splits[split]
        if split == "train" or not len(pairs.source):
            return
        for chosen in torch.split(pairs.target.lengths.argsort(stable=True), EVALUATED):
            yield pairs.batch(chosen, self.device)

    def probe(self, samples: int) -> Batch:
        """See `Feed`."""
        pairs = self.data.splits["train"]
        return pairs.batch(torch.arange(min(samples, len(pairs.source))), self.device)
