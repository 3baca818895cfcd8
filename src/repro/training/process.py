"""What a process that trains is set to, for speed: memory kept between steps, no denormal numbers."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # numbers of glibc's mallopt


def keep_freed_memory() -> None:
    """Stop glibc from handing memory back to the system between steps.

    Every large tensor would be mapped anew, and zeroed page by page, at each step: a fifth of the time of a language
    model's step. Other systems are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 * 2**20)  # the most it takes
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Count numbers below the least normal one (1.2e-38, in double precision 2.2e-308) as zero on a CPU.

    Each operation on one takes a processor a hundred times as long. Noise that unlearns its p is full of them, since
    its standard deviation goes with p²: a step of Penn Treebank with half-normal noise at α = 1 takes 2.7 times as
    long. The weights after it are the same; the p that are themselves so small are not.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
