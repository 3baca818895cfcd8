"""A reference of a page taken apart, and how a number is written in its place."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from repro.errors import UserError
from repro.storage import statistics
from repro.storage.statistics import Estimate

FORMS = ("interval", "number", "digits", "abs", "percent")


@dataclass(frozen=True)
class Reference:
    """What stands between a pair of braces.

    Attributes:
        text: all of it, for messages.
        kind: the word before the colon.
        experiment: its name within the paper.
        name: of the claim, metric or table; empty for the ledger.
        keys: what comes behind the bars, without the forms.
        forms: how a number is to be written; digits have a number, the others none.
    """

    text: str
    kind: str
    experiment: str
    name: str
    keys: Mapping[str, str]
    forms: Mapping[str, str]


def typed(value: str) -> Any:
    """A setting's value as a table has it: a number, a truth value or a word."""
    if value in ("true", "false"):
        return value == "true"
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def with_verb(verdict: str) -> str:
    """The verdict as a sentence goes on with it: words that are verbs stand alone."""
    if verdict.startswith(("holds", "does ")):
        return verdict
    return f"is {'reproduced in ' if verdict == 'direction only' else ''}{verdict}"


def best_of(reference: Reference, words: str) -> dict[str, str]:
    """SETTING/METRIC as a selector takes it; a `UserError` where it is something else."""
    setting, _, by = words.partition("/")
    if not by:
        raise UserError(
            f"{reference.text}: best is {words!r}; it must be SETTING/METRIC, e.g. optimizer.lr/valid_accuracy"
        )
    return {"setting": setting, "by": by}


def as_number(reference: Reference, key: str, word: str) -> float:
    """The number that a word is; a `UserError` where it is none."""
    try:
        return float(word)
    except ValueError:
        raise UserError(f"{reference.text}: {key} is {word!r}; it must be a number") from None


def plain(cell: Any) -> str:
    """A cell of a table in running text; nothing where there is none."""
    if isinstance(cell, float):
        return statistics.number(cell)
    return cell if isinstance(cell, str) else "" if cell is None or cell is pd.NA else str(cell)


def written(reference: Reference, estimate: Estimate, number: bool = False) -> str:
    """A number as the reference's forms ask for it.

    Args:
        number: without an interval, also where no form says so.
    """
    forms = reference.forms
    factor = (100 if "percent" in forms else 1) * (-1 if "abs" in forms and estimate.value < 0 else 1)
    value, bounds = estimate.value * factor, estimate.interval
    if bounds is not None:
        low, high = sorted(bound * factor for bound in bounds)
        bounds = (low, high)
    if number or "number" in forms or "digits" in forms:
        digits = forms.get("digits") or "3"
        if not digits.isdecimal():
            raise UserError(f"{reference.text}: digits is {digits!r}; it must be a whole number")
        return statistics.number(value, int(digits))
    text = re.sub(r"^-(?=0(\.0+)? ±)", "", str(Estimate(value, bounds, estimate.n)))  # no minus before nothing
    return text.removesuffix(f" (n={estimate.n})") if "interval" in forms else text
