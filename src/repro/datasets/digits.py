"""The 1,797 handwritten digits that come with scikit-learn: 8×8 pixels, ten classes."""

import numpy as np

from repro.datasets.assembly import Options, divide, finish
from repro.datasets.data import Data


def digits(
    valid_size: int | float,
    test_size: int | float,
    preprocessing: str,
    components: int | None,
    subset: int | None,
    seed: int,
) -> Data:
    """Images of shape (1, 8, 8) with pixels in [0, 1] before preprocessing.

    Args:
        valid_size: number of samples, or their share of all.
        test_size: likewise.
        preprocessing: none, center, standardize, pca or whiten.
        components: coordinates kept by pca and whiten; None keeps all and the shape.
        subset: number of training samples kept; None keeps all.
        seed: of split and subset.
    """
    options = Options(preprocessing, subset, seed, components)
    options.check()
    # Late: scikit-learn takes a second to import, which a wrong option should not cost.
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    images = np.asarray(x, dtype=np.uint8).reshape(-1, 1, 8, 8)
    raw = divide(images, np.asarray(y, dtype=np.int64), valid_size, test_size, seed, unit=16.0)
    return finish("digits", raw, 10, options)
