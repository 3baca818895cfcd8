"""What the quantities of a net's layers mean, in plain words: rules with thresholds, each shown by an experiment."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

FALL = 1e-3  # of a gradient or a standard deviation, from one end of a net to the other
RISE = 1e3
SATURATED = 0.5
DEAD = 0.25
STILL, RASH = 1e-6, 0.1  # of a weight at one update; about 1e-3 is usual
ALIKE = 1e-6
# Others may be undefined by right: the ratio of two gradients that are both 0.
FINITE = ("activation_mean", "activation_std", "gradient_norm", "weight_gradient_norm", "weight_norm", "update_ratio")


@dataclass(frozen=True)
class Rule:
    """Something that goes wrong in nets.

    Attributes:
        name: in a word or two.
        says: quantity and threshold, as a condition.
        shown_by: the experiment in which it is seen to matter.
        finds: from the rows of a measurement to what is the case, in words; None where it is not.
    """

    name: str
    says: str
    shown_by: str
    finds: Callable[[pd.DataFrame], str | None]


@dataclass(frozen=True)
class Finding:
    """A rule that holds, and what it found."""

    rule: Rule
    words: str

    def __str__(self) -> str:
        return f"{self.words}\n    ({self.rule.says}; see: repro table {self.rule.shown_by})"


def findings(layers: pd.DataFrame) -> list[Finding]:
    """The rules that hold at the last step that was measured, the gravest first.

    Args:
        layers: step, layer, depth, quantity, value, as in `layers.csv`; of several seeds the median counts.
    """
    if layers.empty:
        return []
    last = layers[layers["step"] == layers["step"].max()]
    rows = last.groupby(["depth", "layer", "quantity"], sort=True, as_index=False)["value"].median()
    return [Finding(rule, words) for rule in RULES if (words := rule.finds(rows)) is not None]


def report(layers: pd.DataFrame, losses: pd.DataFrame) -> str:
    """The findings as text: a line for each with its rule below, or one that says that nothing was found.

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
        looked = ", ".join(rule.name for rule in RULES)
        lines.append(f"  nothing is wrong of what was looked for ({looked}).")
    return "\n".join(lines)


def _power(value: float) -> str:
    return f"{value:.0e}" if value else "0"


