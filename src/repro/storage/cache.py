"""What was worked out before, remembered from one command to the next in one SQLite file of the user's cache folder.

Nothing depends on it: what is missing or damaged, was kept by other code or cannot be written is worked out anew.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from repro.errors import UserError

FILE = "cache.sqlite3"
SECONDS = 10  # that one command waits for another one which is writing
TABLE = """CREATE TABLE IF NOT EXISTS remembered
    (kind TEXT, key TEXT, version TEXT, value TEXT, digest TEXT, PRIMARY KEY (kind, key))"""


def cache_root(data_dir: str | Path | None = None) -> Path:
    """The folder below which downloaded data, and what is remembered, are kept; None means the user's cache folder.

    Raises:
        UserError: it begins with ~ and a user whom the system does not know.
    """
    if data_dir is not None:
        try:
            return Path(data_dir).expanduser()
        except RuntimeError as error:
            raise UserError(f"data_dir is '{data_dir}', and there is no such user; write the folder out") from error
    import pooch

    return Path(pooch.os_cache("repro"))


class Cache:
    """The entries of one kind: values that JSON can hold, by their keys.

    Args:
        folder: of the file; made when missing.
        kind: what the entries are.
        version: of what made them; entries of another version count as missing.
    """

    def __init__(self, folder: Path, kind: str, version: str = "") -> None:
        self._file = folder / FILE
        self._kind, self._version = kind, version

    def read(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those keys that there are."""
        found: dict[str, Any] = {}
        if not self._file.is_file():
            return found
        ask = "SELECT value, digest FROM remembered WHERE kind = ? AND key = ? AND version = ?"
        try:
            with closing(sqlite3.connect(self._file, SECONDS)) as file:
                for key in keys:
                    for text, digest in file.execute(ask, (self._kind, key, self._version)):
                        if digest == _digest(text):  # SQLite keeps no checksums
                            found[key] = json.loads(text)
        except (sqlite3.Error, ValueError):
            return {}
        return found

    def write(self, entries: Mapping[str, Any]) -> None:
        """Add entries, or put them in place of those of the same keys; drop those of other versions."""
        texts = {key: json.dumps(value) for key, value in entries.items()}
        rows = [(self._kind, key, self._version, text, _digest(text)) for key, text in texts.items()]
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._put(rows)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):  # in use, or no place on the disk
                    raise
                self._file.unlink()  # no database, or damaged
                self._put(rows)
        except (sqlite3.Error, OSError):
            return

    def _put(self, rows: Sequence[tuple[str, ...]]) -> None:
        with closing(sqlite3.connect(self._file, SECONDS)) as file, file:
            file.execute(TABLE)
            file.execute("DELETE FROM remembered WHERE kind = ? AND version <> ?", (self._kind, self._version))
            file.executemany("INSERT OR REPLACE INTO remembered VALUES (?, ?, ?, ?, ?)", rows)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
