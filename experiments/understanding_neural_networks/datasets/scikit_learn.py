"""Small tables that come with scikit-learn, or are drawn by it, besides its digits."""

from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets

from repro.datasets.digits import bundled
from repro.datasets.from_arrays import Options, Pair, Raw, divide, finish
from repro.datasets.memory import Data
from repro.errors import unknown

BITS = 8  # of parity
SIDE = 3  # of the bars
WHOLE = ("parity", "bars")  # tables that are all there can be


def scikit_learn(
    table: str, valid_size: int | float, test_size: int | float, preprocessing: str, subset: int | None, seed: int
) -> Data:
    """A table of numbers with classes, inputs of shape (columns,).

    Args:
        table: wine (178 rows, 13 columns, 3 classes), breast_cancer (569, 30, 2), synthetic (1,200, 20, 4; drawn anew
            by each seed), binary_digits (1,797, 64, 10; 1 where a pixel is 8 of 16 or more), parity (all 256 rows of 8
            bits, 2 classes) or bars (the 14 images of 3 × 3 pixels in which whole rows or columns are 1; how many
            pixels are, is their class). Of the last two the same rows are for training and for testing.
        valid_size: rows, or their share of all; none of parity and bars.
        test_size: likewise; all of parity and bars.
        preprocessing: none, center, standardize, pca or whiten.
        subset: number of training rows kept, each class in proportion; None keeps all.
        seed: of the split, the subset and of what is drawn.

    Raises:
        UserError: an option is not allowed.
    """
    options = Options(preprocessing, subset, seed)
    options.check()
    if table not in TABLES:
        raise unknown("table", str(table), TABLES)
    x, y = TABLES[table](seed)
    raw = Raw((x, y), (x[:0], y[:0]), (x, y)) if table in WHOLE else divide(x, y, valid_size, test_size, seed)
    return finish("scikit_learn", raw, int(y.max()) + 1, options)


def _wine(seed: int) -> Pair:
    del seed
    return _floats(*datasets.load_wine(return_X_y=True))


def _breast_cancer(seed: int) -> Pair:
    del seed
    return _floats(*datasets.load_breast_cancer(return_X_y=True))


def _synthetic(seed: int) -> Pair:
    drawn = datasets.make_classification(
        1200, n_features=20, n_informative=8, n_redundant=4, n_classes=4, n_clusters_per_class=2, random_state=seed
    )
    return _floats(*drawn)


def _binary_digits(seed: int) -> Pair:
    del seed
    images, classes = bundled()
    return _floats(images.reshape(len(images), -1) >= 8, classes)


def _parity(seed: int) -> Pair:
    del seed
    bits = np.array(list(product((0, 1), repeat=BITS)))
    return _floats(bits, bits.sum(1) % 2)


def _bars(seed: int) -> Pair:
    del seed
    rows = np.array(list(product((0, 1), repeat=SIDE)))[:, :, None].repeat(SIDE, axis=2)
    both = np.concatenate([rows, rows.transpose(0, 2, 1)]).reshape(-1, SIDE**2)
    x = np.unique(both, axis=0)
    return _floats(x, np.unique(x.sum(1), return_inverse=True)[1])


def _floats(x: NDArray[np.generic], y: NDArray[np.generic]) -> Pair:
    return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.int64)


TABLES: dict[str, Callable[[int], Pair]] = {
    "wine": _wine,
    "breast_cancer": _breast_cancer,
    "synthetic": _synthetic,
    "binary_digits": _binary_digits,
    "parity": _parity,
    "bars": _bars,
}
