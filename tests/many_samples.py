"""The intervals of the ledger for many samples at once: fast twins, each over arrays (samples, seeds)."""

import numpy as np
from scipy.special import stdtrit

Bounds = tuple[np.ndarray, np.ndarray]
Jackknifed = tuple[np.ndarray, np.ndarray]  # values and standard errors, (samples,) each

LEVEL = 0.95


def t_bounds(values: np.ndarray) -> Bounds:
    """Student's interval of the mean."""
    n = values.shape[1]
    return around(values.mean(1), values.std(1, ddof=1) / np.sqrt(n), n - 1)


def welch_bounds(first: np.ndarray, second: np.ndarray) -> Bounds:
    """Welch's interval of the difference of two means."""
    one, two = (side.var(1, ddof=1) / side.shape[1] for side in (first, second))
    return around(first.mean(1) - second.mean(1), *combined(one, two, first.shape[1], second.shape[1]))


def combined(one: np.ndarray, two: np.ndarray, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard error and degrees of freedom of a difference, of two squared standard errors."""
    return np.sqrt(one + two), (one + two) ** 2 / (one**2 / (n - 1) + two**2 / (m - 1))


def around(center: np.ndarray, error: np.ndarray, freedom: np.ndarray | int) -> Bounds:
    half = quantile(freedom) * error
    return center - half, center + half


def quantile(freedom: np.ndarray | int) -> np.ndarray:
    """Of Student's t, interpolated where there are many degrees of freedom, to a ten thousandth."""
    if isinstance(freedom, int):
        return np.asarray(stdtrit(freedom, (1 + LEVEL) / 2))
    known = np.linspace(np.nanmin(freedom), np.nanmax(freedom), 500)
    return np.interp(freedom, known, stdtrit(known, (1 + LEVEL) / 2))


def jackknife(left_out: np.ndarray, value: np.ndarray) -> Jackknifed:
    """Of statistics without each seed, (samples, seeds); NaN where they have no spread, and no interval."""
    error = np.sqrt((left_out.shape[1] - 1) * left_out.var(1))
    return value, np.where(error > 0, error, np.nan)


def log_deviations(values: np.ndarray, relative: bool = False) -> Jackknifed:
    """ln of the standard deviation, or of the coefficient of variation."""
    n = values.shape[1]
    mean = values.mean(1, keepdims=True)
    squares = ((values - mean) ** 2).sum(1, keepdims=True)
    # Without one of n values the sum of squares loses n / (n - 1) of that value's square.
    without = squares - n / (n - 1) * (values - mean) ** 2
    value, left_out = np.log(squares[:, 0] / (n - 1)) / 2, np.log(without / (n - 2)) / 2
    if relative:
        value, left_out = value - np.log(mean[:, 0]), left_out - np.log((n * mean - values) / (n - 1))
    return jackknife(left_out, value)


def correlations(x: np.ndarray, y: np.ndarray) -> Jackknifed:
    """artanh of Pearson's correlation."""
    n = x.shape[1]
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    products = [x * x, y * y, x * y]
    xx, yy, xy = (p.sum(1, keepdims=True) for p in products)
    value = _artanh(xy / np.sqrt(xx * yy))[:, 0]
    xx, yy, xy = (total - n / (n - 1) * p for total, p in zip((xx, yy, xy), products, strict=True))
    return jackknife(_artanh(xy / np.sqrt(xx * yy)), value)


def rank_correlations(x: np.ndarray, y: np.ndarray) -> Jackknifed:
    """artanh of Spearman's correlation 1 - 6 Σd² / (n³ - n), of values that are all unlike."""
    n = x.shape[1]
    order = np.argsort(x, 1)
    ranks = np.take_along_axis(y, order, 1).argsort(1).argsort(1)  # of y, in the order of x
    d = np.arange(n) - ranks
    # Without seed i those above it move down by one in either order, and d_j becomes d_j - a_ij + b_ij, where a_ij is 1
    # for seeds above i by x, b_ij for those above it by y.
    above_both = np.stack([(ranks[:, i + 1 :] > ranks[:, [i]]).sum(1) for i in range(n)], 1)
    moved_once = (n - 1 - np.arange(n)) + (n - 1 - ranks) - 2 * above_both  # Σ_j (a_ij - b_ij)²
    by_y = np.take_along_axis(d, ranks.argsort(1), 1)
    weighted = _sum_of_later(d) - np.take_along_axis(_sum_of_later(by_y), ranks, 1)  # Σ_j d_j (a_ij - b_ij)
    squares = (d**2).sum(1, keepdims=True)
    without = squares - d**2 + moved_once - 2 * weighted
    value, left_out = (1 - 6 * total / (m**3 - m) for total, m in ((squares[:, 0], n), (without, n - 1)))
    return jackknife(_artanh(left_out), _artanh(value))


def _sum_of_later(values: np.ndarray) -> np.ndarray:
    return values.sum(1, keepdims=True) - values.cumsum(1)


def _artanh(r: np.ndarray) -> np.ndarray:
    """NaN for a line, on which the ledger has no interval either."""
    return np.arctanh(np.where(np.abs(r) < 1 - 1e-12, r, np.nan))


def ratio_bounds(one: Jackknifed, two: Jackknifed, n: int) -> Bounds:
    """Of ln of a ratio of two statistics that are logarithms."""
    return around(one[0] - two[0], *combined(one[1] ** 2, two[1] ** 2, n, n))


def correlation_bounds(one: Jackknifed, n: int) -> Bounds:
    low, high = around(*one, n - 1)
    return np.tanh(low), np.tanh(high)


def apart_bounds(one: Jackknifed, two: Jackknifed, n: int) -> Bounds:
    """Newcombe's, of the difference of two correlations."""
    (l1, u1), (l2, u2) = correlation_bounds(one, n), correlation_bounds(two, n)
    a, b = np.tanh(one[0]), np.tanh(two[0])
    return a - b - np.hypot(a - l1, u2 - b), a - b + np.hypot(u1 - a, b - l2)
