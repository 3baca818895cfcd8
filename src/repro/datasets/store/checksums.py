"""Unpacking and hashing of files, and a memory of files that were hashed before."""

import gzip
import hashlib
import json
import lzma
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from repro.errors import UserError

CHUNK = 1 << 20  # bytes read at a time


def read(path: Path) -> bytes:
    """A file's bytes, unpacked where its name ends in .gz or .xz.

    Raises:
        UserError: it ends too early or is no file of that kind.
    """
    with _opened(path, unpacked=True) as stream:
        return stream.read()


def digest(path: Path, unpacked: bool) -> str:
    """SHA-256 of a file in hexadecimal.

    Args:
        path: file.
        unpacked: hash what is packed in a .gz or .xz file instead of the file itself.

    Raises:
        UserError: the file cannot be unpacked or read.
    """
    total = hashlib.sha256()
    with _opened(path, unpacked) as stream:
        while chunk := stream.read(CHUNK):
            total.update(chunk)
    return total.hexdigest()


class Stamps:
    """Checksums of files that were hashed before, so that 140 MB are not hashed at every start.

    A file counts as unchanged while its path, size and time of change (nanoseconds) are the same. The stamps
    lie in the cache folder; where that cannot be written nothing is remembered and files are always hashed.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _load(file)
        self._changed = False

    def digest(self, path: Path, unpacked: bool) -> str:
        """Like `repro.datasets.store.checksums.digest`, from memory where possible."""
        state = path.stat()
        key = f"{path.resolve()}|{'unpacked' if unpacked else 'stored'}"
        stamp = [state.st_size, state.st_mtime_ns]
        if (known := self._known.get(key)) is not None and known[:2] == stamp:
            return str(known[2])
        found = digest(path, unpacked)
        self._known[key] = [*stamp, found]
        self._changed = True
        return found

    def save(self) -> None:
        """Write the stamps if there are new ones; a folder that cannot be written is no error."""
        if not self._changed:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # Written aside and renamed: runs that start together never read half a file.
            handle, name = tempfile.mkstemp(dir=self._file.parent, prefix=self._file.name)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(self._known, stream, indent=1)
            Path(name).replace(self._file)
        except OSError:
            return


@contextmanager
def _opened(path: Path, unpacked: bool) -> Iterator[IO[bytes]]:
    """An open file; what can go wrong with its bytes inside the `with` block becomes a `UserError`."""
    try:
        with _open(path, unpacked) as stream:
            yield stream
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise UserError(f"data file {path} is truncated or damaged ({error}); replace it") from error
    except PermissionError as error:
        raise UserError(f"data file {path} cannot be read: permission denied") from error


def _open(path: Path, unpacked: bool) -> IO[bytes]:
    if unpacked and path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    if unpacked and path.suffix == ".xz":
        return lzma.open(path, "rb")
    return path.open("rb")


def _load(file: Path) -> dict[str, list[int | str]]:
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or not ours to read
        return {}
    if not isinstance(known, dict):
        return {}
    return {key: value for key, value in known.items() if isinstance(value, list) and len(value) == 3}
