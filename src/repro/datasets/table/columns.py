"""What each column of a table is: numbers, categories, dates, or nothing to learn from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from repro.datasets.table.read import Sheet, numbers
from repro.errors import UserError

MOSTLY = 0.5  # share of rows with a value of their own from which on a text tells them apart and no more
FEW = 20  # rows below which only all of them count as most
DATE = r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?"
INDEX = re.compile(r"|index|idx|id|row|rows|rownames?|no\.?|nr\.?|#|unnamed: \d+|level_0", re.IGNORECASE)
IDENTIFIER = re.compile(r"(?:.*[_\s-])?(?:id|ID|Id|uuid|UUID|guid|key)|id_.*|.*[a-z]I[dD]")


@dataclass(frozen=True)
class Column:
    """A column as it is read.

    Attributes:
        name: in the table.
        kind: number, date (days since the earliest), category, or out: left out.
        says: what is to be said of it.
        values: float64 with NaN where nothing is, or text; None of one that is left out.
    """

    name: str
    kind: str
    says: str = ""
    values: NDArray[Any] | None = None


@dataclass(frozen=True)
class Wanted:
    """What is asked of the columns.

    Attributes:
        drop: names of those that are left out.
        keep: those that stay, whatever they look like.
        categories: those whose numbers are names.
    """

    drop: Sequence[str] = ()
    keep: Sequence[str] = ()
    categories: Sequence[str] = ()


def columns(sheet: Sheet, others: Sequence[str], wanted: Wanted) -> list[Column]:
    """Every column but the others (target, group, time) and those to be dropped, in the table's order.

    Raises:
        UserError: one holds an infinite number; all are left out.
    """
    names = [name for name in sheet.cells.columns if name not in others and name not in wanted.drop]
    if not names:
        raise UserError(f"table {sheet.path} has no column besides {', '.join(map(repr, others))} to predict from")
    found = [_column(sheet, name, wanted, first=name == sheet.cells.columns[0]) for name in names]
    if all(column.kind == "out" for column in found):
        said = "; ".join(f"{column.name}: {column.says}" for column in found)
        raise UserError(
            f"table {sheet.path} has no column to predict from, since all were left out ({said}); "
            f"take one in with dataset.keep=[{found[-1].name}]"
        )
    return found


def _column(sheet: Sheet, name: str, wanted: Wanted, first: bool) -> Column:
    cells, kept = sheet.cells[name], name in wanted.keep
    values, text = numbers(cells, sheet.decimal)
    if np.isnan(values).all() and not text.any():
        return Column(name, "out", "empty")
    if text.any() or name in wanted.categories or cells.str.match(r"0\d+$").any():
        return _text(name, cells, kept, free=name not in wanted.categories)
    check_finite(sheet, name, values)
    there = values[~np.isnan(values)]
    if len(there) == len(values) and not kept:
        if (there == there[0]).all():
            return Column(name, "out", f"{cells.iloc[0]} in every row")
        if _counts(there, in_order=first) and (first or INDEX.fullmatch(name)):
            return Column(name, "out", "counts the rows")
        if IDENTIFIER.fullmatch(name) and len(np.unique(there)) == len(there) and (there % 1 == 0).all():
            return Column(name, "out", "identifies the rows")
    return Column(name, "number", missing(int(np.isnan(values).sum())), values)


def check_finite(sheet: Sheet, name: str, values: NDArray[np.float64]) -> None:
    """Raise a `UserError` where a number is infinite, or too large for its square to be one."""
    if (large := np.abs(values) > 1e150).any():
        row = int(np.flatnonzero(large)[0])
        raise UserError(
            f"column {name!r} of table {sheet.path} has {sheet.cells[name].iloc[row]!r} in row "
            f"{sheet.cells.index[row]} below the header, an infinite number or close to it; correct it, or leave the "
            f"column out: dataset.drop=[{name}]"
        )


def missing(count: int) -> str:
    """How many cells are empty, in words; nothing for none."""
    return f"{count} missing" if count else ""


def _text(name: str, cells: "pd.Series[str]", kept: bool, free: bool) -> Column:
    there = cells[cells != ""]
    different = there.nunique()
    dates = there.str.fullmatch(DATE).all()
    if free and dates and (found := days(cells)) is not None:
        return Column(name, "date", missing(int((cells == "").sum())), found)
    if not kept:
        if different == 1 and len(there) == len(cells):
            return Column(name, "out", f"{there.iloc[0]!r} in every row")
        if free and (different == len(there) > 2 or (different > MOSTLY * len(there) and len(cells) >= FEW)):
            return Column(name, "out", f"text with {different} different values in {len(there)} rows")
    gap = missing(int((cells == "").sum()))
    said = ", ".join(part for part in (f"{different} different", gap) if part)
    return Column(name, "category", said, cells.to_numpy(dtype=object))


def days(cells: "pd.Series[str]") -> NDArray[np.float64] | None:
    """Days since the earliest of dates like 2016-05-31 or 2016-05-31 12:30; None where one is no date."""
    try:
        moments = pd.to_datetime(cells.where(cells != ""), format="ISO8601", utc=True)
    except ValueError:
        return None
    return np.asarray((moments - moments.min()) / pd.Timedelta(days=1), dtype=np.float64)


def _counts(values: NDArray[np.float64], in_order: bool) -> bool:
    """Whether these are whole numbers each one more than the one before, or would be if they were sorted."""
    ordered: NDArray[np.float64] = values if in_order else np.sort(values)
    return len(values) > 2 and bool((np.diff(ordered) == 1).all() and values[0] % 1 == 0)
