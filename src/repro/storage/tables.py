"""Tables on disk: CSV with a header, appended in whole lines, read without the line a killed process tore."""

import csv
import gzip
import io
import itertools
import os
import sys
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

from repro.errors import UserError
from repro.storage.files import compressed, csv_line, open_regular, write_all, write_atomic, writing

if TYPE_CHECKING:
    import pandas as pd

# Columns that are words even where every cell looks like a number (run 0012345678, commit 12e4567).
_RUN_WORDS = ("run", "variant", "status", "scale", "split", "metric", "layer", "quantity", "method", "device", "commit")
_CLAIM_WORDS = ("paper", "experiment", "claim", "says", "published", "verdict", "source", "note")
WORDS = frozenset({*_RUN_WORDS, *_CLAIM_WORDS})
_MISSING = ["", "nan", "NaN"]


def cell(value: Any) -> str:
    """The text of one cell: numbers exact in the fewest digits, None empty, true and false in lower case."""
    kind = type(value)
    if kind is str:  # these three first: nearly every cell of a long table is one of them
        return str(value)
    if kind is float:
        return repr(value)
    if kind is int:
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(float(value))
    return str(value)


def short(value: Any) -> str:
    """As `cell`, but floats with nine significant digits: a float32 survives, and tables stay small."""
    return f"{value:.9g}" if isinstance(value, float) else cell(value)


class Log(Protocol):
    """Where the rows of a run go while it goes on, and from where they can be taken back: a table, say."""

    def append(self, rows: Iterable[Sequence[Any]]) -> None:
        """Adds rows at the end."""

    def truncate_after(self, step: int) -> None:
        """Drops the rows later than `step`."""

    def close(self) -> None:
        """Nothing more comes."""


