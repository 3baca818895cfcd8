"""Claims beside what was measured: reproduced, not reproduced or inconclusive.

A claim holds for a region of values (above a bound, below it, within a tolerance). It is *reproduced* when
the whole interval of what was measured lies in the region, *not reproduced* when the whole interval lies
outside, *inconclusive* otherwise. Equal values have no interval and count by their point; one run decides
nothing.

Runs that diverged often have no value. They are left out of means, and the note says how many; in a share
they count as not satisfying the claim, since a run that diverged did not, say, reach an accuracy.

At a scale that is not entitled to a verdict (`Experiment.judged_at`) there are numbers only: no interval, since a few
seeds of small nets have none worth the name, and the values that the parts of a claim compare instead of how many hold.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from repro.bars import tracked
from repro.claims.grammar import All, Claim, Share, Simple, parse
from repro.claims.numbers import center, numbers, scaled, values
from repro.claims.select import Measurements, Value
from repro.errors import UserError
from repro.storage import statistics
from repro.storage.statistics import Estimate, Interval
from repro.storage.tables import cell, write

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
INCONCLUSIVE = "inconclusive"
VERDICTS = (REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE)
NO_VERDICT = "no verdict at this scale"

_MEASURED = ("metric", "published", "ours", "low", "high", "n", "scale", "verdict")
COLUMNS = ("paper", "experiment", "claim", "says", *_MEASURED, "source", "note")

# A run's seed and its cell: what two sides of a comparison are matched by.
_Key = tuple[int, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Outcome:
    """What a claim came to."""

    metric: str
    ours: float
    interval: Interval | None
    n: int
    verdict: str
    note: str


def judge(
    claims: Mapping[str, Mapping[str, Any]],
    runs: pd.DataFrame,
    layers: pd.DataFrame | None,
    curves: pd.DataFrame | None = None,
    *,
    paper: str,
    experiment: str,
    variants: Collection[str],
    entitled: bool = True,
) -> pd.DataFrame:
    """The verdict on each claim of an experiment.

    Args:
        claims: by id, as in the experiment file.
        runs: runs.csv.
        layers: layers.csv.gz; None where no claim looks at a layer.
        curves: curves.csv.gz; None where no claim looks at a value on the way.
        paper: the paper's folder name.
        experiment: the experiment's file name.
        variants: every variant's name, trained or not.
        entitled: whether the scale of these runs is entitled to verdicts; where it is not, all are `NO_VERDICT`.

    Returns:
        One row a claim that is judged at the runs' scale, columns `COLUMNS`. `ours` is the mean of what is compared:
        the value, the difference to the other side, the ratio (geometric mean), the share, or the number of parts
        reproduced (without a verdict: NaN, and the note has the parts' values).

    Raises:
        UserError: a claim is malformed, or names a metric, setting or layer that the tables do not have.
    """
    data = Measurements(runs, layers, curves)
    scales = list(dict.fromkeys(runs["scale"].astype("str")))
    scale = "+".join(scales)
    rows = []
    for name, claim in tracked(claims.items(), "judging", "claim", len(claims)):
        if scales and "scales" in claim and not set(scales) & set(claim["scales"]):
            continue
        parsed = parse(name, claim, variants)
        outcome = _outcome(parsed, data, f"claim {name}")
        if not entitled:
            outcome = _undecided(outcome, parsed, data, f"claim {name}")
        low, high = outcome.interval or (math.nan, math.nan)
        metric = f"{outcome.metric} [{claim['unit']}]" if claim.get("unit") else outcome.metric
        words = [paper, experiment, name, claim["says"], metric, cell(claim.get("published"))]
        tail = [scale, outcome.verdict, cell(claim.get("source")), outcome.note]
        rows.append([*words, outcome.ours, low, high, outcome.n, *tail])
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_claims(path: Path, verdicts: pd.DataFrame) -> None:
    """Writes claims.csv, atomically; same verdicts, same bytes."""
    rows = ([_blank(value) for value in row] for row in verdicts.itertuples(index=False))
    write(path, COLUMNS, rows)


def _blank(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _undecided(outcome: Outcome, claim: Claim, data: Measurements, about: str) -> Outcome:
    """The same without verdict and interval."""
    if isinstance(claim, All):
        outcome = replace(outcome, ours=math.nan, note=values(claim, data, about))
    return replace(outcome, interval=None, verdict=NO_VERDICT)


def _outcome(claim: Claim, data: Measurements, about: str) -> Outcome:
    if isinstance(claim, Simple):
        return _simple(claim, data, about)
    if isinstance(claim, Share):
        return _share(claim, data, about)
    return _all(claim, data, about)


def _simple(claim: Simple, data: Measurements, about: str) -> Outcome:
    left, right = _sides(claim, data, about)
    for side, wanted in ((left, claim.left), (right, claim.right)):
        _one_a_seed(side, f"{about}: {wanted}")
    note = [_missing_note(left, right, claim), *_best_notes(claim, data, about)]
    estimate = _compare(left, right, claim)
    if estimate is None:
        return Outcome(_metric(claim), math.nan, None, 0, INCONCLUSIVE, "; ".join(filter(None, note)))
    if right is not None:
        means = [center(numbers(side, claim), claim) for side in (left, right)]
        note.insert(0, " against ".join(f"{value:.4g}" for value in means))
    verdict = INCONCLUSIVE if estimate.n < 2 else _verdict(claim, estimate)
    if claim.ratio:
        estimate = _exponential(estimate)
    remarks = "; ".join(filter(None, note))
    return Outcome(_metric(claim), estimate.value, estimate.interval, estimate.n, verdict, remarks)


def _best_notes(claim: Simple, data: Measurements, about: str) -> list[str]:
    """What was the best value of a swept setting for each side that asks for it."""
    sides = [side for side in (claim.left, claim.right) if side is not None and side.best is not None]
    return [f"{side}: {cell(data.best(side, about))}" for side in sides]


def _share(claim: Share, data: Measurements, about: str) -> Outcome:
    left, right = _sides(claim.inner, data, about)
    if claim.per == "seed":
        for side, wanted in ((left, claim.inner.left), (right, claim.inner.right)):
            _one_a_seed(side, f"{about}: {wanted}")
    trials: dict[Any, list[float]] = {}
    for key, number in _differences(left, right, claim.inner, _varying(left, right)).items():
        trials.setdefault(key if claim.per == "seed" else key[1], []).append(number)
    hits = sum(_holds(claim.inner, numbers) for numbers in trials.values())
    unit = "seeds" if claim.per == "seed" else "cells"
    metric = f"share of {unit} where {_metric(claim.inner)} is {_region(claim.inner)}"
    if not trials:
        return Outcome(metric, math.nan, None, 0, INCONCLUSIVE, "no runs")
    estimate = statistics.share(hits, len(trials))
    verdict = INCONCLUSIVE
    if estimate.interval is not None and estimate.interval[0] >= claim.at_least:
        verdict = REPRODUCED
    elif estimate.interval is not None and estimate.interval[1] < claim.at_least:
        verdict = NOT_REPRODUCED
    note = "; ".join(filter(None, [f"{hits} of {len(trials)}", _missing_note(left, right, claim.inner)]))
    return Outcome(metric, estimate.value, estimate.interval, estimate.n, verdict, note)


def _holds(claim: Simple, numbers: Sequence[float]) -> bool:
    finite = [number for number in numbers if math.isfinite(number)]
    return bool(finite) and _inside(claim, *[statistics.mean(finite)] * 2)


def _all(claim: All, data: Measurements, about: str) -> Outcome:
    outcomes = [_outcome(part, data, f"{about}, part {i}") for i, part in enumerate(claim.parts, 1)]
    verdicts = [outcome.verdict for outcome in outcomes]
    verdict = REPRODUCED
    if set(verdicts) != {REPRODUCED}:
        verdict = NOT_REPRODUCED if NOT_REPRODUCED in verdicts else INCONCLUSIVE
    notes = [f"{o.verdict}: {o.metric} {o.ours:.4g}" for o in outcomes if o.verdict != REPRODUCED]
    metric = f"parts of {len(outcomes)}"
    n = min(outcome.n for outcome in outcomes)
    return Outcome(metric, float(verdicts.count(REPRODUCED)), None, n, verdict, "; ".join(notes))


def _sides(claim: Simple, data: Measurements, about: str) -> tuple[list[Value], list[Value] | None]:
    right = None if claim.right is None else data.values(claim.right, about)
    return data.values(claim.left, about), right


def _one_a_seed(values: Sequence[Value] | None, what: str) -> None:
    """Refuses a selection with several runs a seed: they are no independent repetitions."""
    seeds = [value.seed for value in values or ()]
    if values and len(set(seeds)) < len(seeds):
        known = {name: sorted({value.cell[name] for value in values}) for name in values[0].cell}
        listed = "; ".join(f"{name} ({', '.join(metrics)})" for name, metrics in known.items())
        raise UserError(f"{what} has several runs a seed; choose with variant or where: {listed}")


def _compare(left: list[Value], right: list[Value] | None, claim: Simple) -> Estimate | None:
    """Estimate of the value, difference or log ratio; None when a side has no number.

    Two sides with the same seeds are compared seed by seed, others by Welch's interval.
    """
    if right is None or {v.seed for v in left} == {v.seed for v in right}:
        both = [n for n in _differences(left, right, claim).values() if math.isfinite(n)]
        return statistics.estimate(both) if both else None
    one, two = numbers(left, claim), numbers(right, claim)
    return statistics.welch(one, two) if one and two else None


def _differences(
    left: list[Value], right: list[Value] | None, claim: Simple, names: Collection[str] = ()
) -> dict[_Key, float]:
    """The value, difference or log ratio of each seed and cell that both sides have; NaN without a number."""
    one = _by_key(left, names)
    if right is None:
        return {key: scaled(number, claim) for key, number in one.items()}
    two = _by_key(right, names)
    return {key: scaled(one[key], claim) - scaled(two[key], claim) for key in one if key in two}


def _varying(left: Sequence[Value], right: Sequence[Value] | None) -> set[str]:
    """The settings by which the cells of both sides differ."""
    sides = [set(side[0].cell) if side else set() for side in (left, right) if side is not None]
    return set.intersection(*sides)


def _by_key(values: Sequence[Value], names: Collection[str]) -> dict[_Key, float]:
    return {(v.seed, tuple((name, v.cell[name]) for name in sorted(names))): v.number for v in values}


def _verdict(claim: Simple, estimate: Estimate) -> str:
    low, high = estimate.interval or (estimate.value, estimate.value)
    if _inside(claim, low, high):
        return REPRODUCED
    start, end = _ends(claim)
    outside = high < start or low > end or estimate.interval is None
    return NOT_REPRODUCED if outside else INCONCLUSIVE


def _inside(claim: Simple, low: float, high: float) -> bool:
    start, end = _ends(claim)
    if claim.closed:
        return start <= low and high <= end
    return start < low and high < end


def _ends(claim: Simple) -> Interval:
    """The region's ends on the scale of `_scaled`."""
    if not claim.ratio:
        return claim.low, claim.high
    return (math.log(claim.low) if claim.low > 0 else -math.inf), math.log(claim.high)


def _exponential(estimate: Estimate) -> Estimate:
    bounds = None if estimate.interval is None else (_exp(estimate.interval[0]), _exp(estimate.interval[1]))
    return Estimate(_exp(estimate.value), bounds, estimate.n)


def _exp(value: float) -> float:
    return math.exp(value) if value < 709 else math.inf


def _metric(claim: Simple) -> str:
    if claim.right is None:
        return str(claim.left)
    return f"{claim.left} {'over' if claim.ratio else 'minus'} {claim.right}"


def _region(claim: Simple) -> str:
    if claim.closed:
        return f"within {claim.low:.4g} to {claim.high:.4g}"
    return f"above {claim.low:.4g}" if claim.high == math.inf else f"below {claim.high:.4g}"


def _missing_note(left: Sequence[Value], right: Sequence[Value] | None, claim: Simple) -> str:
    parts = []
    for side, wanted in ((left, claim.left), (right, claim.right)):
        if side is None or wanted is None:
            continue
        if not side:
            parts.append(f"no runs of {wanted}")
            continue
        without = [value for value in side if math.isnan(scaled(value.number, claim))]
        diverged = sum(value.diverged for value in without)
        if diverged:
            parts.append(f"{diverged} of {len(side)} diverged ({wanted})")
        if len(without) > diverged:
            reason = "without a positive value" if claim.ratio else "without a value"
            parts.append(f"{len(without) - diverged} of {len(side)} {reason} ({wanted})")
    return "; ".join(parts)
