"""What the nets of a training loop say of a split, sample by sample, as lines of tables."""

import math
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

from torch.nn import functional

from repro.model.trees import leaves
from repro.training.evaluation import some

if TYPE_CHECKING:
    from repro.training.loop import Loop

PICTURES = 5  # samples whose attention is written down, at most


def predictions(loop: "Loop", split: str) -> Iterator[tuple[Any, ...]]:
    """Seed, step, split, sample, first two inputs, target and prediction of every sample of a split."""
    first = 0
    for batch in loop.feed.batches(split):
        first_two = leaves(batch.x)[0].flatten(1)[:, :2].double()
        inputs = functional.pad(first_two, (0, 1), value=math.nan)[:, :2].tolist()
        predicted = loop.learner.predict(batch.x).tolist()
        targets = (batch.y if batch.y.dim() == 1 else batch.y[:, 0]).tolist()
        for i, seed in loop.alive():
            rows = zip(inputs, targets, predicted[i], strict=True)
            yield from ((seed, loop.step, split, first + n, *x, y, p) for n, (x, y, p) in enumerate(rows))
        first += len(batch)


def texts(loop: "Loop", split: str) -> Iterator[tuple[Any, ...]]:
    """Seed, step, split, sample, what was wanted and what the net says, of every sample of a split."""
    first = 0
    with loop.kept.loaded(loop.learner):
        for batch in loop.feed.batches(split):
            pairs = loop.learner.texts(batch)
            for i, seed in loop.alive():
                for n, pair in enumerate(pairs[i], first):
                    yield (seed, loop.step, split, n, *(" ".join(text.splitlines()) for text in pair))
            first += len(batch)


def attention(loop: "Loop", split: str) -> Iterator[tuple[Any, ...]]:
    """Seed, sample, place and word said, place looked at with what is known of it, weight: of a few samples.

    They are spread evenly over a split, which goes from short to long. The lines are those of attention.csv, or of
    looks.csv where places are of an image.
    """
    size = loop.sizes.get(split) or 0
    samples = iter(i * size // PICTURES for i in range(PICTURES)) if size > PICTURES else iter(range(size))
    with loop.kept.loaded(loop.learner):
        for batch in some(loop.feed.batches(split), size, PICTURES):
            for places, said, weights in loop.learner.attention(batch):
                sample, values = next(samples), weights.tolist()
                for t, s in product(range(len(said)), range(len(places))):
                    yield loop.seeds[0], sample, t, said[t], s, *places[s], values[t][s]
