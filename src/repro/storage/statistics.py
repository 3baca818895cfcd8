"""Means and intervals from per-seed values, and how they are written.

Student's t for means and differences, Clopper and Pearson's for shares, at any n. How often these hold the true value
for normal, skewed and two-humped values stands in docs/verdicts.md, and a test simulates it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from repro.storage.tables import finite

LEVEL = 0.95

Interval = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """A value, its interval (None when n = 1 or all values are equal) and the number of values behind it."""

    value: float
    interval: Interval | None
    n: int

    def within(self, low: float, high: float) -> "Estimate":
        """Its interval cut to what can be, such as a share's [0, 1]; as it is where the value itself lies outside."""
        if self.interval is None or not low <= self.value <= high:
            return self
        return Estimate(self.value, (max(low, self.interval[0]), min(high, self.interval[1])), self.n)

    def __str__(self) -> str:
        """`0.962 ± 0.003 (n=5)`, or `0.962 [0.959, 0.966] (n=12)` when asymmetric, or `0.962 (n=1)`."""
        if math.isnan(self.value):
            return f"no value (n={self.n})"
        low, high = self.interval or (self.value, self.value)
        half = (high - low) / 2
        if half < 1e-300:
            shown = number(self.value)
        # Two percent of the half width cannot be seen; 2e-9 is what the nine digits of a table round away.
        elif abs((high - self.value) - (self.value - low)) <= 0.02 * half + 2e-9 * abs(self.value):
            shown = _plus_minus(self.value, half)
        else:
            shown = _between(self.value, low, high)
        return f"{shown} (n={self.n})"


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, summed without rounding errors, so that the order of the values does not matter."""
    if not values:
        raise ValueError("the mean of no values")
    return math.fsum(values) / len(values)


def interval(values: Sequence[float], level: float = LEVEL) -> Interval | None:
    """Confidence interval of the mean by Student's t.

    The order of the values does not matter, and the interval of the negated values is exactly the mirrored one.

    Args:
        values: finite numbers, one a seed.
        level: share of such intervals that hold the true mean of normal values, in (0, 1).

    Returns:
        (low, high), or None when there is one value only or all are equal.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not in (0, 1)")
    if not all(math.isfinite(value) for value in values):
        raise ValueError("an interval of values that are not finite")
    if len(values) < 2 or min(values) == max(values):
        return None
    center = mean(values)
    # Centred and scaled, so that neither 1e-300 nor 1e300 loses its variance; sorted, so that no order counts.
    distances = sorted(abs(value - center) for value in values)
    scale = distances[-1]
    n = len(values)
    deviation = math.sqrt(math.fsum((distance / scale) ** 2 for distance in distances) / (n - 1))
    half = scale * (quantile((1 + level) / 2, n - 1) * deviation / math.sqrt(n))
    return center - half, center + half


def quantile(share: float, freedom: float) -> float:
    """Of Student's t."""
    from scipy.special import stdtrit  # most commands need not wait for SciPy

    return float(stdtrit(freedom, share))


def estimate(values: Sequence[float], level: float = LEVEL) -> Estimate:
    """Mean, interval and n of per-seed values (at least one, all finite)."""
    return Estimate(mean(values), interval(values, level), len(values))


