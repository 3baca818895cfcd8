"""Claims beside what was measured: their two answers, and the word these earn (`repro.claims.words`).

A claim's direction holds for a region of values (above a bound, below it, within a tolerance), its size for a band
around the published number. Each is answered with *yes* when the whole interval of what was measured lies in it, with
*no* when the whole interval lies outside, and is *open* otherwise. Equal values have no interval and count by their
point, unless they are shares, which are counted; one run decides nothing.

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
from repro.claims import evidence
from repro.claims.evidence import ERROR, NO, NONE, OPEN, POCOCK, YES, Evidence, Found
from repro.claims.grammar import OURS, parse
from repro.claims.numbers import lacks, summary, values
from repro.claims.parts import All, Claim, Share, Simple
from repro.claims.select import Measurements, Value
from repro.claims.size import Size
from repro.claims.words import NO_RUNS, NO_VERDICT, NOT_HELD, verdict
from repro.errors import UserError
from repro.storage.statistics import Interval
from repro.storage.tables import cell, write

_ASKED = ("origin", "statement", "planned")
_MEASURED = ("metric", "published", "band", "ours", "low", "high", "n", "scale")
_JUDGED = ("direction", "size", "verdict", "p_direction", "p_size")
COLUMNS = ("paper", "experiment", "claim", "says", *_ASKED, *_MEASURED, *_JUDGED, "source", "note")


@dataclass(frozen=True)
class Outcome:
    """What a claim came to; `trained` is false where a side of it has no run."""

    metric: str
    ours: float
    interval: Interval | None
    n: int
    direction: Found
    size: Found
    band: str
    note: str
    trained: bool = True


NOTHING = Found(NONE)


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
    looks: int = 1,
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
        looks: how often data were looked at before the last seeds were added; intervals are wider for several
            (Pocock 1977), so that all looks together err in 5 % of cases.

    Returns:
        One row a claim that is judged at the runs' scale, columns `COLUMNS`. `ours` is the mean of what is compared:
        the value, the difference to the other side, the ratio (geometric mean), the share, or the number of parts
        that hold (without a verdict: NaN, and the note has the parts' values).

    Raises:
        UserError: a claim is malformed, or names a metric, setting or layer that the tables do not have.
    """
    data = Measurements(runs, layers, curves)
    judging = _Judging(data, looks)
    scales = list(dict.fromkeys(runs["scale"].astype("str")))
    rows = []
    for name, claim in tracked(claims.items(), "judging", "claim", len(claims)):
        if scales and "scales" in claim and not set(scales) & set(claim["scales"]):
            continue
        parsed, about = parse(name, claim, variants), f"claim {name}"
        outcome = judging.outcome(parsed, about)
        if not entitled:
            outcome = _undecided(outcome, parsed, data, about)
        row = _row(f"{experiment}/{name}", claim, outcome, "+".join(scales), entitled)
        rows.append([paper, experiment, name, *row])
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(statement: str, claim: Mapping[str, Any], outcome: Outcome, scale: str, entitled: bool) -> list[Any]:
    """A claim's cells after paper, experiment and id; `statement` is what it shows where it says no other."""
    ours = claim["source"] == OURS
    answers = (outcome.direction.answer, outcome.size.answer)
    word = (verdict(*answers, ours) if outcome.trained else NO_RUNS) if entitled else NO_VERDICT
    low, high = outcome.interval or (math.nan, math.nan)
    metric = f"{outcome.metric} [{claim['unit']}]" if claim.get("unit") else outcome.metric
    asked = [OURS if ours else "paper", claim.get("statement", statement), cell(claim.get("planned", True))]
    measured = [metric, cell(claim.get("published")), outcome.band, outcome.ours, low, high, outcome.n, scale]
    judged = [*answers, word, outcome.direction.p, outcome.size.p]
    return [claim["says"], *asked, *measured, *judged, claim["source"], outcome.note]


def write_claims(path: Path, verdicts: pd.DataFrame) -> None:
    """Writes claims.csv, atomically; same verdicts, same bytes."""
    rows = ([_blank(value) for value in row] for row in verdicts.itertuples(index=False))
    write(path, COLUMNS, rows)


