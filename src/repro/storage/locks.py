"""One process at a time over a folder, by a lock that goes with the process that holds it."""

import errno
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from repro.errors import UserError
from repro.storage.files import UNFINISHED

LOCK = ".lock"


@contextmanager
def locked(folder: Path, refusal: str = "") -> Iterator[None]:
    """Waits until no other process has the folder, and keeps them waiting until the end of the block.

    What a killed process left half written is removed at the start, since nobody else writes now.
    The lock is the kernel's (flock), so that it goes with a process that is killed; on a file system without it,
    filelock's marker with the owner's host and process number takes its place.

    Args:
        folder: made where it is missing. Every process must reach it by a path of its own to the same folder.
        refusal: what to say, instead of waiting, where another process has it.

    Raises:
        UserError: nothing can be written there, or nothing locked; or the refusal.
    """
    lock = FileLock(folder / LOCK)
    if folder.is_symlink() or (folder / LOCK).is_symlink():
        linked = folder if folder.is_symlink() else folder / LOCK
        raise UserError(
            f"{linked} is a link, through which nothing is written; remove it, or choose another results_dir"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings(category=UserWarning, action="ignore"):  # of the marker that takes flock's place
            _acquire(lock, folder, refusal)
    except OSError as error:
        doing = "lock" if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP) else "write to"
        raise UserError(
            f"cannot {doing} {folder}: {error.strerror}; choose another folder with results_dir=..."
        ) from error
    try:
        for unfinished in folder.glob(f".*{UNFINISHED}"):
            unfinished.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def _acquire(lock: BaseFileLock, folder: Path, refusal: str) -> None:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if refusal:
            raise UserError(refusal) from None
        print(f"waiting for another process to finish with {folder}", file=sys.stderr)
        lock.acquire()
