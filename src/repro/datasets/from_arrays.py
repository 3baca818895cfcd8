"""From raw arrays to `Data`: the options that all data sets share, in one place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from repro.datasets.features import check_features, extended
from repro.datasets.images import Augmentation, Images, Normalization
from repro.datasets.memory import Data, Split
from repro.datasets.preprocessing import Affine, Floats, check_preprocessing, fit
from repro.datasets.splits import check_subset, cut, keep
from repro.errors import UserError, number, whole
from repro.memory import greatest, machine, said

Pair = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class Options:
    """Options that every data set has.

    Attributes:
        preprocessing: none, center, standardize, channels, pca or whiten.
        subset: number of training samples kept, each class in proportion; None keeps all.
        seed: of split, subset and generation.
        components: coordinates kept by pca and whiten; None keeps all.
        augmentation: of a data set of images, which then stay bytes until they are batches; None makes float32 of all.
        noisy_labels: share of the training samples whose class is replaced by another one, at random; None = none.
        permuted_labels: whether the training samples' targets change places at random, so that each is as frequent as
            before and says nothing of its input; None = no.
        features: computed from the inputs and put behind them, before the preprocessing, by their names in
            `repro.datasets.features`; inputs have shape (d,) then. None = none.
    """

    preprocessing: str
    subset: int | None
    seed: int
    components: int | None = None
    augmentation: Augmentation | None = None
    noisy_labels: float | None = None
    permuted_labels: bool | None = None
    features: list[str] | None = None

    def check(self) -> None:
        """Raise a `UserError` for a value that no data set can take; called before files are read."""
        check_preprocessing(self.preprocessing, self.components)
        check_subset(self.subset)
        whole("seed", self.seed, 0)
        check_features(self.features)
        if self.augmentation is not None:
            self.augmentation.check(self.preprocessing)
        if self.noisy_labels is not None:
            number("noisy_labels", self.noisy_labels, 0, 1)


@dataclass(frozen=True)
class Raw:
    """Samples of the three splits before preprocessing.

    Attributes:
        train, valid, test: inputs, shape (n, ...), and what is to be predicted: whole numbers of shape (n,)
            for classes, floats of shape (n, targets) for values.
        unit: inputs are divided by it (255 for bytes).
    """

    train: Pair
    valid: Pair
    test: Pair
    unit: float = 1.0


def divide(
    x: NDArray[Any], y: NDArray[Any], valid_size: int | float, test_size: int | float, seed: int, unit: float = 1.0
) -> Raw:
    """Split samples at random; classes (whole numbers in y) keep their shares in every split."""
    parts = cut(y, valid_size, test_size, seed, stratified=_classes(y))
    train, valid, test = ((x[part], y[part]) for part in parts)
    return Raw(train, valid, test, unit)


def generate(sample: Callable[[int, np.random.Generator], Pair], sizes: tuple[int, int, int], seed: int) -> Raw:
    """Draw the three splits of a generated data set, each from a generator of its own.

    So the training samples stay the same when only the other splits' sizes change.

    Args:
        sample: draws n samples.
        sizes: of training (at least 1), validation and test split.
        seed: of all three.

    Raises:
        UserError: a size or the seed is not allowed.
    """
    whole("seed", seed, 0)
    for option, size, least in zip(("train_size", "valid_size", "test_size"), sizes, (1, 0, 0), strict=True):
        whole(option, size, least)
    one = sum(a.nbytes for a in sample(1, np.random.default_rng(0)))
    for option, size in zip(("train_size", "valid_size", "test_size"), sizes, strict=True):
        if one * size > machine():
            raise UserError(
                f"dataset.{option}={size} needs {said(one * size)} of memory, and this machine has {said(machine())}; "
                f"dataset.{option}={greatest(1, size, lambda n: one * n <= machine()) or 0} could fit"
            )
    train, valid, test = (sample(size, np.random.default_rng([seed, 2, i])) for i, size in enumerate(sizes))
    return Raw(train, valid, test)


def finish(name: str, raw: Raw, outputs: int, options: Options, source: str = "") -> Data:
    """Keep the subset, learn the preprocessing from the training split, apply it to all, confuse labels, make tensors.

    Images of a data set that can be augmented are kept as they are, and preprocessed batch by batch.

    Args:
        name: public name of the data set.
        raw: samples by split.
        outputs: classes, or values to predict per sample.
        options: shared options.
        source: which files were read, in words.

    Raises:
        UserError: an option is not allowed or does not fit the data.
    """
    options.check()
    if options.features:
        more = ((extended(x, options.features), y) for x, y in (raw.train, raw.valid, raw.test))
        raw = Raw(next(more), next(more), next(more), raw.unit)
    x, y = raw.train
    kept = keep(y, options.subset, options.seed, stratified=_classes(y))
    floats = _scaled(x[kept] if options.subset is not None else x, raw.unit)
    transform = fit(floats, options.preprocessing, options.components)
    labels = y[kept] if options.noisy_labels is None else confuse(y[kept], options.noisy_labels, outputs, options.seed)
    if options.permuted_labels:
        labels = labels[np.random.default_rng([options.seed, 4]).permutation(len(labels))]
    if options.augmentation is not None and isinstance(transform, Affine):
        options.augmentation.check_size(x.shape)
        images = Images(options.augmentation, Normalization.of(raw.unit, transform))
        train, valid, test = (_split(*pair, np.uint8) for pair in ((x[kept], labels), raw.valid, raw.test))
        return Data(train, valid, test, outputs, name, source, images.feed)
    valid, test = (_split(transform(_scaled(x, raw.unit)), y) for x, y in (raw.valid, raw.test))
    return Data(_split(transform(floats), labels), valid, test, outputs, name, source)


def confuse(y: NDArray[Any], share: float, classes: int, seed: int) -> NDArray[Any]:
    """Replace the class of so large a share of the samples by one of the other classes, each as likely.

    Which samples, and which class each gets, is independent of split and subset.
    """
    rng = np.random.default_rng([seed, 3])
    chosen = rng.permutation(len(y))[: round(share * len(y))]
    wrong = y.copy()
    wrong[chosen] = (y[chosen] + rng.integers(1, classes, len(chosen))) % classes
    return wrong


def _classes(y: NDArray[Any]) -> bool:
    return bool(np.issubdtype(y.dtype, np.integer))


def _scaled(x: NDArray[Any], unit: float) -> Floats:
    """Bytes become float32 in [0, 1]; what is float keeps its precision until the preprocessing is done."""
    if np.issubdtype(x.dtype, np.floating):
        return x if unit == 1.0 else np.divide(x, unit, dtype=x.dtype)
    scaled: Floats = np.divide(x, np.float32(unit), dtype=np.float32)
    return scaled


def _split(x: NDArray[Any], y: NDArray[Any], kind: type[np.generic] = np.float32) -> Split:
    # Writeable, as torch wants it: bytes read from a file are not.
    arrays = ((x, kind), (y, np.int64 if _classes(y) else np.float32))
    return Split(*(torch.from_numpy(np.require(a, kind, ["C", "W"])) for a, kind in arrays))
