"""The 1,797 handwritten digits that come with scikit-learn: 8×8 pixels, ten classes."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from repro.datasets.from_arrays import Options, Pair, divide, finish
from repro.datasets.memory import Data


def digits(
    valid_size: int | float,
    test_size: int | float,
    preprocessing: str,
    components: int | None,
    subset: int | None,
    noisy_labels: float | None,
    permuted_labels: bool | None,
    seed: int,
) -> Data:
    """Images of shape (1, 8, 8) with pixels in [0, 1] before preprocessing.

    Args:
        valid_size: number of samples, or their share of all.
        test_size: likewise.
        preprocessing: none, center, standardize, channels, pca or whiten.
        components: coordinates kept by pca and whiten; None keeps all and the shape.
        subset: number of training samples kept; None keeps all.
        noisy_labels: share of the training samples that get another class at random; None = none.
        permuted_labels: whether the training images' classes change places at random; None = no.
        seed: of split, subset, noisy labels and permutation.
    """
    options = Options(
        preprocessing, subset, seed, components, noisy_labels=noisy_labels, permuted_labels=permuted_labels
    )
    options.check()
    images, classes = bundled()
    raw = divide(images, classes, valid_size, test_size, seed, unit=16)
    return finish("digits", raw, 10, options)


def bundled() -> Pair:
    """Images (1797, 1, 8, 8) of values 0 ... 16, and their classes."""
    table = _bundled()  # 64 pixels, then the class
    return table[:, :64].astype(np.uint8).reshape(-1, 1, 8, 8), table[:, 64].astype(np.int64)


def _bundled() -> np.ndarray:
    """(1797, 65). Read from scikit-learn's folder, since importing it takes a second; by itself if it has moved it."""
    spec = find_spec("sklearn")
    file = Path(spec.origin or "").parent / "datasets" / "data" / "digits.csv.gz" if spec else None
    if file is not None and file.is_file():
        return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    return np.column_stack(load_digits(return_X_y=True))
