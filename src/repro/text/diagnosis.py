"""What the quantities of a net's layers mean, in plain words: rules with thresholds, each shown by an experiment."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

FALL = 1e-3  # of a gradient or a standard deviation, from one end of a net to the other
RISE = 1e3
SATURATED = 0.5
DEAD = 0.25
STILL, RASH = 1e-6, 0.1  # of a weight at one update; about 1e-3 is usual
ALIKE = 1e-6
# Others may be undefined by right: the ratio of two gradients that are both 0.
FINITE = ("activation_mean", "activation_std", "gradient_norm", "weight_gradient_norm", "weight_norm", "update_ratio")


class Reading(NamedTuple):
    """A quantity of a layer at one step; as a row of `layers.csv`."""

    depth: int
    layer: str
    quantity: str
    value: float

    @property
    def place(self) -> tuple[int, str]:
        """Which layer, with others in the order of depth."""
        return self.depth, self.layer


Readings = Sequence[Reading]


@dataclass(frozen=True)
class Rule:
    """Something that goes wrong in nets.

    Attributes:
        name: in a word or two.
        says: quantity and threshold, as a condition.
        shown_by: the experiment in which it is seen to matter.
        reads: the quantities it is about, one of them or more.
        finds: from a measurement, in the order of depth, to what is the case, in words; None where it is not.
        layers: so many must have been read, or it says nothing.
    """

    name: str
    says: str
    shown_by: str
    reads: Sequence[str]
    finds: Callable[[Readings], str | None]
    layers: int = 1

    def looks(self, rows: Readings) -> bool:
        """Whether there is enough to look at."""
        return sum(row.quantity in self.reads and row.depth > 0 for row in rows) >= self.layers


@dataclass(frozen=True)
class Finding:
    """A rule that holds, and what it found."""

    rule: Rule
    words: str

    def __str__(self) -> str:
        return f"{self.words}\n    ({self.rule.says}; see: repro table {self.rule.shown_by})"


def findings(layers: "pd.DataFrame") -> list[Finding]:
    """The rules that hold at the last step that was measured, the gravest first.

    Args:
        layers: step, layer, depth, quantity, value, as in `layers.csv`; of several seeds the median counts.
    """
    return found(_last(layers))


def _last(layers: "pd.DataFrame") -> Readings:
    """What was measured at the last step."""
    if layers.empty:
        return []
    last = layers.loc[layers["step"] == layers["step"].max(), list(Reading._fields)]
    return [Reading(*row) for row in last.itertuples(index=False)]


def found(readings: Iterable[Reading]) -> list[Finding]:
    """As `findings`, of what was measured at one step, several seeds in any order; needs no pandas."""
    rows = _medians(readings)
    return [Finding(rule, words) for rule in looked_for(rows) if (words := rule.finds(rows)) is not None]


def looked_for(readings: Iterable[Reading]) -> list[Rule]:
    """The rules that can say something of what was measured at one step."""
    rows = _medians(readings)
    return [rule for rule in RULES if rule.looks(rows)]


def _medians(readings: Iterable[Reading]) -> Readings:
    """Over the seeds, in the order of depth."""
    values: dict[tuple[int, str, str], list[float]] = {}
    for depth, layer, quantity, value in readings:
        values.setdefault((int(depth), layer, quantity), []).append(value)
    return [Reading(*place, _median(values[place])) for place in sorted(values)]


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return median(known) if known else math.nan


def report(layers: "pd.DataFrame", losses: "pd.DataFrame") -> str:
    """The findings as text: a line for each with its rule below, or one that says what was looked for in vain.

    Args:
        layers: as in `findings`.
        losses: step, value.
    """
    if layers.empty:
        return "Nothing was measured yet: call step() after each step of the optimizer."
    step, count = layers["step"].max(), layers.loc[layers["depth"] > 0, "depth"].nunique()
    lines = [f"At step {step}, {count} layers deep:"]
    lost = losses.loc[~losses["value"].map(math.isfinite), "step"]
    if len(lost):
        lines.append(f"  - the loss is not finite from step {lost.min()} on; the rest says where it began")
    lines += [f"  - {finding}" for finding in findings(layers)]
    if len(lines) == 1:
        looked = ", ".join(rule.name for rule in looked_for(_last(layers)))
        found_none = f"nothing is wrong of what was looked for ({looked})" if looked else "nothing that a rule is about"
        lines.append(f"  {found_none}.")
    return "\n".join(lines)


def _power(value: float) -> str:
    return f"{value:.0e}" if value else "0"


def _of(rows: Readings, quantity: str) -> Readings:
    return [row for row in rows if row.quantity == quantity and row.depth > 0]


def _places(rows: Readings, whole: Readings) -> str:
    """ "layers 1-4 of 12 (features.0 to features.6)"."""
    depths = sorted({row.depth for row in rows})
    spans: list[list[int]] = []
    for depth in depths:
        if spans and depth == spans[-1][1] + 1:
            spans[-1][1] = depth
        else:
            spans.append([depth, depth])
    said = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
    names = list(dict.fromkeys(row.layer for row in rows))
    named = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
    plural = "s" if len(depths) > 1 else ""
    return f"layer{plural} {said} of {max(row.depth for row in whole)} ({named})"


def _not_finite(rows: Readings) -> str | None:
    bad = [row for row in rows if row.quantity in FINITE and not math.isfinite(row.value)]
    return f"{_places(bad, rows)}: {bad[0].quantity} is not finite" if bad else None


def _beside(quantity: str, end: str, above: bool, words: str) -> Callable[[Readings], str | None]:
    """Finds layers far above or far below the first or the last one."""

    def finds(rows: Readings) -> str | None:
        own = _of(rows, quantity)
        if not (at_end := own[0 if end == "first" else -1].value) > 0:
            return None
        bad = [row for row in own if (row.value / at_end > RISE if above else row.value / at_end < FALL)]
        if not bad:
            return None
        ratio = (max if above else min)(row.value / at_end for row in bad)
        return f"{_places(bad, rows)}: {words.format(_power(ratio))}"

    return finds


def _above(quantity: str, bound: float, words: str) -> Callable[[Readings], str | None]:
    def finds(rows: Readings) -> str | None:
        bad = [row for row in _of(rows, quantity) if row.value > bound]
        return f"{_places(bad, rows)}: {words.format(max(row.value for row in bad))}" if bad else None

    return finds


def _saturated(rows: Readings) -> str | None:
    """A function that is 0 on one side, as ReLU, is flat there by design: its dead units are what counts."""
    low = {row.place for row in rows if row.quantity == "histogram_low" and row.value == 0}
    high = {row.place for row in rows if row.quantity == "histogram_high" and row.value == 1}
    kept = [row for row in rows if row.place not in low - high]
    return _above("saturated_share", SATURATED, "up to {:.0%} of the activations are saturated")(kept)


def _still(rows: Readings) -> str | None:
    bad = [row for row in _of(rows, "update_ratio") if row.value < STILL]
    least = _power(min((row.value for row in bad), default=0.0))
    return f"{_places(bad, rows)}: an update moves the weights by {least} of their size" if bad else None


def _alike(rows: Readings) -> str | None:
    size = {row.place: abs(row.value) for row in _of(rows, "activation_mean")}
    alike = {
        row.place
        for row in _of(rows, "unit_spread")
        if row.value <= ALIKE * (own := size.get(row.place, 0.0)) and own > 0
    }
    bad = [row for row in rows if row.place in alike]
    return f"{_places(bad, rows)}: all units do the same, where there are several, and will go on so" if bad else None


RULES: Sequence[Rule] = (
    Rule(
        "numbers that are not finite",
        "a quantity is infinite or undefined",
        "training_deep_networks/initialization",
        FINITE,
        _not_finite,
    ),
    Rule(
        "vanishing gradients",
        f"gradient_norm below {FALL:g} of the last layer's",
        "training_deep_networks/depth_and_activation",
        ("gradient_norm",),
        _beside("gradient_norm", "last", False, "the gradient is {} of the last layer's"),
        layers=3,
    ),
    Rule(
        "exploding gradients",
        f"gradient_norm above {RISE:g} times the last layer's",
        "training_deep_networks/initialization",
        ("gradient_norm",),
        _beside("gradient_norm", "last", True, "the gradient is {} times the last layer's"),
        layers=3,
    ),
    Rule(
        "fading signals",
        f"activation_std below {FALL:g} of the first layer's",
        "training_deep_networks/initialization",
        ("activation_std",),
        _beside("activation_std", "first", False, "the signal's standard deviation is {} of the first layer's"),
        layers=3,
    ),
    Rule(
        "growing signals",
        f"activation_std above {RISE:g} times the first layer's",
        "training_deep_networks/initialization",
        ("activation_std",),
        _beside("activation_std", "first", True, "the signal's standard deviation is {} times the first layer's"),
        layers=3,
    ),
    Rule(
        "saturated units",
        f"saturated_share above {SATURATED:g}",
        "training_deep_networks/initialization",
        ("saturated_share",),
        _saturated,
    ),
    Rule(
        "dead units",
        f"dead_share above {DEAD:g}",
        "training_deep_networks/activations",
        ("dead_share",),
        _above("dead_share", DEAD, "up to {:.0%} of the units give 0 for every sample"),
    ),
    Rule("units all alike", "unit_spread is 0", "training_deep_networks/initialization", ("unit_spread",), _alike),
    Rule(
        "weights that stand still",
        f"update_ratio below {STILL:g}, where 1e-3 is usual",
        "training_deep_networks/initialization",
        ("update_ratio",),
        _still,
    ),
    Rule(
        "weights that leap",
        f"update_ratio above {RASH:g}, where 1e-3 is usual",
        "training_deep_networks/batch_normalization",
        ("update_ratio",),
        _above("update_ratio", RASH, "an update moves the weights by up to {:.2g} of their size"),
    ),
)
