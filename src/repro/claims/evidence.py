"""What was measured for a claim, with an interval at any level; whether it lies in a region, and with which p."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from repro.claims.numbers import numbers, of_seeds, scaled
from repro.claims.parts import Simple
from repro.claims.select import Value
from repro.storage import spread, statistics
from repro.storage.metrics import ANY, Range
from repro.storage.statistics import LEVEL, Estimate, Interval

YES, NO, OPEN, NONE = "yes", "no", "open", ""
ERROR = 0.05  # of a verdict, two-sided: 1 - LEVEL without its rounding

# Nominal level of each of several looks at growing data that together err in 5 % of cases: Pocock 1977, table 1.
POCOCK = {1: 0.05, 2: 0.0294, 3: 0.0221, 4: 0.0182, 5: 0.0158}


@dataclass(frozen=True)
class Evidence:
    """A value with its interval at any level.

    Attributes:
        value: on the scale of the comparison (the logarithm of a ratio).
        n: number of values behind it.
        at: its interval at a level in (0, 1); None when n = 1 or all values are equal.
    """

    value: float
    n: int
    at: Callable[[float], Interval | None]


@dataclass(frozen=True)
class Found:
    """Whether a value lies in a region: yes, no, or open, and the p of saying so (NaN where nothing was tested).

    p is the smallest error, over all looks, at which the interval still lies wholly inside, or wholly outside; that of
    an open question is the smaller of the two.
    """

    answer: str
    p: float = math.nan


def evidence(left: Sequence[Value], right: Sequence[Value] | None, claim: Simple, binary: bool) -> Evidence | None:
    """Of the value, difference or log ratio; None when a side has no number.

    Two sides with the same seeds are compared seed by seed, others by Welch's interval. Values that are 0 or 1
    are counted (`binary`): Clopper-Pearson for a share, and Newcombe's interval for a difference of two. No interval
    reaches beyond what the value can be.
    """
    if claim.of != "mean":
        return _over_seeds(left, right, claim)
    sides = [numbers(side, claim) for side in (left, right) if side is not None]
    if not all(sides):
        return None
    if binary and not claim.ratio:
        counts = [(sum(map(round, side)), len(side)) for side in sides]
        if right is None:
            return _of(lambda level: statistics.share(*counts[0], level))
        return _of(lambda level: statistics.shares_apart(counts[0], counts[1], level))
    within = _possible(claim)
    if right is None or {v.seed for v in left} == {v.seed for v in right}:
        both = [n for n in differences(left, right, claim).values() if math.isfinite(n)]
        return _of(lambda level: statistics.estimate(both, level).within(*within)) if both else None
    return _of(lambda level: statistics.welch(sides[0], sides[1], level).within(*within))


def _possible(claim: Simple) -> Range:
    """Between which values the mean, or the difference of two, lies; of a logarithm nothing is known."""
    if claim.ratio:
        return ANY
    low, high = claim.left.within()
    if claim.right is None:
        return low, high
    least, greatest = claim.right.within()
    return low - greatest, high - least


def _over_seeds(left: Sequence[Value], right: Sequence[Value] | None, claim: Simple) -> Evidence | None:
    """Of a ratio of deviations, a correlation, or a difference of two; seeds of two sides count as drawn apart."""
    seen = [of_seeds(side, claim) for side in (left, right) if side is not None]
    known = [one for one in seen if one is not None and one.error > 0]
    if len(known) < len(seen):  # without an error there is no interval, which decides nothing
        return None
    if claim.ratio:
        return _of(lambda level: spread.ratio(known[0], known[1], level))
    if right is None:
        return _of(lambda level: spread.correlation_in(known[0], level))
    return _of(lambda level: statistics.apart(*(spread.correlation_in(one, level) for one in known)))


def shares(hits: int, n: int) -> Evidence:
    """Of `hits` of `n` trials."""
    return _of(lambda level: statistics.share(hits, n, level))


def _of(estimate: Callable[[float], Estimate]) -> Evidence:
    one = estimate(LEVEL)
    return Evidence(one.value, one.n, lambda level: estimate(level).interval)


def found(seen: Evidence, inside: Callable[[float, float], bool], region: Interval, looks: int = 1) -> Found:
    """Whether what was measured lies in a region.

    Equal values count by their point, without p; one run decides nothing.

    Args:
        inside: whether (low, high) lies in the region, ends included or not.
        region: its ends.
        looks: how often data were looked at before there were no more of them.
    """
    if seen.n < 2:
        return Found(OPEN)
    start, end = region

    def outside(low: float, high: float) -> bool:
        return high < start or low > end

    if seen.at(LEVEL) is None:
        return Found(YES if inside(seen.value, seen.value) else NO)
    nominal = POCOCK[looks]
    by_answer = {answer: _p(seen, test) * ERROR / nominal for answer, test in ((YES, inside), (NO, outside))}
    answer = min(by_answer, key=lambda one: by_answer[one])
    p = min(1.0, by_answer[answer])
    return Found(answer if p < ERROR else OPEN, p)


def _p(seen: Evidence, test: Callable[[float, float], bool]) -> float:
    """The smallest error at which the interval passes a test; 1 where not even the point does."""

    def passes(error: float) -> bool:
        low, high = seen.at(1 - error) or (seen.value, seen.value)
        return test(low, high)

    if not passes(1 - 1e-9):
        return 1.0
    low, high = -12.0, 0.0  # powers of ten; the interval grows as the error gets smaller
    if passes(10**low):
        return 10**low
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if passes(min(10**middle, 1 - 1e-9)) else (middle, high)
    return float(10**high)


def differences(left: Sequence[Value], right: Sequence[Value] | None, claim: Simple) -> dict[int, float]:
    """The value, difference or log ratio of each seed that both sides have; NaN without a number."""
    one = {v.seed: scaled(v.number, claim) for v in left}
    if right is None:
        return one
    two = {v.seed: scaled(v.number, claim) for v in right}
    return {seed: one[seed] - two[seed] for seed in one if seed in two}
