"""What a data set of one's own is about: what its columns and classes are called, what predicts them without a net."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd

Scores = Mapping[str, Mapping[str, float]]
"""Of a predictor by its name: `<split>_<metric>` and the value."""

UNEVEN = 1.5  # times as many samples in the largest class as in the smallest


class Language(Protocol):
    """What a data set of pairs of sentences knows of its languages.

    Attributes:
        references: sentences of the target language as they were written, by their line.
    """

    @property
    def references(self) -> Sequence[str]: ...

    def written(self, tokens: Sequence[int]) -> str:
        """A sentence as one would write it, from the numbers of its tokens."""

    def words(self, tokens: Sequence[int]) -> list[str]:
        """The tokens themselves."""

    def source_words(self, tokens: Sequence[int]) -> list[str]:
        """The same in the source language."""


Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""


class Gallery(Protocol):
    """What a data set of images with captions knows of those to be evaluated.

    Attributes:
        references: captions of each image, by its line, lower case with a blank between words.
        images: names of their files, likewise.
        splits: lines of each split.
    """

    @property
    def references(self) -> Sequence[Sequence[str]]: ...

    @property
    def images(self) -> Sequence[str]: ...

    @property
    def splits(self) -> Mapping[str, range]: ...

    def words(self, tokens: Sequence[int]) -> list[str]:
        """Words of the numbers of a caption's tokens."""

    def colours(self, line: int) -> list[Colour]:
        """Mean colour of each place of an image that attention can look at, row by row."""


@dataclass(frozen=True)
class About:
    """Names and units behind the numbers of a data set.

    Attributes:
        target: what is predicted.
        classes: names, in the order of the class numbers; none where numbers are predicted.
        mean: of the target in the training split, in its own unit; taken off before training.
        deviation: likewise; divided by.
        samples: of each split, the cells that inputs were made of, by column; the index is the row in the file.
        targets: of each split, the targets' cells, with the same index.
        notes: lines that say how the data were read.
        uneven: whether some classes have many more samples than others.
        baselines: scores of what predicts without a net; takes its time.
        language: of pairs of sentences: what reads the numbers that they are made of.
        gallery: of images with captions, likewise.
    """

    target: str
    classes: Sequence[str]
    mean: float
    deviation: float
    samples: Mapping[str, pd.DataFrame]
    targets: Mapping[str, "pd.Series[str]"]
    notes: Sequence[str]
    uneven: bool
    baselines: Callable[[], Scores] = field(default=dict)
    language: Language | None = None
    gallery: Gallery | None = None

    @property
    def heading(self) -> tuple[str, ...]:
        """Columns of a table of predictions."""
        reserved = {"run", "seed", "step", "split", "row", "target", "predicted"}
        names = []
        for name in next(iter(self.samples.values())).columns:
            while name in reserved:
                name = f"{name}_"
            reserved.add(name)
            names.append(name)
        return ("run", "seed", "step", "split", "row", *names, "target", "predicted")

    def named(self, rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Rows (seed, step, split, sample, first two inputs, target, predicted) in the names and units of the file."""
        for seed, step, split, sample, _, _, _, predicted in rows:
            cells, target = self.samples[split], self.targets[split].iloc[sample]
            said = self.classes[int(predicted)] if self.classes else self.mean + self.deviation * predicted
            yield (seed, step, split, int(cells.index[sample]), *cells.iloc[sample], target, said)
