"""How much memory the machine has, how amounts of it are said, and when Python need not look for garbage in it."""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@contextmanager
def uncollected() -> Iterator[None]:
    """Within it Python looks for no cycles of garbage.

    Imports make many objects, all of them to stay, and looking through them again and again takes a sixth of the time.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@cache
def machine() -> float:
    """Bytes that a process can have at most: memory and swap, or what the cgroup allows; infinite where unknown."""
    limits = [_installed()]
    for name in CGROUPS:
        try:
            limits.append(float(Path(name).read_text()))
        except (OSError, ValueError):  # another version of cgroups, or "max"
            continue
    return min(limits)


def _installed() -> float:
    try:
        lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
        sizes = {words[0]: float(words[1]) * 1024 for words in lines if len(words) > 1}
        return sizes["MemTotal:"] + sizes.get("SwapTotal:", 0.0)
    except (OSError, KeyError, ValueError):
        pass
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return float("inf")


def said(size: float) -> str:
    """An amount in words, e.g. 2.2 GB."""
    if not size < 1e30:
        return "more bytes than can be counted"
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} TB" if size < 1000 else f"{size:,.0f} TB"


def greatest(low: int, high: int, fits: Callable[[int], bool]) -> int | None:
    """The greatest whole number from `low`, 1 or more, to below `high` that fits, to two digits; None if none does."""
    if not fits(low):
        return None
    while high - low > max(1, low // 100):
        middle = (low + high) // 2 if high < 4 * low else int((low * high) ** 0.5)
        low, high = (middle, high) if fits(middle) else (low, middle)
    step: int = 10 ** max(0, len(str(low)) - 2)
    return max(low // step * step, 1)
