"""Cutting samples into training, validation and test split, without touching global random state."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.errors import UserError, whole

Indices = NDArray[np.intp]


def check_size(option: str, value: int | float) -> None:
    """Raise a `UserError` unless `value` is a number of samples or a share of them."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return
    if isinstance(value, float) and 0 <= value < 1:
        return
    raise UserError(
        f"{option} must be a number of samples (0, 1, 2 ...) or a share of them between 0 and 1, not {value!r}"
    )


def check_subset(subset: int | None) -> None:
    """Raise a `UserError` unless `subset` is a number of samples above 0 or None."""
    if subset is not None:
        whole("subset", subset, 1)


def count(option: str, value: int | float, total: int) -> int:
    """How many of `total` samples a size means; a share above 0 means at least one."""
    check_size(option, value)
    if isinstance(value, float):
        return max(1, round(value * total)) if value > 0 else 0
    return int(value)


def cut(
    y: NDArray[Any], valid_size: int | float, test_size: int | float, seed: int, stratified: bool
) -> tuple[Indices, Indices, Indices]:
    """Indices of the training, validation and test samples, each in random order.

    Args:
        y: what is to be predicted, shape (n,) or (n, targets).
        valid_size: number of samples, or their share of all n.
        test_size: likewise.
        seed: of the random choice.
        stratified: keep every class's share in all splits, as nearly as whole numbers allow; y holds classes.

    Raises:
        UserError: nothing would be left for training.
    """
    n = len(y)
    valid, test = count("valid_size", valid_size, n), count("test_size", test_size, n)
    if valid + test >= n:
        raise UserError(
            f"valid_size {valid_size} and test_size {test_size} leave no training sample of {n}; make them smaller"
        )
    labels = y if stratified else np.zeros(n, dtype=np.int64)
    rng = np.random.default_rng([seed, 0])
    in_test, rest = draw(labels, test, rng)
    in_valid, left = draw(labels[rest], valid, rng)
    return rest[left], rest[in_valid], in_test


def keep(y: NDArray[Any], subset: int | None, seed: int, stratified: bool) -> Indices:
    """Indices of the training samples that are kept.

    Args:
        y: of the training split.
        subset: how many; None keeps all, in their order.
        seed: of the random choice; it is independent of the split's.
        stratified: keep every class's share.

    Raises:
        UserError: there are fewer samples than that.
    """
    check_subset(subset)
    if subset is None:
        return np.arange(len(y))
    if subset > len(y):
        raise UserError(f"subset {subset} is more than the {len(y)} training samples; lower it, or null keeps all")
    labels = y if stratified else np.zeros(len(y), dtype=np.int64)
    return draw(labels, subset, np.random.default_rng([seed, 1]))[0]


def draw(labels: NDArray[Any], n: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Choose n samples so that every class keeps its share.

    Returns:
        Indices of the chosen and of the others, both in random order.
    """
    order = rng.permutation(len(labels))
    _, codes, counts = np.unique(labels[order], return_inverse=True, return_counts=True)
    # The place of each sample in its class, in the random order; the first few of each class are chosen.
    rank = np.empty(len(labels), dtype=np.intp)
    starts = np.cumsum(counts) - counts
    rank[np.argsort(codes, kind="stable")] = np.arange(len(labels)) - np.repeat(starts, counts)
    chosen = rank < shares(counts, n)[codes] if len(labels) else np.zeros(0, dtype=bool)
    return order[chosen], order[~chosen]


def shares(counts: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Split n among classes in proportion to `counts`.

    Returns:
        Whole numbers with sum n: each share rounded down, those with the largest remainders up.
    """
    total = int(counts.sum())
    if total == 0:
        return counts
    share: NDArray[np.intp] = counts * n // total
    remainder = counts * n % total
    share[np.argsort(-remainder, kind="stable")[: n - int(share.sum())]] += 1
    return share
