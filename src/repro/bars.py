"""What is seen of work that takes its time: a bar on standard error, with the time left, on a terminal only."""

import math
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

T = TypeVar("T")
DELAY = 2.0  # seconds; what is done sooner shows no bar
LOOK = 5.0  # seconds after which it can be told how long work will take
LONG = 600.0  # seconds of work that is announced where no bar is seen
# tqdm's own lock is shared with forked processes: one that is killed while it holds it stops all others for ever.
LOCK = threading.RLock()


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

    tqdm.set_lock(LOCK)
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


def say(text: str) -> None:
    """A line on standard error, if there is one."""
    if sys.stderr is not None and not sys.stderr.closed:
        print(text, file=sys.stderr, flush=True)


class Outlook:
    """Says once how long work will take, where that is long and no bar shows it.

    Args:
        total: steps in all.
        what: the work.
        done: steps made before.
    """

    def __init__(self, total: int, what: str, done: int = 0) -> None:
        self._total, self._what, self._first = total, what, done
        self._began, self._told = math.nan, on_terminal()

    def reached(self, step: int) -> None:
        """So many steps are done."""
        if self._told or step <= self._first:
            return
        if math.isnan(self._began):  # the clock starts behind the first step, which may have had much to get ready
            self._began, self._first = time.monotonic(), step
            return
        elapsed = time.monotonic() - self._began
        if elapsed >= LOOK:
            self._told = True
            left = elapsed / (step - self._first) * (self._total - step)
            if left > LONG:
                say(f"repro: {self._what} takes about {spell(left)} more ({step:,} of {self._total:,} steps done)")


def spell(seconds: float) -> str:
    """A time in words, e.g. 12 min."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"


def tracked(steps: Iterable[T], what: str, unit: str = "it", total: int | None = None) -> Iterator[T]:
    """The same steps one after the other, with a bar once they have taken longer than `DELAY`.

    Args:
        total: how many there are; asked of `steps` when None.
    """
    if total is None and isinstance(steps, Sized):
        total = len(steps)
    outlook = None if total is None else Outlook(total, what)
    with bar(total, what, unit) as shown:
        for done, step in enumerate(steps, 1):
            yield step
            shown.update()
            if outlook is not None:
                outlook.reached(done)
