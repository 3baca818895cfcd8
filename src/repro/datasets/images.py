"""Images that stay bytes in memory: augmented and normalized a whole batch at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from repro.datasets.memory import CHUNK, Shuffled, Split
from repro.datasets.preprocessing import ROTATIONS, Affine
from repro.datasets.protocol import Batch, Feed, Order, Stateless
from repro.errors import UserError, whole
from repro.seeds import generator


@dataclass(frozen=True)
class Normalization:
    """(bytes / unit - mean) / scale, by the elementwise operations of `preprocessing`, to the last bit in float32.

    Attributes:
        unit: what bytes are divided by. A tensor, like the others: dividing by a number is not exact on a GPU.
        mean: of the shape of an image, or (channels, 1, 1); None subtracts nothing.
        scale: likewise.
    """

    unit: Tensor
    mean: Tensor | None
    scale: Tensor | None

    @classmethod
    def of(cls, unit: float, learnt: Affine) -> "Normalization":
        """From a unit and what was learnt from the training split."""
        mean, scale = (None if v is None else torch.tensor(v.astype(np.float32)) for v in (learnt.mean, learnt.scale))
        return cls(torch.tensor(unit, dtype=torch.float32), mean, scale)

    def to(self, device: torch.device, dtype: torch.dtype) -> "Normalization":
        """The same on a device, in another type."""
        mean, scale = (None if v is None else v.to(device, dtype) for v in (self.mean, self.scale))
        return Normalization(self.unit.to(device, dtype), mean, scale)

    def __call__(self, x: Tensor) -> Tensor:
        """Bytes (..., channels, height, width) to real numbers."""
        out = x.to(self.unit.dtype).div_(self.unit)
        if self.mean is not None:
            out.sub_(self.mean)
        return out if self.scale is None else out.div_(self.scale)


@dataclass(frozen=True)
class Augmentation:
    """What is done to training images at random.

    Attributes:
        crop: pixels of black on every side of the image, out of which a window of its size is cut; None cuts nothing.
        flip: whether it is mirrored left to right with probability 1/2.
    """

    crop: int | None
    flip: bool | None

    @property
    def on(self) -> bool:
        """Whether anything is done."""
        return bool(self.crop or self.flip)

    def check(self, preprocessing: str) -> None:
        """Raise a `UserError` for what makes no sense; called before files are read."""
        if self.crop is not None:
            whole("crop", self.crop, 1)
        if self.on and preprocessing in ROTATIONS:
            option = "crop" if self.crop else "flip"
            raise UserError(
                f"{option} needs pixels, and after preprocessing={preprocessing} there are none; "
                f"use channels, say, or leave {option}=null"
            )

    def check_size(self, shape: Sequence[int]) -> None:
        """Raise a `UserError` where a window could miss images (n, channels, height, width) altogether."""
        if self.crop is not None and self.crop >= min(shape[2:]):
            raise UserError(f"crop must be less than {min(shape[2:])}, the side of the images, not {self.crop}")

    def draw(self, seed: int, epoch: int, samples: int) -> Tensor:
        """(samples, 3): 1 where an image is mirrored, and the window's first row and column, 0 ... 2 · crop."""
        rng = generator(seed, "augmentation", epoch)
        # Drawn whether it is used or not: switching flips on moves no window.
        flips = torch.randint(2, (samples, 1), generator=rng)
        return torch.cat([flips, torch.randint(2 * (self.crop or 0) + 1, (samples, 2), generator=rng)], 1)

    def __call__(self, x: Tensor, drawn: Tensor) -> Tensor:
        """Images (replicas, batch, channels, height, width) changed as drawn, (replicas, batch, 3)."""
        images = x.flatten(0, 1)
        flips, rows, columns = drawn.flatten(0, 1).unbind(1)
        if self.crop:
            images = _windows(functional.pad(images, (self.crop,) * 4), rows, columns, images.shape[2:])
        if self.flip:
            images = torch.where(flips.bool()[:, None, None, None], images.flip(3), images)
        return images.reshape(x.shape)


