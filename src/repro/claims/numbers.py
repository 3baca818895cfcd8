"""The numbers that a claim compares: on the scale of its comparison, and in words."""

import math
from collections.abc import Iterable, Sequence

from repro.claims.grammar import Claim, Simple, simple_parts
from repro.claims.select import Measurements, Selector, Value
from repro.storage import statistics
from repro.storage.tables import cell
from repro.text.words import in_words


def scaled(number: float, claim: Simple) -> float:
    """The number, or its logarithm for a ratio; NaN where there is none."""
    if not claim.ratio:
        return number if math.isfinite(number) else math.nan
    return math.log(number) if 0 < number < math.inf else math.nan


def numbers(values: Iterable[Value], claim: Simple) -> list[float]:
    """Those of the values that there are, scaled."""
    return [n for n in (scaled(value.number, claim) for value in values) if not math.isnan(n)]


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
    sides: dict[str, tuple[Selector, float]] = {}
    for one in simple_parts(claim):
        for side in filter(None, (one.left, one.right)):
            if str(side) not in sides:
                sides[str(side)] = side, center(numbers(data.values(side, about), one), one)
    by_metric: dict[str, list[tuple[Selector, float]]] = {}
    for side, value in sides.values():
        by_metric.setdefault(side.metric_name(), []).append((side, value))
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
