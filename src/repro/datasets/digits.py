"""The 1,797 handwritten digits that come with scikit-learn: 8×8 pixels, ten classes."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from repro.datasets.from_arrays import Options, Raw, divide, finish
from repro.datasets.protocol import Data
from repro.datasets.splits import cut_plainly
from repro.errors import UserError, number


def digits(
    valid_size: int | float,
    test_size: int | float,
    preprocessing: str,
    components: int | None,
    subset: int | None,
    noisy_labels: float | None,
    seed: int,
    full_scale: float | None,
    plain_split: bool | None,
) -> Data:
    """Images of shape (1, 8, 8) with pixels in [0, 1] before preprocessing.

    Args:
        valid_size: number of samples, or their share of all.
        test_size: likewise.
        preprocessing: none, center, standardize, channels, pca or whiten.
        components: coordinates kept by pca and whiten; None keeps all and the shape.
        subset: number of training samples kept; None keeps all.
        noisy_labels: share of the training samples that get another class at random; None = none.
        seed: of split, subset and noisy labels.
        full_scale: what the values 0...16 are divided by; None = 16.
        plain_split: whether the split is that of scikit-learn's `train_test_split`, without regard to classes and
            without a validation split.
    """
    options = Options(preprocessing, subset, seed, components, noisy_labels=noisy_labels)
    options.check()
    table = _bundled()  # 64 pixels in 0...16, then the class
    images = table[:, :64].astype(np.uint8).reshape(-1, 1, 8, 8)
    classes = table[:, 64].astype(np.int64)
    unit = number("full_scale", 16 if full_scale is None else full_scale, 0, ends="(]")
    if plain_split:
        if valid_size != 0:
            raise UserError(f"plain_split makes no validation split, and valid_size is {valid_size}; set it to 0")
        train, test = cut_plainly(len(classes), test_size, seed)
        pairs = {name: (images[part], classes[part]) for name, part in
                 (("train", train), ("valid", train[:0]), ("test", test))}  # fmt: skip
        return finish("digits", Raw(**pairs, unit=unit), 10, options)
    raw = divide(images, classes, valid_size, test_size, seed, unit)
    return finish("digits", raw, 10, options)


def _bundled() -> np.ndarray:
    """(1797, 65). Read from scikit-learn's folder, since importing it takes a second; by itself if it has moved it."""
    spec = find_spec("sklearn")
    file = Path(spec.origin or "").parent / "datasets" / "data" / "digits.csv.gz" if spec else None
    if file is not None and file.is_file():
        return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    return np.column_stack(load_digits(return_X_y=True))
