"""Errors a user can cause, said in one line: what was wrong, what is allowed, what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


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
