"""So many images of digits, another draw for each seed, to see what more of them are good for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from repro.datasets.digits import bundled
from repro.datasets.from_arrays import divide
from repro.datasets.memory import Shuffled, Split
from repro.datasets.mnist import samples
from repro.datasets.protocol import Batch, Feed, Order, Stateless
from repro.datasets.store.files import contents
from repro.errors import UserError, unknown, whole
from repro.seeds import generator

IMAGES = ("mnist", "digits")
TESTED = 450  # of the 1,797 digits of scikit-learn


@dataclass(frozen=True)
class Drawn:
    """Images to draw from, and a split to test on; a `Dataset`.

    Attributes:
        drawn_from: all training images, (n, 1, height, width), and their classes, (n,).
        test: the same for the test split.
        size: images that each seed draws, from 1 to n.
        source: which files were read, in words.
    """

    drawn_from: Split
    test: Split
    size: int
    source: str
    name = "drawn_images"
    outputs = 10
    tokens = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image."""
        return tuple(self.drawn_from.x.shape[1:])

    @property
    def sizes(self) -> dict[str, int | None]:
        """Samples of each split; there is none for validation."""
        return {"train": self.size, "valid": 0, "test": len(self.test)}

    def draw(self, rng: torch.Generator) -> Tensor:
        """Which images a seed has, (size,), by the generator of its noise; a smaller draw is the head of a larger."""
        return torch.randperm(len(self.drawn_from), generator=rng)[: self.size]

    def feed(self, order: Order) -> Feed:
        """Batches of each seed's own images in random order, every one of them once an epoch."""
        order.without_curriculum(self.name)
        # A procedure without steps has the same generator, and so the same images.
        own = torch.stack([self.draw(generator(seed, "noise")) for seed in order.seeds])
        drawn_from, test = (split.to(order.device, order.dtype) for split in (self.drawn_from, self.test))
        return Draws(drawn_from, test, own.to(order.device), order.seeds, order.batch_size)


class Draws(Stateless):
    """Batches in which each replica has images of its own draw.

    Args:
        drawn_from, test: as in `Drawn`.
        own: which images each replica has, (replicas, size).
        seeds: one a replica.
        batch_size: images of a batch; None = all of a draw.
    """

    def __init__(
        self, drawn_from: Split, test: Split, own: Tensor, seeds: Sequence[int], batch_size: int | None
    ) -> None:
        self.drawn_from, self.own = drawn_from, own
        places = torch.arange(own.shape[1], device=own.device)
        nothing = Split(test.x[:0], test.y[:0])
        # What is shuffled are places in the draws.
        splits: Mapping[str, Split] = {"train": Split(places, places), "valid": nothing, "test": test}
        self.places = Shuffled(splits, seeds, batch_size)
        self.per_epoch = self.places.per_epoch

    def batch(self, step: int) -> Batch:
        """See `Feed`."""
        return self._of(self.own.gather(1, self.places.batch(step).x))

    def batches(self, split: str) -> Iterator[Batch]:
        """See `Feed`; of the training split the first replica's images."""
        if split != "train":
            return self.places.batches(split)
        return (self._of(self.own[0][batch.x]) for batch in self.places.batches(split))

    def probe(self, samples: int) -> Batch:
        """See `Feed`; the first replica's images."""
        return self._of(self.own[0][:samples])

    def _of(self, chosen: Tensor) -> Batch:
        """Images and classes at places of any shape."""
        x, y = (v.index_select(0, chosen.flatten()) for v in (self.drawn_from.x, self.drawn_from.y))
        return Batch(x.view(*chosen.shape, *x.shape[1:]), y.view(chosen.shape))


def drawn_images(images: str, size: int, pool: int, data_dir: str | None) -> Drawn:
    """Images in [0, 1], shape (1, side, side); the test split is the official one, and there is none for validation.

    Args:
        images: mnist, draws from its 60,000 training images; or digits, from those of scikit-learn, but for 450.
        size: images of a draw.
        pool: each square of so many pixels a side is replaced by its mean; a divisor of the side, 28 or 8.
        data_dir: cache folder; None means the user's.

    Raises:
        UserError: an option is not allowed; a file is missing, truncated or not the official one.
    """
    if images not in IMAGES:
        raise unknown("images", str(images), IMAGES)
    whole("size", size, 1)
    side, brightest = (28, 255) if images == "mnist" else (8, 16)
    whole("pool", pool, 1)
    if side % pool:
        fitting = ", ".join(str(n) for n in range(1, side) if side % n == 0)
        raise UserError(f"pool must divide the {side} pixels of a side: {fitting}; not {pool}")
    (x, y), (test_x, test_y), source = _mnist(data_dir) if images == "mnist" else _digits()
    if size > len(x):
        raise UserError(f"size {size} is more than the {len(x)} training images of {images}; lower it")
    drawn_from, test = (_split(*pair, brightest, pool) for pair in ((x, y), (test_x, test_y)))
    return Drawn(drawn_from, test, size, source)


def _mnist(data_dir: str | None) -> tuple[Any, Any, str]:
    edition, (train_x, train_y, test_x, test_y) = contents("mnist", data_dir)
    return samples(train_x, train_y), samples(test_x, test_y), f"mnist: {edition.label}"


def _digits() -> tuple[Any, Any, str]:
    parts = divide(*bundled(), 0, TESTED, 0)
    return parts.train, parts.test, ""


def _split(x: NDArray[Any], y: NDArray[Any], brightest: int, pool: int) -> Split:
    pixels = torch.from_numpy(np.divide(x, np.float32(brightest), dtype=np.float32))
    return Split(functional.avg_pool2d(pixels, pool), torch.from_numpy(np.require(y, np.int64, ["C", "W"])))
