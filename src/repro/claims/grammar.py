"""What a claim in an experiment file may say, checked before anything is trained.

A claim is a mapping under its id. Every claim has `says` (the sentence for the reader), `kind` and `source`, which is
`ours` for a claim of ours. One of the paper has `published`: its number, counted as ours is (a difference where the
claim is one, a ratio, a share), or a text where it prints none. Also `unit`; `statement`, an id that claims share
which show the same sentence of the paper, in whichever of its experiments; `planned: false` where runs, a trial's too,
were there before the claim; and
`scales: [full]`, at which alone it is judged. The size that ours must have beside a published number:

    (nothing)                        half to twice the published effect, where two sides are compared
    size: {factor: 3}                a third to three times of it
    size: {band: 0.02}               the published number ± 0.02; any band but a factor needs its reason, `why: TEXT`
    size: {from: 0.5, to: 0.9}       between the two
    size: bound                      the claim's own bound is the published number
    size: {none: TEXT}               a number is printed, and ours cannot be held against it, for this reason

Of a claim of kind within, the tolerance is the band; parts of kind all have sizes of their own. What it looks at:

    metric: test_accuracy            a column of the runs table; `diverged` is 1 or 0; test_error_percent is
                                     100 (1 - test_accuracy). Or a column that the experiment's script makes of the
                                     tables (its function `further_columns`)
    metric: {quantity: activation_std, depth: 10, step: first}
                                     a layer quantity; depth or layer (`model` for a run-level one); step is
                                     first, last (default) or a number
    metric: {curve: valid_perplexity, epoch: 5}
                                     a value on the way: at an epoch, at a step (first, last or a number), the
                                     mean_of_last: 20 of them, the swing_of_last: 20, which is the mean size of
                                     the change from one of them to the next, or
                                     first_below / first_above: 0.7, the first step with a value beyond that
                                     (the last step of all when there is none)
    metric: {curve: hessian_alpha_1e-8, when: {curve: hessian_loss, below: 0.1}}
                                     a curve's value at the first step at which another one is below, or above, a
                                     number; runs in which it never is have no value
    metric: {column: train_loss, below: 0.001}
                                     1 where the column is below (or above) the number, else 0; a run that diverged
                                     has 0
    variant: xavier                  the variant
    where: {architecture.depth: 30}  swept settings it must have
    best: {setting: optimizer.lr, by: valid_accuracy}
                                     of a swept setting the value that is best for this side by a column (its mean
                                     over the seeds, without values at which a run diverged)

The kinds, and when each is reproduced:

    above, below  bound: 0.9             the value is beyond the bound
                  than: xavier, by: .01  its difference to another variant (or to other values:
                                         than: {metric: ..., where: ...}) is beyond the margin (default 0)
    within        target, tolerance, relative: true
                                         the mean is within target ± tolerance
    ratio         over: VARIANT or {...}, above or below: 10
                                         the ratio, as a geometric mean, is beyond the bound
    spread        over: VARIANT or {...}, above or below: 10
                                         the ratio of the standard deviations over seeds is beyond the bound; with
                                         relative: true that of the coefficients of variation
    correlation   with: METRIC, above or below: 0.5
                                         the correlation over seeds of the metric and another of the same runs is beyond
                                         the bound, with rank: true that of their ranks; than: VARIANT or {...}
                                         makes it the difference to the correlation there
    share         claim: {...}, at_least: 0.8
                                         so many seeds satisfy the inner claim
    all           claims: [{...}, ...]   every part is; a part inherits metric, variant and where
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from repro.claims.parts import All, Claim, Of, Share, Simple, simple_parts
from repro.claims.select import CURVE_PLACES, DIVERGED, ERROR, OF_LAST, Selector
from repro.claims.size import read_size
from repro.errors import UserError, number, unknown

OURS = "ours"
_SIZE = {"published", "size", "why"}
_TOP = {"says", "source", "unit", "scales", "statement", "planned"}
_PICK = {"metric", "variant", "where", "best"}
_FIELDS = {
    "above": {"bound", "than", "by"},
    "below": {"bound", "than", "by"},
    "within": {"target", "tolerance", "relative"},
    "ratio": {"over", "above", "below"},
    "spread": {"over", "above", "below", "relative"},
    "correlation": {"with", "rank", "than", "above", "below"},
    "share": {"claim", "at_least"},
    "all": {"claims"},
}
_SIMPLE = ("above", "below", "within", "ratio")
_OVER_SEEDS = ("spread", "correlation")
_LAYER = {"quantity", "depth", "layer", "step"}


def check_claims(claims: Mapping[str, Mapping[str, Any]], variants: Collection[str]) -> None:
    """Checks claims as far as it goes before training; metrics are checked against the tables later.

    Args:
        claims: by id, as plain dicts.
        variants: every variant's name.

    Raises:
        UserError: an unknown kind, field or variant (with the near miss), a missing field, a wrong type.
    """
    for name, claim in claims.items():
        parse(name, claim, variants)


@dataclass(frozen=True)
class LookedAt:
    """What claims look at: numbers of the runs table by name, layer quantities by name, and whether curves as well."""

    columns: set[str]
    quantities: set[str]
    curves: bool


def looked_at(claims: Mapping[str, Mapping[str, Any]], variants: Collection[str]) -> LookedAt:
    """What claims look at."""
    sides = [side for name, claim in claims.items() for side in _selectors(parse(name, claim, variants))]
    metrics = [metric for side in sides for metric in side.metrics()]
    mappings = [metric for metric in metrics if not isinstance(metric, str)]
    columns = {metric for metric in metrics if isinstance(metric, str)} | {
        m["column"] for m in mappings if "column" in m
    }
    return LookedAt(
        {column.replace(ERROR, "_accuracy") for column in columns - {DIVERGED}},
        {str(m["quantity"]) for m in mappings if "quantity" in m},
        any("curve" in m for m in mappings),
    )


def _selectors(claim: Claim) -> list[Selector]:
    return [side for one in simple_parts(claim) for side in (one.left, one.right) if side is not None]


def parse(name: str, claim: Mapping[str, Any], variants: Collection[str]) -> Claim:
    """One claim of an experiment file.

    Raises:
        UserError: see `check_claims`.
    """
    reader = _Reader(f"claim {name}", variants)
    reader.mapping(claim, "the claim")
    if not isinstance(claim.get("says"), str):
        raise UserError(f"claim {name} has no sentence; add says: TEXT")
    if not isinstance(claim.get("published"), (int, float, str, type(None))):
        raise UserError(f"claim {name}: published must be a number, a text or null")
    ours = claim.get("source") == OURS
    if not isinstance(claim.get("source"), str) or (ours and claim.get("published") is not None):
        raise UserError(f"claim {name} needs source: PLACE in the paper, or source: ours and no published")
    for field, kind in (("statement", str), ("planned", bool)):
        if field in claim and not isinstance(claim[field], kind):
            raise UserError(f"claim {name}: {field} must be {'an id' if kind is str else 'true or false'}")
    scales = claim.get("scales", [])
    if not isinstance(scales, list) or not all(isinstance(scale, str) for scale in scales):
        raise UserError(f"claim {name}: scales must list names, e.g. scales: [full]")
    body = {field: value for field, value in claim.items() if field not in _TOP}
    return reader.claim(body, {}, tuple(_FIELDS))


class _Reader:
    """Reads the claim called `about` and says what is wrong with it."""

    def __init__(self, about: str, variants: Collection[str]) -> None:
        self.about = about
        self.variants = variants

    def claim(self, body: Mapping[str, Any], base: Mapping[str, Any], kinds: tuple[str, ...]) -> Claim:
        kind = body.get("kind")
        if kind not in kinds:
            raise unknown(f"kind in {self.about}", str(kind), kinds)
        for field in body:
            if field not in _FIELDS[kind] | _PICK | _SIZE | {"kind"}:
                raise unknown(f"field in {self.about}", str(field), _FIELDS[kind] | _PICK | _SIZE | _TOP | {"kind"})
        pick = _override(base, {field: body[field] for field in _PICK & set(body)}, self)
        if kind == "all":
            return self._all(body, pick)
        if kind == "share":
            return self._share(body, pick)
        left = self.selector(pick)
        if kind == "within":
            return self._within(body, left)
        if kind == "correlation":
            made = self._correlation(body, pick, left)
        elif kind in ("ratio", "spread"):
            made = self._ratio(body, pick, left)
            made = replace(made, of=self._deviation(body)) if kind == "spread" else made
        else:
            made = self._beyond(kind, body, pick, left)
        return replace(made, size=read_size(self.about, body, made.right is not None, None))

    def _all(self, body: Mapping[str, Any], pick: Mapping[str, Any]) -> All:
        parts = body.get("claims")
        if not isinstance(parts, list) or not parts:
            raise UserError(f"{self.about} has no parts; add claims: [{{kind: ...}}, ...]")
        read = []
        for place, part in enumerate(parts, 1):
            reader = _Reader(f"{self.about}, part {place}", self.variants)
            reader.mapping(part, "the part")
            read.append(reader.claim(part, pick, (*_SIMPLE, *_OVER_SEEDS, "share")))
        sized = any(part.size for part in read)
        if sized and body.get("size") is not None:
            raise UserError(f"{self.about}: its parts have sizes; leave out that of the whole")
        return All(tuple(read), None if sized else read_size(self.about, body, False, None))

    def _share(self, body: Mapping[str, Any], pick: Mapping[str, Any]) -> Share:
        self.mapping(body.get("claim"), "claim")
        inner = self.claim(body["claim"], pick, _SIMPLE)
        assert isinstance(inner, Simple)
        at_least = self.number(body, "at_least")
        if not 0 < at_least < 1:
            raise UserError(
                f"{self.about}: at_least is {at_least:g}; it must be between 0 and 1, both excluded, "
                "since no number of runs proves all or none"
            )
        return Share(inner, at_least, read_size(self.about, body, False, None))

    def _within(self, body: Mapping[str, Any], left: Selector) -> Simple:
        target, tolerance = self.number(body, "target"), self.number(body, "tolerance")
        relative = self.flag(body, "relative")
        half = tolerance * abs(target) if relative else tolerance
        if half <= 0:
            raise UserError(f"{self.about}: the tolerance is {half:g}; it must be above 0")
        region = (target - half, target + half)
        return Simple(left, None, *region, closed=True, size=read_size(self.about, body, False, region))

    def _beyond(self, kind: str, body: Mapping[str, Any], pick: Mapping[str, Any], left: Selector) -> Simple:
        if ("bound" in body) == ("than" in body):
            raise UserError(f"{self.about} needs bound: NUMBER or than: VARIANT, one of the two")
        by = self.number(body, "by") if "by" in body else 0.0
        bound = self.number(body, "bound") if "bound" in body else 0.0
        right = self.other(pick, body["than"], "than") if "than" in body else None
        if kind == "above":
            return Simple(left, right, bound + by, float("inf"))
        return Simple(left, right, float("-inf"), bound - by)

    def _ratio(self, body: Mapping[str, Any], pick: Mapping[str, Any], left: Selector) -> Simple:
        if "over" not in body:
            raise UserError(f"{self.about} needs over: VARIANT and one of above: NUMBER, below: NUMBER")
        low, high = self.half_line(body, 0.0)
        if (bound := self.number(body, "above" if "above" in body else "below")) <= 0:
            raise UserError(f"{self.about}: its bound is {bound:g}; the bound of a ratio must be above 0")
        return Simple(left, self.other(pick, body["over"], "over"), low, high, ratio=True)

    def _deviation(self, body: Mapping[str, Any]) -> Of:
        return "coefficient of variation" if self.flag(body, "relative") else "standard deviation"

    def _correlation(self, body: Mapping[str, Any], pick: Mapping[str, Any], left: Selector) -> Simple:
        if "with" not in body:
            raise UserError(
                f"{self.about} needs with: METRIC, the one that goes or does not go with {left.metric_name()}"
            )
        second = self.selector({**pick, "metric": body["with"]}).metric
        right = replace(self.other(pick, body["than"], "than"), beside=second) if "than" in body else None
        low, high = self.half_line(body, float("-inf"))
        of: Of = "rank correlation" if self.flag(body, "rank") else "correlation"
        return Simple(replace(left, beside=second), right, low, high, of=of)

    def half_line(self, body: Mapping[str, Any], least: float) -> tuple[float, float]:
        """From `above` upwards, or from `least` up to `below`."""
        if ("above" in body) == ("below" in body):
            raise UserError(f"{self.about} needs one of above: NUMBER, below: NUMBER")
        return (self.number(body, "above"), float("inf")) if "above" in body else (least, self.number(body, "below"))

    def flag(self, body: Mapping[str, Any], field: str) -> bool:
        if not isinstance(value := body.get(field, False), bool):
            raise UserError(f"{self.about}: {field} must be true or false")
        return value

    def other(self, pick: Mapping[str, Any], change: Any, field: str) -> Selector:
        """The other side of a comparison: a variant's name, or what differs from this side."""
        if isinstance(change, str):
            change = {"variant": change}
        self.mapping(change, field)
        for name in change:
            if name not in _PICK:
                raise unknown(f"field of {field} in {self.about}", str(name), _PICK)
        return self.selector(_override(pick, change, self))

    def selector(self, pick: Mapping[str, Any]) -> Selector:
        variant = pick.get("variant")
        if variant is not None and variant not in self.variants:
            raise unknown(f"variant in {self.about}", str(variant), self.variants)
        metric = pick.get("metric")
        if isinstance(metric, Mapping):
            kinds = {"curve": self._curve_metric, "column": self._column_metric}
            next((check for key, check in kinds.items() if key in metric), self._layer_metric)(metric)
        elif not isinstance(metric, str):
            raise UserError(f"{self.about} has no metric; add metric: COLUMN, or metric: {{quantity: ..., depth: ...}}")
        return Selector(metric, variant, dict(pick.get("where", {})), self._best(pick.get("best")))

    def _best(self, best: Any) -> Mapping[str, str] | None:
        if best is None:
            return None
        self.mapping(best, "best")
        if set(best) != {"setting", "by"} or not all(isinstance(value, str) for value in best.values()):
            raise UserError(
                f"{self.about}: best needs setting and by, e.g. {{setting: optimizer.lr, by: valid_accuracy}}"
            )
        return dict(best)

    def _layer_metric(self, metric: Mapping[str, Any]) -> None:
        for field in metric:
            if field not in _LAYER:
                raise unknown(f"field of metric in {self.about}", str(field), _LAYER)
        if "quantity" not in metric or ("depth" in metric) == ("layer" in metric):
            raise UserError(f"{self.about}: a layer's metric needs quantity and one of depth, layer")
        self._step(metric.get("step", "last"))

    def _curve_metric(self, metric: Mapping[str, Any]) -> None:
        for field in metric:
            if field not in {"curve", *CURVE_PLACES}:
                raise unknown(f"field of metric in {self.about}", str(field), {"curve", *CURVE_PLACES})
        places = [field for field in CURVE_PLACES if field in metric]
        if len(places) != 1:
            raise UserError(f"{self.about}: a curve's metric needs exactly one of {', '.join(CURVE_PLACES)}")
        if places[0] == "step":
            self._step(metric["step"])
        elif places[0] == "when":
            self._beyond_curve(metric["when"])
        elif places[0] in OF_LAST:
            count, least = metric[places[0]], OF_LAST[places[0]]
            if isinstance(count, bool) or not isinstance(count, int) or count < least:
                raise UserError(f"{self.about}: {places[0]} is {count!r}; it must be a whole number of {least} or more")
        else:
            self.number(metric, places[0])

    def _beyond_curve(self, bound: Any) -> None:
        self.mapping(bound, "when")
        sides = [side for side in ("below", "above") if side in bound]
        if not isinstance(bound.get("curve"), str) or len(sides) != 1 or len(bound) != 2:
            raise UserError(
                f"{self.about}: when needs a curve and one of below, above, e.g. {{curve: valid_loss, below: 0.1}}"
            )
        self.number(bound, sides[0])

    def _column_metric(self, metric: Mapping[str, Any]) -> None:
        for field in metric:
            if field not in ("column", "below", "above"):
                raise unknown(f"field of metric in {self.about}", str(field), ("column", "below", "above"))
        if not isinstance(metric["column"], str) or ("below" in metric) == ("above" in metric):
            raise UserError(f"{self.about}: a metric of a column needs its name and one of below, above")
        self.number(metric, "below" if "below" in metric else "above")

    def _step(self, step: Any) -> None:
        if step not in ("first", "last") and (isinstance(step, bool) or not isinstance(step, int)):
            raise UserError(f"{self.about}: step is {step!r}; it must be first, last or a whole number")

    def number(self, body: Mapping[str, Any], field: str) -> float:
        return number(f"{self.about}: {field}", body.get(field))

    def mapping(self, value: Any, field: str) -> None:
        if not isinstance(value, Mapping):
            raise UserError(f"{self.about}: {field} is {value!r}; it must be a mapping of fields")


def _override(base: Mapping[str, Any], change: Mapping[str, Any], reader: _Reader) -> dict[str, Any]:
    """`base` with the changes; metric and where are changed field by field."""
    result = {**base, **change}
    if "where" in change:
        reader.mapping(change["where"], "where")
        result["where"] = {**base.get("where", {}), **change["where"]}
    old, new = base.get("metric"), change.get("metric")
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        # A layer is named in one of two ways; the newer one counts.
        named = {"depth", "layer"} if {"depth", "layer"} & set(new) else set()
        named |= set(CURVE_PLACES) if "curve" in old and set(CURVE_PLACES) & set(new) else set()
        result["metric"] = {**{key: value for key, value in old.items() if key not in named}, **new}
    return result
