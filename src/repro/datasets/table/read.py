"""A table's file as cells of text: which separator, decimal sign and encoding it has is found out and said."""

import bz2
import csv
import gzip
import io
import itertools
import lzma
import re
import warnings
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from repro.errors import UserError, unknown
from repro.paths import is_file

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "whitespace": r"\s+"}
DECIMALS = (".", ",")
PACKED: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
BINARY: dict[str, Callable[[str], pd.DataFrame]] = {
    **dict.fromkeys((".parquet", ".pq"), pd.read_parquet),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), pd.read_excel),
    ".feather": pd.read_feather,
}
NEEDS = {".xls": "xlrd", ".xlsx": "openpyxl", ".ods": "odfpy"}
LOOKED_AT = 200  # lines that the separator, and cells that the decimal sign, are told by
MISSING = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "none", "-", "--", "?", ".", "nil"))
"""What stands for no number, in any case of letters."""


@dataclass(frozen=True)
class Sheet:
    """A table as it was read.

    Attributes:
        path: of the file, for messages.
        cells: text without blanks around it, one column a name; "" where there is nothing. The index is the row below
            the header, from 1.
        decimal: the decimal sign, . or ,
        form: separator, decimal sign and encoding, in words.
    """

    path: str
    cells: pd.DataFrame
    decimal: str
    form: str

    def without(self, rows: NDArray[np.bool_]) -> "Sheet":
        """The same without some of its rows."""
        return Sheet(self.path, self.cells[~rows], self.decimal, self.form)


def read_sheet(path: str, separator: str = "auto", decimal: str = "auto") -> Sheet:
    """Read a table whose first line names the columns.

    Args:
        path: CSV, TSV or other text with separators, also packed as .gz, .bz2 or .xz; Parquet, Feather, Excel and
            OpenDocument sheets where pandas has what it needs for them.
        separator: one character, one of `SEPARATORS` by name, or auto.
        decimal: "." or ",", or auto.

    Raises:
        UserError: the file is missing, empty, damaged or no table, or an option is not allowed.
    """
    split = _separator(separator)
    if decimal not in ("auto", *DECIMALS):
        raise unknown("decimal", decimal, ("auto", *DECIMALS))
    if not is_file(path):
        raise UserError(f"table {path} not found; dataset.path takes a CSV file with a header")
    if Path(path).suffix.lower() in BINARY:
        split, cells, form = None, _binary(path), Path(path).suffix.lower().removeprefix(".")
    else:
        text, encoding = _text(path)
        split = split or _sniffed(text)
        cells = _parsed(path, text, split)
        name = next((name for name, sign in SEPARATORS.items() if sign == split), repr(split))
        form = f"separator: {name}{encoding}"
    cells.columns = pd.Index([str(name).strip() for name in cells.columns])
    for name in cells.columns:
        cells[name] = cells[name].str.strip()
    empty = (cells == "").all(axis=1)
    cells = cells[~empty]
    cells.index = pd.RangeIndex(1, len(cells) + 1)
    sign = decimal if decimal != "auto" else _decimal(cells, likely="," if split == ";" else ".")
    return Sheet(path, cells, sign, form if sign == "." else f"{form}, decimal comma")


