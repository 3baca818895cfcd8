"""A split without regard to classes and without a validation part, as the authors have it."""

import math

import numpy as np

from repro.datasets.splits import Indices, check_size
from repro.errors import UserError


def cut_plainly(n: int, test_size: int | float, seed: int) -> tuple[Indices, Indices]:
    """Indices of the training and test samples, those of scikit-learn's `train_test_split(random_state=seed)`.

    Args:
        n: samples in all.
        test_size: number of samples, or their share of all, rounded up.
        seed: of the random choice.

    Raises:
        UserError: nothing would be left for training.
    """
    check_size("test_size", test_size)
    test = math.ceil(test_size * n) if isinstance(test_size, float) else int(test_size)
    if test >= n:
        raise UserError(f"test_size {test_size} leaves no training sample of {n}; make it smaller")
    order = np.random.RandomState(seed).permutation(n)
    return order[test:], order[:test]
