"""Errors a user can cause, said in one line: what was wrong, what is allowed, what to do; and checks that say them."""

import math
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from typing import Any


class UserError(Exception):
    """A mistake in what was asked for. The command line prints it as one line and exits with 2."""


def printable(text: str) -> str:
    """Text without what a terminal would obey: names and errors in it may come from somebody else's files."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def unknown(what: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that does not exist, with the nearest names that do.

    Args:
        what: the kind of thing, as the user knows it ("dataset", "quantity in diagnostics.quantities").
        name: what was asked for.
        known: every name that would have been accepted.
    """
    names = sorted(known)
    near = get_close_matches(name, names, n=2, cutoff=0.6)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    return UserError(f"unknown {what} {name!r}; known: {', '.join(names)}{hint}")


def extra(module: str, what: str, name: str) -> Any:
    """A module of a package that an extra brings, imported.

    Args:
        module: its dotted name.
        what: what needs it, as the user knows it ("tensorboard=true").
        name: of the extra.

    Raises:
        UserError: the package is missing; names the extra.
    """
    try:
        found = import_module(module)
        if found.__file__ is None:  # a folder of that name is a package of nothing
            raise ImportError(f"No module named {module!r}")
    except ImportError as error:
        raise UserError(f"{what} needs the extra: pip install -c constraints.txt -e '.[{name}]' ({error})") from error
    return found


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
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
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


def pair(name: str, value: object) -> tuple[Any, Any]:
    """`value` as inputs and targets, a tuple or a list of two; raises `UserError` as `number` does."""
    if not isinstance(value, tuple | list):
        raise UserError(f"{name} must be a pair (inputs, targets), not {type(value).__name__}")
    if len(value) != 2:
        raise UserError(f"{name} must be a pair (inputs, targets), not a {type(value).__name__} of {len(value)}")
    return value[0], value[1]


def _range(low: float, high: float, ends: str) -> str:
    parts = []
    if math.isfinite(low):
        parts.append(f"{'of at least' if ends[0] == '[' else 'above'} {low:g}")
    if math.isfinite(high):
        parts.append(f"{'at most' if ends[1] == ']' else 'below'} {high:g}")
    return f" {' and '.join(parts)}" if parts else ""
