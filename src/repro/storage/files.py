"""Files that are never half written, and errors of the file system said in one line."""

import errno
import gzip
import io
import json
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from repro.errors import UserError

UNFINISHED = ".tmp"  # how a file's name ends until it is whole
_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


_chosen_by = ContextVar("_chosen_by", default="results_dir=...")


@contextmanager
def chosen_by(option: str) -> Iterator[None]:
    """Within it, refusals to write name this option as the way to another folder, and not the results' own."""
    token = _chosen_by.set(option)
    try:
        yield
    finally:
        _chosen_by.reset(token)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the file system's refusals while writing `path` into a UserError that says what to do."""
    try:
        yield
    except OSError as error:
        other = f"choose another folder with {_chosen_by.get()}"
        if error.errno in _FULL:
            raise UserError(f"no space left to write {path}; free some space or {other}") from error
        if error.errno in _FORBIDDEN:
            raise UserError(f"not allowed to write {path}; make its folder writable or {other}") from error
        raise UserError(f"cannot write {path}: {error.strerror or error}; {other}") from error


def write_all(descriptor: int, data: bytes) -> None:
    """Writes every byte; one `write` call unless the system takes only a part (a nearly full disk)."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_atomic(path: Path, content: str | bytes) -> None:
    """Replaces `path` as a whole: a reader sees the old file or the new one, never a part.

    Missing folders are made.

    Raises:
        UserError: the folder is read-only or the disk is full; the old file is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    # In the same folder, since a rename is atomic only within one file system.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{UNFINISHED}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            try:
                write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a file of a run: a link in its place is not followed, and a pipe is not waited for.

    Raises:
        OSError: there is no such file, or it is a link.
        UserError: it is a link, a pipe, a folder or a device.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
            raise _no_file(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file(path)
    return descriptor


def _no_file(path: Path) -> UserError:
    return UserError(f"{path} is no regular file but a link, a pipe or the like, which is not read; remove it")


def read_regular(path: Path) -> bytes:
    """The content of a file of a run; raises as `open_regular` does."""
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read()


def write_json(path: Path, content: Any) -> None:
    """Writes JSON, atomically, keys in the order given. NaN and Infinity stay the bare words Python reads."""
    write_atomic(path, json.dumps(content, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        UserError: no such file, or no JSON object in it.
    """
    try:
        content = json.loads(read_regular(path))
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror or error}; train the run again with force=true"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}); train the run again with force=true") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged (no JSON object); train the run again with force=true")
    return content


def compressed(lines: Iterable[str]) -> bytes:
    """Gzip of lines that bring their line ends; no name and no date inside, so same lines, same bytes."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=buffer, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as text,
    ):
        text.writelines(lines)
    return buffer.getvalue()


def csv_line(cells: Sequence[str]) -> str:
    """One CSV line with its line end; a cell with a comma or a quote is quoted.

    Raises:
        ValueError: a cell with a line break, which would make a torn line look whole.
    """
    line = ",".join(cells)
    # Nearly every line takes this way: nothing in it needs a quote.
    if '"' not in line and "\n" not in line and "\r" not in line and line.count(",") == len(cells) - 1:
        return line + "\n"
    if any("\n" in cell or "\r" in cell for cell in cells):
        raise ValueError(f"a table cell holds a line break: {cells!r}")
    return ",".join(_quoted(cell) for cell in cells) + "\n"


def _quoted(cell: str) -> str:
    if "," not in cell and '"' not in cell:
        return cell
    return '"' + cell.replace('"', '""') + '"'
