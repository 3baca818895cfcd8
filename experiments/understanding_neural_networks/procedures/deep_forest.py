"""A deep forest (gcForest, arXiv 1702.08835): levels of forests, each of which reads what the last one says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.model_selection import StratifiedKFold

from repro.errors import UserError

Floats = NDArray[np.floating[Any]]
Classes = NDArray[np.int64]
LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Growth:
    """How a forest's trees grow.

    Attributes:
        trees: of each forest.
        depth: at most; None = until leaves are pure.
        leaf: samples of a leaf, at least.
    """

    trees: int
    depth: int | None = None
    leaf: int = 1

    def forests(self, pairs: int, rng: np.random.Generator) -> list[Any]:
        """So many random forests, and as many completely random ones, whose splits look at one feature each."""
        shared = {"n_estimators": self.trees, "max_depth": self.depth, "min_samples_leaf": self.leaf}
        made: list[Any] = []
        for _ in range(pairs):
            made.append(RandomForestClassifier(**shared, random_state=_drawn(rng), n_jobs=torch.get_num_threads()))
            made.append(
                ExtraTreesClassifier(**shared, max_features=1, random_state=_drawn(rng), n_jobs=torch.get_num_threads())
            )
        return made


class CrossFitted:
    """Forests whose class vectors for the samples they learn from come from forests that did not see these.

    Args:
        growth: of their trees.
        pairs: of forests, see `Growth.forests`.
        folds: parts of the samples; a class vector is that of forests grown on the other parts. With 1 it is that of
            forests that have seen the sample, which is what must not be done.
        rng: of parts and trees.
    """

    def __init__(self, growth: Growth, pairs: int, folds: int, rng: np.random.Generator) -> None:
        self.growth, self.pairs, self.folds, self.rng = growth, pairs, folds, rng
        self.forests: list[list[Any]] = []

    def fit(self, x: Floats, y: Classes) -> Floats:
        """Grow all forests; class vectors of the samples, shape (n, forests, places, classes).

        Args:
            x: shape (n, places, features); each place is a sample of its image's class.
            y: from 0 up without a gap, shape (n,).
        """
        classes = int(y.max()) + 1
        given = np.zeros((len(x), 2 * self.pairs, x.shape[1], classes))
        for seen, held in self._parts(y):
            own = self.growth.forests(self.pairs, self.rng)
            for forest in own:
                forest.fit(x[seen].reshape(-1, x.shape[-1]), np.repeat(y[seen], x.shape[1]))
            given[held] = _vectors(own, x[held])
            self.forests.append(own)
        return given

    def vectors(self, x: Floats) -> Floats:
        """Class vectors of other samples: those of all folds' forests, averaged."""
        return np.mean([_vectors(own, x) for own in self.forests], axis=0)  # type: ignore[no-any-return]

    def _parts(self, y: Classes) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        if self.folds == 1:
            yield np.arange(len(y)), np.arange(len(y))
            return
        if (least := int(np.bincount(y).min())) < self.folds:
            raise UserError(
                f"procedure.folds={self.folds} needs as many training samples of each class, and one has {least}; "
                "take fewer folds or more samples"
            )
        yield from StratifiedKFold(self.folds, shuffle=True, random_state=_drawn(self.rng)).split(y, y)


def _vectors(forests: Sequence[Any], x: Floats) -> Floats:
    """Shape (n, forests, places, classes)."""
    flat = x.reshape(-1, x.shape[-1])
    return np.stack([forest.predict_proba(flat).reshape(len(x), x.shape[1], -1) for forest in forests], axis=1)


def _drawn(rng: np.random.Generator) -> int:
    return int(rng.integers(LARGEST_SEED))


def windows(x: Floats, size: int, stride: int) -> Floats:
    """All windows of square images, shape (n, places, size²), places in rows from the top.

    Args:
        x: images, one row of pixels after the other, shape (n, side²).
        size: of a window's side.
        stride: pixels from one window to the next.

    Raises:
        UserError: the inputs are no square images, or are smaller than a window.
    """
    side = round(x.shape[1] ** 0.5)
    if side**2 != x.shape[1]:
        raise UserError(
            f"procedure.windows scans square images, and an input has {x.shape[1]} numbers; leave windows=[]"
        )
    if size > side:
        raise UserError(f"procedure.windows has {size}, and images are {side} × {side}; take {side} or less")
    cut = sliding_window_view(x.reshape(-1, side, side), (size, size), axis=(1, 2))[:, ::stride, ::stride]
    return cut.reshape(len(x), -1, size**2)


@dataclass
class DeepForest:
    """Levels of forests, grown until the accuracy of what they say of held-out samples rises no more.

    A level reads the inputs and all class vectors of the level before. The answer is the mean class vector of the best
    level.

    Attributes:
        growth: of the trees in a level.
        pairs: forests of each of the two kinds in a level.
        folds: see `CrossFitted`.
        patience: levels that may follow the best one before growing ends.
        most_levels: however well they do.
        sizes: of the windows that scan images, one after the other; none = the inputs are taken as they are.
        stride: pixels from one window to the next.
        scanning: of the trees that look at windows.
        seed: of all that is random.
        accuracies: of each level on held-out samples, once it is grown.
        best: level that answers, from 0 up.
    """

    growth: Growth
    pairs: int
    folds: int
    patience: int
    most_levels: int
    sizes: Sequence[int]
    stride: int
    scanning: Growth
    seed: int
    levels: list[CrossFitted] = field(default_factory=list)
    scans: list[CrossFitted] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    best: int = 0

    def fit(self, x: Floats, y: Classes) -> "DeepForest":
        """Grow it.

        Args:
            x: shape (n, features).
            y: classes from 0 up without a gap, shape (n,).
        """
        rng = np.random.default_rng(self.seed)
        inputs = [x]
        for size in self.sizes:
            self.scans.append(CrossFitted(self.scanning, 1, self.folds, rng))
            inputs.append(_flat(self.scans[-1].fit(windows(x, size, self.stride), y)))
        raw = np.hstack(inputs)
        given = raw
        while len(self.levels) < self.most_levels and len(self.levels) <= self.best + self.patience:
            self.levels.append(CrossFitted(self.growth, self.pairs, self.folds, rng))
            said = self.levels[-1].fit(given[:, None], y)
            self.accuracies.append(float((said.mean((1, 2)).argmax(1) == y).mean()))
            self.best = int(np.argmax(self.accuracies))
            given = np.hstack([raw, _flat(said)])
        return self

    def staged(self, x: Floats) -> Iterator[Classes]:
        """What each level says, those after the best one as well."""
        inputs = [x]
        for size, scan in zip(self.sizes, self.scans, strict=True):
            inputs.append(_flat(scan.vectors(windows(x, size, self.stride))))
        raw = np.hstack(inputs)
        given = raw
        for level in self.levels:
            said = level.vectors(given[:, None])
            yield said.mean((1, 2)).argmax(1)
            given = np.hstack([raw, _flat(said)])

    def predict(self, x: Floats) -> Classes:
        """Classes, shape (n,)."""
        return list(self.staged(x))[self.best]

    def share_of_class_vectors(self) -> float:
        """The share of impurity that splits on class vectors take away, in the last level's random forests."""
        forests = [forest for own in self.levels[-1].forests for forest in own[::2]]
        made = 2 * self.pairs * len(forests[0].classes_) if len(self.levels) > 1 else 0
        first = len(forests[0].feature_importances_) - made
        return float(np.mean([forest.feature_importances_[first:].sum() for forest in forests]))


def _flat(vectors: Floats) -> Floats:
    return vectors.reshape(len(vectors), -1)
