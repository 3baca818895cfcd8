"""Memory that a training step frees is kept for the next one."""

import ctypes
import sys

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
