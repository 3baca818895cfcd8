"""Unpacking and hashing of files, and a memory of files that were hashed before."""

import gzip
import hashlib
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from repro.errors import UserError
from repro.storage.cache import Cache

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


class Checksums:
    """Checksums of files that were hashed before, so that 140 MB are not hashed at every start.

    A file counts as unchanged while its path, size and time of change (nanoseconds) are the same.

    Args:
        folder: of the cache that remembers them.
    """

    def __init__(self, folder: Path) -> None:
        self._cache = Cache(folder, "checksums")

    def digest(self, path: Path, unpacked: bool) -> str:
        """Like `repro.datasets.store.checksums.digest`, from memory where possible."""
        state = path.stat()
        key = f"{path.resolve()}|{'unpacked' if unpacked else 'stored'}"
        stamp = [state.st_size, state.st_mtime_ns]
        known = self._cache.read([key]).get(key)
        if isinstance(known, dict) and known.get("stamp") == stamp:
            return str(known["sha256"])
        checksum = digest(path, unpacked)
        self._cache.write({key: {"stamp": stamp, "sha256": checksum}})
        return checksum


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
