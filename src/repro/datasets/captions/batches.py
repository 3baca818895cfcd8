"""Images as annotation vectors, each with its captions, and batches of captions of about the same length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from repro.datasets.about import About
from repro.datasets.pairs.batches import END, NO_TOKEN, Buckets, Sentences, padded
from repro.datasets.protocol import Batch, Feed, Order
from repro.storage.metrics import SPLITS

CHUNK = 1 << 16  # places whose numbers are summed at a time


@dataclass(frozen=True)
class Annotations:
    """What a net sees at each place of each image; what is handed on has mean 0 and standard deviation 1.

    Attributes:
        maps: (images, places, numbers), float16, as the net gives them.
        mean, deviation: of each number, over places of training images, (numbers,).
    """

    maps: Tensor
    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, maps: Tensor, training: int) -> "Annotations":
        """From all maps, of which so many from the beginning are of training images."""
        seen = maps[:training].flatten(0, 1)
        moments = seen.new_zeros(2, seen.shape[1], dtype=torch.float64)
        for part in torch.split(seen, CHUNK):
            rows = part.double()
            moments += torch.stack([rows.sum(0), rows.square().sum(0)])
        mean, square = moments / len(seen)
        deviation = (square - mean.square()).clamp_min(0).sqrt()
        return cls(maps, mean, torch.where(deviation > 0, deviation, 1.0))

    def __call__(self, images: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
        """(images, places, numbers) of some images."""
        return ((self.maps[images].to(torch.float64) - self.mean) / self.deviation).to(device, dtype)


@dataclass(frozen=True)
class Split:
    """Samples of one split: captions of training, images of the others, each with all its captions.

    Attributes:
        annotations: of all images of the data set.
        captions: of this split, those of an image one behind the other.
        each: captions of a sample.
        images: of each sample, its place among the annotations.
        first: the line of the first sample among the references; None where there are none.
        dtype: of annotations.
    """

    annotations: Annotations
    captions: Sentences
    each: int
    images: Tensor
    first: int | None = None
    dtype: torch.dtype = torch.float32

    @property
    def lengths(self) -> Tensor:
        """Tokens of each sample's longest caption."""
        return self.captions.lengths.view(-1, self.each).amax(1)

    def batch(self, chosen: Tensor, device: torch.device) -> Batch:
        """Some of the samples; captions, (samples, captions of a sample, steps), are filled up with `NO_TOKEN`.

        `x` has the image's annotations, (samples, places, numbers), and the captions from the token before their first
        word (`NO_TOKEN`) to their last; `y` has their tokens with their end, and the line of the sample's references.
        """
        end, none = torch.tensor([END]), torch.tensor([NO_TOKEN])
        rows = [self.captions[i * self.each + k] for i in chosen.tolist() for k in range(self.each)]
        before, after = (
            padded([torch.cat(parts(row)) for row in rows], device).view(len(chosen), self.each, -1)
            for parts in (lambda row: (none, row), lambda row: (row, end))
        )
        line = torch.full_like(chosen, NO_TOKEN) if self.first is None else chosen + self.first
        image = self.annotations(self.images[chosen], device, self.dtype)
        return Batch({"image": image, "target": before}, {"tokens": after, "line": line.to(device)})


@dataclass(frozen=True)
class Captioned:
    """The data set; attributes as in `Dataset`.

    Attributes:
        shape: places of an image, and numbers of each.
        outputs: words that there are.
        about: how numbers are read, and how the data were.
    """

    name: str
    splits: Mapping[str, Split]
    outputs: int
    about: About
    source: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Places of an image, and numbers of each."""
        return tuple(self.splits["train"].annotations.maps.shape[1:])

    @property
    def tokens(self) -> None:
        """Inputs are no tokens."""

    @property
    def sizes(self) -> dict[str, int | None]:
        """Captions of the training split, images of the others."""
        return {name: len(self.splits[name].images) for name in SPLITS}

    def feed(self, order: Order) -> Feed:
        """Batches of captions of about the same length."""
        order.without_curriculum(self.name)
        splits = {name: replace(split, dtype=order.dtype) for name, split in self.splits.items()}
        return Buckets(self.name, splits, order)


def splits_of(
    annotations: Annotations, captions: Mapping[str, Sequence[Sequence[Sequence[int]]]], longest: int
) -> dict[str, Split]:
    """The three splits, whose images stand one behind the other among the annotations.

    Args:
        annotations: of all images.
        captions: numbers of the tokens of the captions of each image, as many of each.
        longest: tokens that a training caption may have.
    """
    found, image, line = {}, 0, 0
    for name in SPLITS:
        own, places = captions[name], torch.arange(image, image + len(captions[name]))
        image += len(own)
        if name == "train":
            kept = [
                (i, one) for i, some in zip(places.tolist(), own, strict=True) for one in some if len(one) <= longest
            ]
            texts = Sentences([one for _, one in kept])
            found[name] = Split(annotations, texts, 1, torch.tensor([i for i, _ in kept], dtype=torch.int64))
        else:
            each = len(own[0]) if own else 1
            found[name] = Split(annotations, Sentences([one for some in own for one in some]), each, places, line)
            line += len(own)
    return found