def _of(rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    return rows[(rows["quantity"] == quantity) & (rows["depth"] > 0)]


def _places(rows: pd.DataFrame, whole: pd.DataFrame) -> str:
    """ "layers 1-4 of 12 (features.0 to features.6)"."""
    depths = sorted(rows["depth"].unique())
    spans: list[list[int]] = []
    for depth in depths:
        if spans and depth == spans[-1][1] + 1:
            spans[-1][1] = depth
        else:
            spans.append([depth, depth])
    said = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
    names = list(dict.fromkeys(rows["layer"]))
    named = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
    plural = "s" if len(depths) > 1 else ""
    return f"layer{plural} {said} of {whole['depth'].max()} ({named})"


def _not_finite(rows: pd.DataFrame) -> str | None:
    bad = rows[~rows["value"].map(math.isfinite) & rows["quantity"].isin(FINITE)]
    return None if bad.empty else f"{_places(bad, rows)}: {bad['quantity'].iloc[0]} is not finite"


def _beside(quantity: str, end: str, above: bool, words: str) -> Callable[[pd.DataFrame], str | None]:
    """Finds layers far above or far below the first or the last one."""

    def finds(rows: pd.DataFrame) -> str | None:
        own = _of(rows, quantity)
        if len(own) < 3 or not (at_end := own["value"].iloc[0 if end == "first" else -1]) > 0:
            return None
        ratios = own["value"] / at_end
        bad = ratios[ratios > RISE] if above else ratios[ratios < FALL]
        if bad.empty:
            return None
        return f"{_places(own.loc[bad.index], rows)}: {words.format(_power(bad.max() if above else bad.min()))}"

    return finds


def _above(quantity: str, bound: float, words: str) -> Callable[[pd.DataFrame], str | None]:
    def finds(rows: pd.DataFrame) -> str | None:
        own = _of(rows, quantity)
        bad = own[own["value"] > bound]
        return None if bad.empty else f"{_places(bad, rows)}: {words.format(bad['value'].max())}"

    return finds


def _saturated(rows: pd.DataFrame) -> str | None:
    """A function that is 0 on one side, as ReLU, is flat there by design: its dead units are what counts."""
    own = rows.pivot_table(index=["depth", "layer"], columns="quantity", values="value")
    ends = own.reindex(columns=["histogram_low", "histogram_high"])
    rectified = own.index[(ends["histogram_low"] == 0) & (ends["histogram_high"] != 1)]
    kept = rows[~pd.MultiIndex.from_frame(rows[["depth", "layer"]]).isin(rectified)]
    return _above("saturated_share", SATURATED, "up to {:.0%} of the activations are saturated")(kept)


def _still(rows: pd.DataFrame) -> str | None:
    own = _of(rows, "update_ratio")
    bad = own[own["value"] < STILL]
    return (
        None
        if bad.empty
        else f"{_places(bad, rows)}: an update moves the weights by {_power(bad['value'].min())} of their size"
    )


def _alike(rows: pd.DataFrame) -> str | None:
    spread = _of(rows, "unit_spread").set_index(["depth", "layer"])["value"]
    size = _of(rows, "activation_mean").set_index(["depth", "layer"])["value"].abs()
    alike = spread[spread <= ALIKE * size.reindex(spread.index).fillna(0.0)]
    alike = alike[size.reindex(alike.index) > 0]
    bad = rows[pd.MultiIndex.from_frame(rows[["depth", "layer"]]).isin(alike.index)]
    return None if bad.empty else f"{_places(bad, rows)}: all units do the same, and will go on so"


RULES: Sequence[Rule] = (
    Rule(
        "numbers that are not finite",
        "a quantity is infinite or undefined",
        "training_deep_networks/initialization",
        _not_finite,
    ),
    Rule(
        "vanishing gradients",
        f"gradient_norm below {FALL:g} of the last layer's",
        "training_deep_networks/depth_and_activation",
        _beside("gradient_norm", "last", False, "the gradient is {} of the last layer's"),
    ),
    Rule(
        "exploding gradients",
        f"gradient_norm above {RISE:g} times the last layer's",
        "training_deep_networks/initialization",
        _beside("gradient_norm", "last", True, "the gradient is {} times the last layer's"),
    ),
    Rule(
        "fading signals",
        f"activation_std below {FALL:g} of the first layer's",
        "training_deep_networks/initialization",
        _beside("activation_std", "first", False, "the signal's standard deviation is {} of the first layer's"),
    ),
    Rule(
        "growing signals",
        f"activation_std above {RISE:g} times the first layer's",
        "training_deep_networks/initialization",
        _beside("activation_std", "first", True, "the signal's standard deviation is {} times the first layer's"),
    ),
    Rule(
        "saturated units", f"saturated_share above {SATURATED:g}", "training_deep_networks/initialization", _saturated
    ),
    Rule(
        "dead units",
        f"dead_share above {DEAD:g}",
        "training_deep_networks/activations",
        _above("dead_share", DEAD, "up to {:.0%} of the units give 0 for every sample"),
    ),
    Rule("units all alike", "unit_spread is 0", "training_deep_networks/initialization", _alike),
    Rule(
        "weights that stand still",
        f"update_ratio below {STILL:g}, where 1e-3 is usual",
        "training_deep_networks/initialization",
        _still,
    ),
    Rule(
        "weights that leap",
        f"update_ratio above {RASH:g}, where 1e-3 is usual",
        "training_deep_networks/batch_normalization",
        _above("update_ratio", RASH, "an update moves the weights by up to {:.2g} of their size"),
    ),
)
