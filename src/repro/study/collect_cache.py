"""What tables were made from, so that the same need not be read again; kept in the user's cache.

A run counts as unchanged only while size, times and inode of all its files are what they were when it was read. It is
looked at before it is read: what changes afterwards differs the next time. Files younger than `SETTLED` are not
trusted at all, since a clock's tick may hide a second change.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from repro.paths import PACKAGE
from repro.storage.cache import Cache, cache_root

SETTLED = 2_000_000_000  # nanoseconds: two seconds, the coarsest clock of a file system in use
# Whatever these do to a run's files, they may do differently in another version.
CODE = ("study/collect", "study/collect_cache", "study/table_parts", "storage/tables", "storage/files")

Stamp = list[int]


@dataclass(frozen=True)
class Seen:
    """A run's files as they were when they were read.

    Attributes:
        stamp: hash of size, times and inode of each; empty where they are too young to be trusted.
        state: how the run ended; None where it has not.
        rows: its rows of runs.csv as text, without labels; None where it has not ended.
        provenance: what its provenance.json says; None where there is none.
    """

    stamp: str
    state: str | None
    rows: list[dict[str, str]] | None = None
    provenance: dict[str, Any] | None = None


@dataclass
class Memory:
    """What the last collecting saw and left.

    Attributes:
        content: hash of everything that the tables follow from; empty where something was too young.
        runs: what was seen, by run.
        tables: stamp of each table, by its name.
        parts: what each table consists of, by its name; see `repro.study.table_parts`.
    """

    content: str = ""
    runs: dict[str, Seen] = field(default_factory=dict)
    tables: dict[str, Stamp | None] = field(default_factory=dict)
    parts: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Memory":
        """What is remembered of a folder; nothing where there is nothing that can be trusted."""
        key = str(folder.resolve())
        kept = _cache().read([key]).get(key)
        if kept is None:
            return cls()
        ways = kept["ways"]
        runs = {
            run: Seen(stamp, state, rows, None if way is None else ways[way])
            for run, (stamp, state, rows, way) in kept["runs"].items()
        }
        return cls(kept["content"], runs, kept["tables"], kept["parts"])

    def write(self, folder: Path) -> None:
        """Remember it."""
        ways: dict[str, int] = {}  # thousands of runs came about in the same few ways
        runs = {}
        for run, seen in self.runs.items():
            text = None if seen.provenance is None else json.dumps(seen.provenance)
            way = None if text is None else ways.setdefault(text, len(ways))
            runs[run] = (seen.stamp, seen.state, seen.rows, way)
        ordered = [json.loads(way) for way in ways]
        kept = {"content": self.content, "ways": ordered, "runs": runs, "tables": self.tables, "parts": self.parts}
        _cache().write({str(folder.resolve()): kept})

    def left(self, path: Path) -> bool:
        """Whether a table is as it was left."""
        return path.name in self.tables and self.tables[path.name] == stamp(path)


def stamp(path: Path | str) -> Stamp | None:
    """Size, times and inode of a file; None where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - ten thousand folders are looked at by their names
    except (FileNotFoundError, NotADirectoryError):
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def stamp_of(folder: Path, names: Iterable[str], now: int, seeds: Sequence[int]) -> str:
    """Hash of the stamps of a run's files, and its seeds; empty where one has changed within `SETTLED` before `now`."""
    base = os.fspath(folder) + os.sep
    stamps = [stamp(base + name) for name in names]
    if any(one is not None and max(one[1], one[2]) > now - SETTLED for one in stamps):
        return ""
    return hashlib.blake2b(repr((stamps, list(seeds))).encode(), digest_size=16).hexdigest()


def now() -> int:
    """Nanoseconds on the clock that files are stamped by."""
    return time.time_ns()


def content_of(scale: str, runs: Iterable[tuple[str, str, Mapping[str, Any], str]]) -> str:
    """Hash of what tables follow from: each run's id, variant, settings and stamp; empty if one has none."""
    total = hashlib.sha256(scale.encode())
    for run, variant, settings, files in runs:
        if not files:
            return ""
        total.update(repr((run, variant, list(settings.items()), files)).encode())
    return total.hexdigest()


def _cache() -> Cache:
    return Cache(cache_root(), "collected", _code())


@cache
def _code() -> str:
    total = hashlib.sha256()
    for name in CODE:
        total.update((PACKAGE / f"{name}.py").read_bytes())
    return total.hexdigest()