def paired(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Mean of first - second, value by value (same seeds, same order), with its interval.

    Differences that are told apart by rounding only count as equal.
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    rounding = 1e-14 * max(map(abs, (*first, *second)))
    if max(differences) - min(differences) <= rounding:
        return Estimate(mean(differences), None, len(differences))
    return estimate(differences)


def welch(first: Sequence[float], second: Sequence[float], level: float = LEVEL) -> Estimate:
    """Mean of first minus mean of second for different seeds, with Welch's interval (unequal variances).

    n is the smaller of the two counts. The interval is None when one side has one value only, or when each
    side's values are all equal.
    """
    n = min(len(first), len(second))
    difference = mean(first) - mean(second)
    if n < 2 or (min(first) == max(first) and min(second) == max(second)):
        return Estimate(difference, None, n)
    scale = max(max(side) - min(side) for side in (first, second))
    one, two = (float(np.var(np.array(side) / scale, ddof=1)) / len(side) for side in (first, second))
    freedom = (one + two) ** 2 / (one**2 / (len(first) - 1) + two**2 / (len(second) - 1))
    half = scale * quantile((1 + level) / 2, freedom) * math.sqrt(one + two)
    return Estimate(difference, (difference - half, difference + half), n)


def share(hits: int, n: int, level: float = LEVEL) -> Estimate:
    """Share hits / n with the Clopper-Pearson interval, which covers at least `level` for any n."""
    if n == 1:
        return Estimate(float(hits), None, n)
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = float(betaincinv(hits, n - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - tail)) if hits < n else 1.0
    return Estimate(hits / n, (low, high), n)


def shares_apart(first: tuple[int, int], second: tuple[int, int], level: float = LEVEL) -> Estimate:
    """Difference of two shares, each (hits, n), with an interval that is made of both sides' Clopper-Pearson ones.

    Newcombe 1998, method 10, with exact bounds for the score's: p1 - p2 - sqrt((p1 - l1)² + (u2 - p2)²) and its mirror
    image. It takes no account of pairs, which makes it wide where the same seeds do well on both sides.
    """
    return apart(share(*first, level), share(*second, level))


def apart(one: Estimate, two: Estimate) -> Estimate:
    """Difference of two estimates of seeds drawn apart, in an interval made of both (Newcombe 1998; Zou 2007)."""
    n, difference = min(one.n, two.n), one.value - two.value
    if one.interval is None or two.interval is None:
        return Estimate(difference, None, n)
    (l1, u1), (l2, u2) = one.interval, two.interval
    low = difference - math.hypot(one.value - l1, u2 - two.value)
    high = difference + math.hypot(u1 - one.value, two.value - l2)
    return Estimate(difference, (low, high), n)


def moved(bounds: Interval, increasing: Callable[[float], float]) -> Interval:
    """An interval on another scale."""
    return increasing(bounds[0]), increasing(bounds[1])


def number(value: float, digits: int = 4) -> str:
    """The number with so many significant digits, without trailing zeros; nothing for NaN."""
    return "" if math.isnan(value) else f"{value:.{digits}g}"


def mean_in_words(values: Sequence[Any], nothing: str = "no value") -> str:
    """Mean of those values that are finite numbers, with interval and n; `nothing` (n=0) where none is."""
    numbers = [float(value) for value in values if finite(value)]
    return str(estimate(numbers)) if numbers else f"{nothing} (n=0)"


def _decimals(spread: float) -> int:
    """Decimals that show half an interval with one digit, or two when the first is a 1 or 2."""
    exponent = math.floor(math.log10(spread))
    return 1 - exponent if spread < 3 * 10**exponent else -exponent


def _fixed(exponent: int, numbers: Sequence[float], decimals: int) -> list[str]:
    return [f"{value / 10**exponent:.{max(0, decimals + exponent)}f}" for value in numbers]


def _exponent(value: float) -> int:
    """Power of ten to take out: 0 for numbers that are readable as they stand."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return 0
    return math.floor(math.log10(abs(value)))


def _plus_minus(value: float, half: float) -> str:
    exponent = _exponent(max(abs(value), half))
    decimals = _decimals(half)
    if decimals + exponent > 6:
        return f"{number(value, 7)} ± {half:.1g}"
    shown, spread = _fixed(exponent, (value, half), decimals)
    return f"({shown} ± {spread})e{exponent:+03d}" if exponent else f"{shown} ± {spread}"


def _between(value: float, low: float, high: float) -> str:
    exponent = _exponent(max(abs(low), abs(high)))
    decimals = _decimals((high - low) / 2)
    # Bounds decades apart (ratios) have no common number of decimals.
    decades = low * high > 0 and max(high / low, low / high) > 100
    if decimals + exponent > 6 or decades:
        return f"{number(value)} [{number(low)}, {number(high)}]"
    shown = _fixed(exponent, (value, low, high), decimals)
    tail = f"e{exponent:+03d}" if exponent else ""
    return f"{shown[0]}{tail} [{shown[1]}{tail}, {shown[2]}{tail}]"
