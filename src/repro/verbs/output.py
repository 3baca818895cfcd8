"""What a verb prints: in whatever encoding there is, and nothing that a terminal would obey."""

import codecs
import errno
import sys
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from repro.errors import printable

LETTERS = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "λ": "lambda",
    "σ": "sigma",
    "μ": "mu",
    "µ": "u",
    "∂": "d",
    "ß": "ss",
}
SIGNS = {"×": "x", "±": "+-", "…": "...", "→": "->", "≥": ">=", "≤": "<=", "≈": "~", "∞": "inf", "√": "sqrt", "’": "'"}
SPELLED = LETTERS | SIGNS | dict.fromkeys("·–—−", "-")
"""How characters of ours are written where the output has none of them."""


def spelled(error: UnicodeError) -> tuple[str, int]:
    """Other characters for those that an encoding has not; an error handler for `codecs.register_error`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_spelled, error.object[error.start : error.end])), error.end


def _spelled(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return SPELLED.get(character) or plain or "?"


codecs.register_error("repro.spelled", spelled)


@contextmanager
def any_terminal() -> Iterator[None]:
    """Within it nothing that is printed fails for want of a character, and a warning is one line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # None where it was closed by whoever started the program
            stream.reconfigure(errors="repro.spelled")
    before = warnings.showwarning
    warnings.showwarning = _show
    try:
        yield
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()  # here, where it can still be said that the disk is full
    finally:
        warnings.showwarning = before


def of_output(error: OSError) -> bool:
    """Whether it came up in printing: it names no file, and a disk behind the output is full or a reader has left."""
    lost = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EPIPE)
    return error.filename is None and error.errno in lost


def _show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """A warning may repeat names out of somebody else's files."""
    first = str(message).strip().partition("\n")[0]
    print(f"repro: {category.__name__}: {printable(first)}", file=sys.stderr)