def _windows(images: Tensor, rows: Tensor, columns: Tensor, size: Sequence[int]) -> Tensor:
    """The window of each image (n, channels, height, width) that begins at its row and column, each (n,)."""
    count, channels, tall, wide = images.shape
    planes = torch.arange(count * channels, device=images.device).view(count, channels, 1)
    lines = torch.arange(size[0], device=images.device) + rows.view(-1, 1, 1)
    starts = (planes * tall + lines) * wide + columns.view(-1, 1, 1)  # (n, channels, lines)
    # Lines are copied whole, out of all that could be: several times faster than pixel by pixel.
    picked = images.flatten().unfold(0, size[1], 1).index_select(0, starts.flatten())
    return picked.view(count, channels, *size)


@dataclass(frozen=True)
class Images:
    """How splits of bytes become batches."""

    augmentation: Augmentation
    normalization: Normalization

    def feed(self, splits: dict[str, Split], order: Order) -> Feed:
        """Batches for one run; the splits are on its device."""
        normalize = self.normalization.to(order.device, order.dtype)
        plain = Shuffled(splits, order.seeds, order.batch_size)
        if self.augmentation.on or plain.size < len(splits["train"]):
            return Pictures(plain, self.augmentation, normalize)
        # The same batch at every step is made once.
        floats = {name: Split(normalize(split.x), split.y) for name, split in splits.items()}
        return Shuffled(floats, order.seeds, order.batch_size)


class Pictures(Stateless):
    """Training batches augmented and normalized, the others normalized.

    Args:
        plain: batches of bytes.
        augmentation: of training batches; each replica has its own draws.
        normalize: bytes to a net's inputs.
    """

    def __init__(self, plain: Shuffled, augmentation: Augmentation, normalize: Normalization) -> None:
        self.plain, self.augmentation, self.normalize = plain, augmentation, normalize
        self.per_epoch = plain.per_epoch
        self.drawn: tuple[int, Tensor] | None = None

    def batch(self, step: int) -> Batch:
        """See `Feed`; an epoch's draws follow from seed and epoch alone, so that resuming needs no state."""
        batch = self.plain.batch(step)
        x = self.augmentation(batch.x, self._drawn(step)) if self.augmentation.on else batch.x
        return Batch(self.normalize(x), batch.y)

    def _drawn(self, step: int) -> Tensor:
        """(replicas, batch, 3): the draws for the images at their places in the epoch."""
        epoch, place = divmod(step, self.per_epoch)
        if self.drawn is None or self.drawn[0] != epoch:
            train = self.plain.splits["train"].x
            draws = [self.augmentation.draw(seed, epoch, len(train)) for seed in self.plain.seeds]
            self.drawn = epoch, torch.stack(draws).to(train.device)
        return self.drawn[1][:, place * self.plain.size : (place + 1) * self.plain.size]

    def batches(self, split: str) -> Iterator[Batch]:
        """See `Feed`."""
        return (Batch(self.normalize(batch.x), batch.y) for batch in self.plain.batches(split))

    def probe(self, samples: int) -> Batch:
        """See `Feed`."""
        batch = self.plain.probe(samples)
        return Batch(self.normalize(batch.x), batch.y)


def check_side(side: int | None, pixels: int) -> None:
    """Raise a `UserError` unless `side` is None or a whole number from 1 to what images have a side."""
    if side is None:
        return
    whole("side", side, 1)
    if side > pixels:
        raise UserError(f"side={side} is more than the {pixels} pixels that images have a side; lower it, or null")


def shrunk(x: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Smaller images: each pixel is the mean of the area that it covers, what it covers in part counting in part.

    Args:
        x: (n, channels, height, width).
        side: pixels of the new height and width.

    Returns:
        (n, channels, side, side), rounded to whole bytes.
    """
    rows, columns = (_areas(length, side) for length in x.shape[2:])
    out = np.empty((*x.shape[:2], side, side), dtype=np.uint8)
    for first in range(0, len(x), CHUNK):
        part = slice(first, first + CHUNK)
        out[part] = np.rint(rows @ x[part].astype(np.float32) @ columns.T)
    return out


def _areas(length: int, side: int) -> NDArray[np.float32]:
    """Of each new pixel the share of its area that each old one has, (side, length), rows summing to 1."""
    edges = np.arange(side + 1) * length / side
    low, high = np.maximum(edges[:-1, None], np.arange(length)), np.minimum(edges[1:, None], np.arange(1, length + 1))
    shares: NDArray[np.float32] = (np.maximum(high - low, 0) * side / length).astype(np.float32)
    return shares
