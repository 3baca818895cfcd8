"""Long tables in parts: the runs of a study in order, so many to a part, each part compressed by itself.

Gzip files one after the other are one gzip file. A part whose runs are all unchanged is taken over as it is; of the
others only the runs that changed are read again. Where parts begin follows from the runs alone, so that the same runs
give the same bytes, wherever they came from.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.bars import tracked
from repro.storage.files import compressed, csv_line, write_atomic

WHOLE = 256  # tables of up to so many runs are one part
RUNS = 64  # and longer ones have so many in each

Label = tuple[str, str]  # run and variant, which its lines begin with


@dataclass(frozen=True)
class Part:
    """Some runs' lines in a table that was written before.

    Attributes:
        runs: run, variant and number of bytes of each run's lines, in order.
        begin: where the part begins in the file.
        size: how many bytes it has there.
        header: how many bytes of unpacked text come before the first run's lines.
    """

    runs: list[tuple[str, str, int]]
    begin: int
    size: int
    header: int


class Before:
    """A table that is as it was left, by parts; texts of single runs can be taken out of it."""

    def __init__(self, path: Path | None = None, kept: Sequence[Any] = ()) -> None:
        """Takes the table and what `write` said of it; nothing of either where it cannot be trusted."""
        self._data = b""
        self._parts: list[Part] = []
        self._where: dict[Label, int] = {}
        self._open: tuple[int, dict[Label, str]] = (-1, {})
        if path is None or not path.exists():
            return
        begin = 0
        for runs, size, header in kept:
            self._where |= {(run, variant): len(self._parts) for run, variant, _ in runs}
            self._parts.append(Part([(run, variant, length) for run, variant, length in runs], begin, size, header))
            begin += size
        self._data = path.read_bytes()

    def whole(self, labels: Sequence[Label], header: int) -> tuple[Part, bytes] | None:
        """The part that has these runs and no others, and its bytes."""
        part = self._parts[self._where[labels[0]]] if labels and labels[0] in self._where else None
        if part is None or part.header != header or [(run, variant) for run, variant, _ in part.runs] != [*labels]:
            return None
        return part, self._data[part.begin : part.begin + part.size]

    def text(self, label: Label) -> str | None:
        """A run's lines; None where they are not there, or damaged."""
        number = self._where.get(label)
        if number is None:
            return None
        if self._open[0] != number:  # runs come in order: one part at a time is enough
            self._open = (number, _texts(self._parts[number], self._data))
        return self._open[1].get(label)


def _texts(part: Part, data: bytes) -> dict[Label, str]:
    try:
        unpacked = gzip.decompress(data[part.begin : part.begin + part.size]) if part.size else b""
    except (OSError, EOFError, zlib.error):
        return {}
    texts, at = {}, part.header
    for run, variant, length in part.runs:
        texts[run, variant] = unpacked[at : at + length].decode()
        at += length
    return texts if at == len(unpacked) else {}


def parted(runs: Sequence[str]) -> Iterator[Sequence[str]]:
    """A study's runs in parts, those that have no lines among them: one that ends later moves no other's part."""
    step = len(runs) if len(runs) <= WHOLE else RUNS
    for begin in range(0, len(runs), max(step, 1)):
        yield runs[begin : begin + step]


def write(
    path: Path,
    columns: Sequence[str],
    parts: Sequence[Sequence[Label]],
    before: Before,
    unchanged: Callable[[str], bool],
    text: Callable[[str], str],
    needed: bool = True,
) -> list[Any]:
    """Writes a table, atomically.

    Args:
        path: the table, `<name>.csv.gz`.
        columns: its header.
        parts: the runs with lines, by part.
        before: the table as it was left.
        unchanged: whether a run's lines in it are still right.
        text: makes a run's lines.
        needed: False takes the table away where no run has any line.

    Returns:
        What `Before` needs to know of it.
    """
    packed: list[bytes] = []
    kept: list[tuple[list[tuple[str, str, int]], int, int]] = []
    for number, labels in enumerate(parts or [[]]):
        head = csv_line(columns) if number == 0 else ""
        unchanged_part = before.whole(labels, len(head)) if all(unchanged(run) for run, _ in labels) else None
        if unchanged_part is not None:
            part, data = unchanged_part
            packed.append(data)
            kept.append((part.runs, part.size, part.header))
            continue
        texts = [(before.text(label) if unchanged(label[0]) else None) for label in labels]
        pairs = tracked(zip(labels, texts, strict=True), f"writing {path.name}", "run", len(labels))
        lines = [text(run) if old is None else old for (run, _), old in pairs]
        packed.append(compressed([head, *lines]) if head or any(lines) else b"")
        sizes = [(run, variant, len(own.encode())) for (run, variant), own in zip(labels, lines, strict=True)]
        kept.append((sizes, len(packed[-1]), len(head)))
    if needed or any(length for runs, _, _ in kept for _, _, length in runs):
        write_atomic(path, b"".join(packed))
        return kept
    path.unlink(missing_ok=True)
    return []
