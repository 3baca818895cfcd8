"""Checks of numbers that a user sets, so that a wrong one is named before it is used."""

import math

from repro.errors import UserError


def number(name: str, value: object, low: float = -math.inf, high: float = math.inf, ends: str = "[]") -> float:
    """`value` as a finite float between `low` and `high`.

    Args:
        name: the setting as the user types it, for the message.
        value: what was set; whole numbers are fine, text and truth values are not.
        low: the lower end of the allowed range.
        high: the upper end of the allowed range.
        ends: which ends belong to the range, written as in an interval: "[]", "[)", "(]" or "()".

    Raises:
        UserError: the value is no number, not finite, or outside the range.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        above = value >= low if ends[0] == "[" else value > low
        below = value <= high if ends[1] == "]" else value < high
        if above and below:
            return float(value)
    raise UserError(f"{name} must be a finite number{_range(low, high, ends)}, not {value!r}")


def whole(name: str, value: object, low: int) -> int:
    """`value` as an integer of at least `low`; raises `UserError` as `number` does."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= low:
        return value
    raise UserError(f"{name} must be a whole number of {low} or more, not {value!r}")


def _range(low: float, high: float, ends: str) -> str:
    parts = []
    if math.isfinite(low):
        parts.append(f"{'of at least' if ends[0] == '[' else 'above'} {low:g}")
    if math.isfinite(high):
        parts.append(f"{'at most' if ends[1] == ']' else 'below'} {high:g}")
    return f" {' and '.join(parts)}" if parts else ""