def _blank(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _undecided(outcome: Outcome, claim: Claim, data: Measurements, about: str) -> Outcome:
    """The same without answers and interval."""
    if isinstance(claim, All):
        outcome = replace(outcome, ours=math.nan, note=values(claim, data, about))
    return replace(outcome, interval=None, direction=NOTHING, size=NOTHING)


class _Judging:
    """Answers claims from the tables of one experiment."""

    def __init__(self, data: Measurements, looks: int) -> None:
        self.data = data
        self.looks = looks
        self.level = 1 - POCOCK[looks]

    def outcome(self, claim: Claim, about: str) -> Outcome:
        if isinstance(claim, All):
            return self._all(claim, about)
        made = self._share(claim, about) if isinstance(claim, Share) else self._simple(claim, about)
        wider = f"{self.looks} looks, so a {100 * self.level:.1f} % interval" if self.looks > 1 else ""
        return replace(made, note="; ".join(filter(None, [made.note, wider if made.interval else ""])))

    def _simple(self, claim: Simple, about: str) -> Outcome:
        left, right = _sides(claim, self.data, about)
        for own, wanted in ((left, claim.left), (right, claim.right)):
            _one_a_seed(own, f"{about}: {wanted}")
        note = [_missing_note(left, right, claim), *_best_notes(claim, self.data, about)]
        band = str(claim.size or "")
        binary = all(self.data.is_share(one) for one in (claim.left, claim.right) if one is not None)
        seen = evidence.evidence(left, right, claim, binary)
        if seen is None:
            note = list(filter(None, note))
            asked = NOTHING if claim.sized else Found(OPEN)
            size = Found(OPEN) if claim.size else NOTHING
            trained = all(side is None or bool(side) for side in (left, right))
            return Outcome(_metric(claim), math.nan, None, 0, asked, size, band, "; ".join(note), trained)
        if right is not None:
            note.insert(0, " against ".join(f"{summary(own, claim):.4g}" for own in (left, right)))
        region = evidence.found(seen, lambda low, high: _inside(claim, low, high), _ends(claim), self.looks)
        direction, size = (
            (NOTHING, region) if claim.sized else (region, self._size(claim.size, seen, region, claim.ratio))
        )
        value, bounds = seen.value, seen.at(self.level)
        if claim.ratio:
            value, bounds = _exp(value), bounds and (_exp(bounds[0]), _exp(bounds[1]))
        return Outcome(_metric(claim), value, bounds, seen.n, direction, size, band, "; ".join(filter(None, note)))

    def _size(self, size: Size | None, seen: Evidence, direction: Found, ratio: bool = False) -> Found:
        """Whether ours lies in the band around the published number."""
        if size is None:
            return NOTHING
        if size.bound:
            return Found(direction.answer)  # one question, asked once
        if size.none:
            return Found(NOT_HELD)
        low, high = (_log(size.low), _log(size.high)) if ratio else (size.low, size.high)
        return evidence.found(seen, lambda start, end: low <= start and end <= high, (low, high), self.looks)

    def _share(self, claim: Share, about: str) -> Outcome:
        left, right = _sides(claim.inner, self.data, about)
        for side, wanted in ((left, claim.inner.left), (right, claim.inner.right)):
            _one_a_seed(side, f"{about}: {wanted}")
        trials = evidence.differences(left, right, claim.inner).values()
        hits = sum(math.isfinite(number) and _inside(claim.inner, number, number) for number in trials)
        metric = f"share of seeds where {_metric(claim.inner)} is {_region(claim.inner)}"
        band = str(claim.size or "")
        if not trials:
            size = Found(OPEN) if claim.size else NOTHING
            return Outcome(metric, math.nan, None, 0, Found(OPEN), size, band, "no runs", trained=False)
        seen = evidence.shares(hits, len(trials))
        least = claim.at_least
        direction = evidence.found(seen, lambda low, _: low >= least, (least, math.inf), self.looks)
        note = "; ".join(filter(None, [f"{hits} of {len(trials)}", _missing_note(left, right, claim.inner)]))
        size = self._size(claim.size, seen, direction)
        return Outcome(metric, seen.value, seen.at(self.level), seen.n, direction, size, band, note)

    def _all(self, claim: All, about: str) -> Outcome:
        outcomes = [self.outcome(part, f"{about}, part {i}") for i, part in enumerate(claim.parts, 1)]
        direction = _every([outcome.direction for outcome in outcomes])
        size = _every([outcome.size for outcome in outcomes])
        if claim.size is not None:
            size = Found(direction.answer if claim.size.bound else NOT_HELD)
        lacking = [(o, _answers(o)) for o in outcomes if set(_answers(o)) - {YES}]
        notes = [f"{', '.join(a)}: {o.metric} {o.ours:.4g}" for o, a in lacking]
        held = len(outcomes) - len(lacking)
        band = "; ".join(filter(None, (outcome.band for outcome in outcomes)))
        n = min(outcome.n for outcome in outcomes)
        trained = all(outcome.trained for outcome in outcomes)
        metric = f"parts of {len(outcomes)}"
        return Outcome(metric, float(held), None, n, direction, size, band, "; ".join(notes), trained)


def _answers(outcome: Outcome) -> list[str]:
    """A part's answers that are asked for, "size no" for one on size."""
    size = {YES: YES}.get(outcome.size.answer, f"size {outcome.size.answer}") if outcome.size.answer else ""
    return [answer for answer in (outcome.direction.answer, size) if answer]


def _every(parts: Sequence[Found]) -> Found:
    """Whether all hold. p: the largest of parts that do; of parts that do not the smallest, times how many parts."""
    asked = [part for part in parts if part.answer != NONE]
    if not asked:
        return NOTHING
    tested = [part for part in asked if not math.isnan(part.p)]
    if all(part.answer == YES for part in asked):
        return Found(YES, max((part.p for part in tested), default=math.nan))
    if refuted := [part for part in asked if part.answer == NO]:
        ps = [len(asked) * part.p for part in refuted if not math.isnan(part.p)]
        if len(ps) < len(refuted):
            return Found(NO)  # one of them by its point, without spread
        return Found(NO if min(ps) < ERROR else OPEN, min(1.0, *ps, 1.0))
    if all(part.answer in (YES, NOT_HELD) for part in asked):
        return Found(NOT_HELD)
    return Found(OPEN, max((part.p for part in tested), default=math.nan))


def _best_notes(claim: Simple, data: Measurements, about: str) -> list[str]:
    """What was the best value of a swept setting for each side that asks for it."""
    sides = [side for side in (claim.left, claim.right) if side is not None and side.best is not None]
    return [f"{side}: {cell(data.best(side, about))}" for side in sides]


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


def _inside(claim: Simple, low: float, high: float) -> bool:
    start, end = _ends(claim)
    if claim.closed:
        return start <= low and high <= end
    return start < low and high < end


def _ends(claim: Simple) -> Interval:
    """The region's ends on the scale of `numbers.scaled`."""
    if not claim.ratio:
        return claim.low, claim.high
    return _log(claim.low), _log(claim.high)


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def _exp(value: float) -> float:
    return math.exp(value) if value < 709 else math.inf


def _metric(claim: Simple) -> str:
    left, right = (side if claim.of == "mean" else f"{claim.of} of {side}" for side in (claim.left, claim.right))
    if claim.right is None:
        return str(left)
    return f"{left} {'over' if claim.ratio else 'minus'} {right}"


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
        without = [value for value in side if lacks(value, claim)]
        diverged = sum(value.diverged for value in without)
        if diverged:
            parts.append(f"{diverged} of {len(side)} diverged ({wanted})")
        if len(without) > diverged:
            reason = "without a positive value" if claim.ratio and claim.of == "mean" else "without a value"
            parts.append(f"{len(without) - diverged} of {len(side)} {reason} ({wanted})")
    return "; ".join(parts)
