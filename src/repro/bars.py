"""What is seen of work that takes its time: a bar on standard error, with the time left, on a terminal only."""

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

T = TypeVar("T")
DELAY = 2.0  # seconds; what is done sooner shows no bar


def on_terminal() -> bool:
    """Whether somebody may be watching: standard error is there, and a terminal."""
    return sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()


def bar(total: int | None, what: str, unit: str = "it", delay: float = DELAY, **more: Any) -> "tqdm[Any]":
    """A bar that vanishes when it is closed; one that does nothing where nobody is watching.

    Args:
        total: steps in all; None where that is not known.
        what: the work, in a word or two before the bar.
        unit: what a step is.
        delay: seconds before it is shown at all.
        more: for tqdm.
    """
    from tqdm import tqdm  # `repro list` does without

    return tqdm(
        total=total,
        desc=what or None,
        unit=unit,
        delay=delay,
        disable=not on_terminal(),
        leave=False,
        file=sys.stderr,
        **more,
    )


def tracked(steps: Iterable[T], what: str, unit: str = "it", total: int | None = None) -> Iterator[T]:
    """The same steps one after the other, with a bar once they have taken longer than `DELAY`.

    Args:
        total: how many there are; asked of `steps` when None.
    """
    if total is None and isinstance(steps, Sized):
        total = len(steps)
    with bar(total, what, unit) as shown:
        for step in steps:
            yield step
            shown.update()