class Table:
    """A CSV file that grows by whole lines and survives being killed at any moment.

    Opening creates the file, or drops the torn last line of an earlier process. No descriptor stays
    open between calls, so there is nothing to close.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Opens or creates the table.

        Raises:
            UserError: the file holds other columns, or cannot be written.
        """
        self.path = path
        self.columns = tuple(columns)
        self._header = csv_line(self.columns).encode()
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._mend()

    def _mend(self) -> None:
        descriptor = open_regular(self.path, os.O_RDWR | os.O_CREAT)
        try:
            header = os.pread(descriptor, len(self._header), 0)
            if header == self._header:
                os.ftruncate(descriptor, _whole_lines_size(descriptor))
            elif self._header.startswith(header):  # new, or killed while it wrote the header
                os.ftruncate(descriptor, 0)
                write_all(descriptor, self._header)
        finally:
            os.close(descriptor)
        if not self._header.startswith(header):
            raise UserError(
                f"{self.path} holds other columns than {','.join(self.columns)}; "
                "it is no table of this version: move it away, or train again with force=true"
            )

    def append(self, rows: Iterable[Sequence[Any]]) -> None:
        """Adds rows at the end, all of them or none, in one write.

        Args:
            rows: each with one value a column, in the columns' order.

        Raises:
            UserError: the disk is full or the file read-only; the table is as before.
            ValueError: a row of another length, or a cell with a line break.
        """
        data = "".join(self._line(row) for row in rows).encode()
        if not data:
            return
        with writing(self.path):
            descriptor = open_regular(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                before = os.fstat(descriptor).st_size
                try:
                    write_all(descriptor, data)
                except BaseException:
                    os.ftruncate(descriptor, before)
                    raise
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Nothing is open between calls."""

    @property
    def size(self) -> int:
        """Bytes, header included."""
        return self.path.stat().st_size

    def truncate_after(self, step: int) -> None:
        """Drops the rows later than `step` (column "step"), replacing the file atomically.

        Raises:
            UserError: a row that would be kept is damaged.
        """
        position = self.columns.index("step")
        with self.path.open(encoding="utf-8", errors="replace", newline="") as file:
            lines = file.readlines()
        kept = [lines[0]]
        for number, line in enumerate(lines[1:] if step >= 0 else [], start=2):
            cells = next(csv.reader([line]), [])
            if "\ufffd" in line or len(cells) != len(self.columns) or not cells[position].isdecimal():
                raise UserError(f"{self.path} is damaged in line {number}; train the run again with force=true")
            if int(cells[position]) <= step:
                kept.append(line)
        if len(kept) < len(lines):
            write_atomic(self.path, "".join(kept))

    def _line(self, row: Sequence[Any]) -> str:
        if len(row) != len(self.columns):
            raise ValueError(f"{len(row)} values for the {len(self.columns)} columns of {self.path}")
        return csv_line([cell(value) for value in row])


def _whole_lines_size(descriptor: int, block: int = 65536) -> int:
    """Bytes up to and with the last line end, found from the back so that long tables open at once."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - block)
        last = os.pread(descriptor, end - start, start).rfind(b"\n")
        if last >= 0:
            return start + last + 1
        end = start
    return 0


def whole_lines(path: Path) -> Iterator[list[str]]:
    """The table's lines as lists of text, header first, without a torn last one. Reads .csv and .csv.gz.

    Raises:
        UserError: the file cannot be read, or is no whole gzip file.
    """
    return csv.reader(io.StringIO(_text(path), newline=""))


MERGE_MARKERS = (b"\n<<<<<<< ", b"\n=======\n", b"\n>>>>>>> ")


def read(path: Path, only: tuple[str, Collection[str]] | None = None, words: Collection[str] = ()) -> "pd.DataFrame":
    """Reads a table without a torn last line.

    Columns of words stay words, also run ids made of digits. In columns of numbers an empty cell or `nan`
    is a missing value; in settings (names with a dot) `nan` is a word: it names a kind of noise.

    Args:
        path: the table, .csv or .csv.gz.
        only: a column and the words in it that are wanted, of a long table of which they are a small part; numbers of
            the others never come to memory. None reads all rows.
        words: columns that are text in this table besides `WORDS`.

    Raises:
        UserError: the file cannot be read, or is no table.
    """
    import pandas as pd  # what only trains need not wait for it

    data = _bytes(path) if only is None else _bytes(path, [f",{word},".encode() for word in only[1]])
    if not data:
        raise UserError(f"{path} is empty; it needs at least a header: remove it and collect or train again")
    columns = next(csv.reader([data.split(b"\n", 1)[0].decode()]))
    text = {*WORDS, *words}
    missing = {name: _MISSING for name in columns if name not in text and "." not in name}
    missing |= {name: [""] for name in columns if "." in name and name not in text}
    try:
        table = pd.read_csv(
            io.BytesIO(data),
            dtype={name: "str" for name in columns if name in text},
            keep_default_na=False,
            na_values=missing,
        )
    except ValueError as error:
        raise UserError(f"{path} is no table ({error}); remove it and collect or train again") from error
    return table if only is None else table[table[only[0]].isin(list(only[1]))].reset_index(drop=True)


def select(path: Path, columns: Sequence[str], word: str | None = None) -> Iterator[tuple[str, ...]]:
    """Some columns of a table's rows as text, without pandas and its import.

    Args:
        path: the table, .csv or .csv.gz.
        columns: their names.
        word: the whole text of a cell in the middle of a row; only rows that have it.

    Raises:
        UserError: the file cannot be read, or has no such columns.
    """
    data = _bytes(path, None if word is None else [f",{word},".encode()])
    yield from _picked(path, columns, data.decode().splitlines())


def last_step(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """As `select`, of the rows at the end that have the last one's step."""
    header, *lines = _text(path).splitlines() or [""]
    at = next(csv.reader([header]), []).index("step") if "step" in header else 0
    step = next(csv.reader(lines[-1:]), [""])[at : at + 1]
    own = list(itertools.takewhile(lambda line: next(csv.reader([line]))[at : at + 1] == step, reversed(lines)))
    yield from _picked(path, columns, [header, *reversed(own)])


def _picked(path: Path, columns: Sequence[str], lines: Sequence[str]) -> Iterator[tuple[str, ...]]:
    rows = csv.reader(lines)
    header = next(rows, [])
    if missing := [name for name in columns if name not in header]:
        raise UserError(f"{path} has no column {', '.join(missing)}; collect or train again")
    places = [header.index(name) for name in columns]
    for row in rows:
        if len(row) != len(header):
            raise UserError(f"{path} is damaged in the row {','.join(row)[:60]}; collect or train again")
        yield tuple(row[i] for i in places)


def as_float(text: str) -> float:
    """The number in a cell; NaN where it is empty.

    Raises:
        UserError: the cell holds something else.
    """
    try:
        return float(text or "nan")
    except ValueError as error:
        raise UserError(f"{text!r} is no number; collect or train again") from error


def _text(path: Path) -> str:
    return _bytes(path).decode()


def _bytes(path: Path, words: Sequence[bytes] | None = None) -> bytes:
    """The table's whole lines: all, or the header and those with one of these words in them."""
    try:
        if words is None:
            data = path.read_bytes()
            data = gzip.decompress(data) if path.suffix == ".gz" else data
            data = data[: data.rfind(b"\n") + 1]
        else:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                data = b"".join(_with_words(file, words))
        if not data.isascii():
            data.decode()  # raises
        if any(marker in data or data.startswith(marker[1:]) for marker in MERGE_MARKERS):
            raise UserError(f"{path} holds the markers of a merge that was not ended; choose one of its sides")
        return data
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read the table {path}: {reason}; collect or train again") from error


def _with_words(file: io.BufferedIOBase, words: Sequence[bytes], block: int = 1 << 24) -> Iterator[bytes]:
    """The header and the whole lines with one of the words, block by block."""
    yield file.readline()
    rest = b""
    while chunk := file.read(block):
        chunk = rest + chunk
        end = chunk.rfind(b"\n") + 1
        chunk, rest = chunk[:end], chunk[end:]
        ends: dict[int, int] = {}
        for word in words:  # from word to word, since most lines have none of them
            at = chunk.find(word)
            while at >= 0:
                after = chunk.find(b"\n", at) + 1
                ends[chunk.rfind(b"\n", 0, at) + 1] = after
                at = chunk.find(word, after)
        yield b"".join(chunk[begin : ends[begin]] for begin in sorted(ends))


def write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Writes a whole table atomically, floats with nine digits; compressed when the name ends in .gz.

    Same rows, same bytes.

    Raises:
        UserError: the folder is read-only or the disk is full; an old file is untouched.
    """
    lines = _lines(columns, rows)
    write_atomic(path, compressed(lines) if path.suffix == ".gz" else "".join(lines))


def _lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    yield csv_line(columns)
    for row in rows:
        yield csv_line(["" if type(value).__name__ == "NAType" else short(value) for value in row])  # pandas' NA


def is_number(text: str) -> bool:
    """True for the text of a number, NaN and the infinities included."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def finite(value: Any) -> TypeGuard[float]:
    """True for a number that a float can hold and that is neither NaN nor infinite; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