def numbers(cells: "pd.Series[str]", decimal: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What cells of text are as numbers.

    Signs of currency and percent are left out, and separators of thousands.

    Returns:
        Numbers, NaN where there is none, and which cells hold text that is no number.
    """
    missing = cells.str.casefold().isin(MISSING).to_numpy(dtype=bool)
    plain = (
        cells
        if decimal == "."
        else cells.where(~cells.str.contains(".", regex=False), "text").str.replace(",", ".", regex=False)
    )
    values = pd.to_numeric(plain.where(~missing), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan).copy()
    odd = np.isnan(values) & ~missing
    if odd.any():
        parts = cells[odd].str.extract(_dressed(decimal))
        bare = parts[0].replace("−", "-") + parts[1].str.replace(r"\D", "", regex=True)
        bare += parts[2].str.replace(decimal, ".", regex=False)
        values[odd] = pd.to_numeric(bare, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        odd &= np.isnan(values)
    return values, odd


def _dressed(decimal: str) -> re.Pattern[str]:
    """A number with signs of currency, percent or thousands: sign, digits, the rest."""
    thousands = "," if decimal == "." else "."
    sign = re.escape(decimal)
    return re.compile(
        rf"^([+\-−]?)[$€£]?\s*([1-9]\d{{0,2}}(?:[{re.escape(thousands)} \u00a0\u202f'’]\d{{3}})+|\d+)"
        rf"((?:{sign}\d*)?(?:[eE][+-]?\d+)?)\s*[%$€£]?$"
    )


def _separator(name: str) -> str | None:
    """The separator of a name or a character; None where it is to be found out."""
    if name == "auto":
        return None
    sign = SEPARATORS.get(name, {"\\t": "\t", " ": r"\s+"}.get(name, name))
    if sign in SEPARATORS.values() or (len(sign) == 1 and sign not in ('"', "\n", "\r")):
        return sign
    raise UserError(f"separator must be auto, one character, or one of {', '.join(SEPARATORS)}, not {name!r}")


def _text(path: str) -> tuple[str, str]:
    """A file's text, and its encoding in words where it is not UTF-8."""
    try:
        with PACKED.get(Path(path).suffix.lower(), open)(path, "rb") as file:
            data: bytes = file.read()
    except PermissionError as error:
        raise UserError(f"table {path} cannot be read: permission denied") from error
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise UserError(f"table {path} cannot be read: {error}") from error
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff")) and len(data) % 2 == 0
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        said = {"utf-16": ", UTF-16", "cp1252": ", read as Windows-1252"}.get(encoding, "")
        return re.sub(r"\r\n?", "\n", text), said
    raise UserError(f"table {path} is no text file; dataset.path takes a CSV file in UTF-8, Parquet or Excel")


def _lines(text: str, sign: str) -> list[list[str]]:
    """The first lines as a separator would split them."""
    head = text[: 1 << 18]
    lines: Iterable[list[str]]
    if sign == SEPARATORS["whitespace"]:
        lines = (line.split() for line in head.split("\n"))
    else:
        lines = csv.reader(io.StringIO(head), delimiter=sign, skipinitialspace=True)
    try:
        return list(itertools.islice((line for line in lines if any(line)), LOOKED_AT))
    except csv.Error:
        return []


def _sniffed(text: str) -> str:
    """The separator by which most lines have as many cells as the first, and that more than one."""
    first = re.match(r"sep=(.)\n", text)
    if first:  # as Excel writes it for itself
        return first[1]
    best, found = (0.5, 1), SEPARATORS["comma"]
    for sign in SEPARATORS.values():
        lines = _lines(text, sign)
        width = len(lines[0]) if lines else 0
        agreeing = sum(len(line) in (width, width + 1) for line in lines) / max(len(lines), 1)
        if width > 1 and (agreeing, width) > best:
            best, found = (agreeing, width), sign
            if sign == SEPARATORS["tab"] and agreeing == 1.0:
                break
    return found


def _parsed(path: str, text: str, sign: str) -> pd.DataFrame:
    text = re.sub(r"^sep=.\n", "", text)
    if not text.strip():
        raise UserError(f"table {path} is empty; it needs a line of column names and a row for each sample")
    lines = _lines(text, sign)
    header = [name.strip() for name in lines[0]] if lines else []
    if twice := [name for name in header if name and header.count(name) > 1]:
        raise UserError(f"table {path} has two columns called {twice[0]!r}; rename one")
    named = len(lines) > 1 and all(len(line) == len(lines[0]) + 1 for line in lines[1:])
    # R names the rows, but not the column of their names; a separator at every line's end names nothing either.
    trailing = named and all(line[-1] == "" for line in lines[1:])
    names = None if not named else [*lines[0], ""] if trailing else ["", *lines[0]]
    try:
        with warnings.catch_warnings():
            # Rows longer than the header would be cut short with a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.StringIO(text),
                sep=sign,
                dtype=str,
                na_filter=False,
                skipinitialspace=True,
                index_col=False,
                header=0,
                names=names,
            ).fillna("")
    except (ValueError, pd.errors.ParserWarning) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"table {path} is no CSV file with {sign!r} between columns: {reason}") from error


def _binary(path: str) -> pd.DataFrame:
    suffix = Path(path).suffix.lower()
    try:
        frame = BINARY[suffix](path).convert_dtypes()
    except ImportError as error:
        needed = NEEDS.get(suffix, "pyarrow")
        raise UserError(
            f"table {path} needs the package {needed}: pip install {needed}, or save the table as CSV"
        ) from error
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"table {path} cannot be read as {suffix.removeprefix('.')}: {reason}") from error
    columns = {str(name): [("" if pd.isna(v) else str(v)) for v in frame[name]] for name in frame.columns}
    return pd.DataFrame(columns, dtype=str)


def _decimal(cells: pd.DataFrame, likely: str) -> str:
    """The decimal sign by which more columns are numbers; the likely one where that is the same and it is there."""
    head = cells.head(LOOKED_AT)
    there = any(head[name].str.fullmatch(rf"[+-]?\d+{re.escape(likely)}\d+").any() for name in head.columns)

    def columns(sign: str) -> tuple[int, bool]:
        readable = sum(not numbers(head[name], sign)[1].any() for name in head.columns)
        return readable, sign == (likely if there else ".")

    return max(DECIMALS, key=columns)
