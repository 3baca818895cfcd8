"""How far values over seeds are apart, and whether two of them go together: estimates with intervals that need no
normal values.

Miller's jackknife (1968, 1974): the statistic is computed without each seed in turn, and what that moves it by is its
standard error. On the scales used here, ln of a deviation and artanh of a correlation, Student's t then holds for
skewed and heavy-tailed values too, where the textbook's F and Fisher's z do not (docs/verdicts.md has the figures).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from repro.storage.statistics import Estimate, moved, quantile

Statistic = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Jackknifed:
    """A statistic of n seeds on its own scale, and its standard error; NaN where n < 3 or values are all equal."""

    value: float
    error: float
    n: int


def jackknifed(values: np.ndarray, statistic: Statistic) -> Jackknifed:
    """The statistic of values (seeds, ...) and its standard error."""
    n = len(values)
    value = statistic(values)
    if n < 3 or not math.isfinite(value):
        return Jackknifed(value, math.nan, n)
    without = np.array([statistic(np.delete(values, i, axis=0)) for i in range(n)])
    return Jackknifed(value, math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum())), n)


def log_deviation(values: np.ndarray) -> float:
    """ln of the standard deviation (n - 1) of (seeds,); NaN of one value or equal ones."""
    if len(values) < 2 or values.min() == values.max():
        return math.nan
    return math.log(float(values.std(ddof=1)))


def log_variation(values: np.ndarray) -> float:
    """ln of the coefficient of variation, standard deviation over mean; NaN unless the mean is above 0."""
    return log_deviation(values) - math.log(values.mean()) if values.mean() > 0 else math.nan


def correlation(pairs: np.ndarray) -> float:
    """artanh of Pearson's correlation of pairs (seeds, 2); NaN where a side is all equal, or the two are one line."""
    if len(pairs) < 3 or (pairs.min(0) == pairs.max(0)).any():
        return math.nan
    r = float(np.corrcoef(pairs.T)[0, 1])
    return math.atanh(r) if abs(r) < 1 - 1e-12 else math.nan


def rank_correlation(pairs: np.ndarray) -> float:
    """artanh of Spearman's correlation, which is Pearson's of the ranks, equal values sharing theirs."""
    from scipy.stats import rankdata

    return correlation(rankdata(pairs, axis=0))


def between(one: Jackknifed, level: float) -> Estimate:
    """The statistic in its interval, on its own scale; no interval without a standard error."""
    if not one.error > 0:
        return Estimate(one.value, None, one.n)
    half = quantile((1 + level) / 2, one.n - 1) * one.error
    return Estimate(one.value, (one.value - half, one.value + half), one.n)


def ratio(one: Jackknifed, two: Jackknifed, level: float) -> Estimate:
    """ln of the ratio of two statistics that are logarithms, of seeds drawn apart: Welch's interval."""
    value, n = one.value - two.value, min(one.n, two.n)
    if not (one.error > 0 and two.error > 0):
        return Estimate(value, None, n)
    error = math.hypot(one.error, two.error)
    freedom = error**4 / (one.error**4 / (one.n - 1) + two.error**4 / (two.n - 1))
    half = quantile((1 + level) / 2, freedom) * error
    return Estimate(value, (value - half, value + half), n)


def correlation_in(one: Jackknifed, level: float) -> Estimate:
    """A correlation in [-1, 1] with its interval."""
    seen = between(one, level)
    return Estimate(math.tanh(seen.value), seen.interval and moved(seen.interval, math.tanh), seen.n)
