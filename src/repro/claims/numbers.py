"""The numbers that a claim compares: on the scale of its comparison, and in words."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from repro.claims.parts import Claim, Of, Simple, simple_parts
from repro.claims.select import Measurements, Selector, Value
from repro.storage import statistics
from repro.storage.spread import (
    Jackknifed,
    Statistic,
    correlation,
    jackknifed,
    log_deviation,
    log_variation,
    rank_correlation,
)
from repro.storage.tables import cell
from repro.text.words import in_words

STATISTICS: dict[Of, Statistic] = {
    "standard deviation": log_deviation,
    "coefficient of variation": log_variation,
    "correlation": correlation,
    "rank correlation": rank_correlation,
}


def scaled(number: float, claim: Simple) -> float:
    """The number, or its logarithm for a ratio; NaN where there is none."""
    if not claim.ratio or claim.of != "mean":
        return number if math.isfinite(number) else math.nan
    return math.log(number) if 0 < number < math.inf else math.nan


def numbers(values: Iterable[Value], claim: Simple) -> list[float]:
    """Those of the values that there are, scaled."""
    return [n for n in (scaled(value.number, claim) for value in values) if not math.isnan(n)]


def of_seeds(values: Iterable[Value], claim: Simple) -> Jackknifed | None:
    """The statistic of all seeds together, on the scale of its interval; None where no seed has its numbers.

    The scale is the logarithm for deviations and artanh for correlations.
    """
    found = [(v.number, v.beside) if _paired(claim) else (v.number,) for v in values if not lacks(v, claim)]
    if not found:
        return None
    rows = np.array(found)  # (seeds, 1 or 2)
    return jackknifed(rows if _paired(claim) else rows[:, 0], STATISTICS[claim.of])


def lacks(value: Value, claim: Simple) -> bool:
    """Whether a run has no number for the comparison, or lacks one of the two that are correlated."""
    return math.isnan(scaled(value.number, claim)) or (_paired(claim) and not math.isfinite(value.beside))


def _paired(claim: Simple) -> bool:
    return claim.of in ("correlation", "rank correlation")


def summary(values: Sequence[Value], claim: Simple) -> float:
    """What a side of the comparison comes to: its mean (geometric for a ratio), deviation or correlation."""
    if claim.of == "mean":
        return center(numbers(values, claim), claim)
    seen = of_seeds(values, claim)
    if seen is None or math.isnan(seen.value):
        return math.nan
    return math.exp(seen.value) if claim.ratio else math.tanh(seen.value)


def center(numbers: Sequence[float], claim: Simple) -> float:
    """Mean of scaled numbers as a value again, the geometric one for a ratio; NaN of none."""
    if not numbers:
        return math.nan
    mean = statistics.mean(numbers)
    return math.exp(mean) if claim.ratio else mean


def values(claim: Claim, data: Measurements, about: str) -> str:
    """What the sides of a claim's comparisons were on average: "test accuracy: 0.971 (relu), 0.962 (tanh)".

    Each side comes once; those of one metric stand together, and what all of them have in common is said once.

    Raises:
        UserError: as `Measurements.values`.
    """
    sides: dict[str, tuple[str, Selector, float]] = {}
    for one in simple_parts(claim):
        for wanted in filter(None, (one.left, one.right)):
            if (key := f"{one.of} {wanted}") not in sides:
                sides[key] = one.of, wanted, summary(data.values(wanted, about), one)
    by_metric: dict[str, list[tuple[Selector, float]]] = {}
    for of, wanted, value in sides.values():
        metric = wanted.metric_name() if of == "mean" else f"{of} of {wanted.metric_name()}"
        by_metric.setdefault(metric, []).append((wanted, value))
    return "; ".join(_told(metric, own) for metric, own in by_metric.items())


def _told(metric: str, sides: Sequence[tuple[Selector, float]]) -> str:
    settings = [_settings(side) for side, _ in sides]
    common = [word for word in settings[0] if all(word in own for own in settings)]
    parts = []
    for (side, value), own in zip(sides, settings, strict=True):
        who = ", ".join([*filter(None, [side.variant]), *(word for word in own if word not in common)])
        shown = "no value" if math.isnan(value) else statistics.number(value, 3)
        parts.append(f"{shown} ({in_words(who)})" if who else shown)
    return f"{in_words(', '.join([metric, *common]))}: {', '.join(parts)}"


def _settings(side: Selector) -> list[str]:
    best = [f"at its best {side.best['setting']}"] if side.best else []
    return [*best, *(f"{name}={cell(value)}" for name, value in side.where.items())]
