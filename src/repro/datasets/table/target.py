"""What a table is to predict: classes, named as they are written, or numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from repro.datasets.table.columns import check_finite
from repro.datasets.table.read import Sheet, numbers
from repro.errors import UserError

MANY_DECIMALS = 20  # classes from which on decimal fractions are hardly names
RATINGS = 5  # classes from which on whole numbers may well be meant as numbers


@dataclass(frozen=True)
class Target:
    """What is predicted, row by row.

    Attributes:
        name: of the column.
        y: class numbers, int64, or float64 numbers, shape (rows,).
        classes: names in the order of the class numbers; none for numbers.
        notes: what is worth saying of it.
    """

    name: str
    y: NDArray[Any]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def classes(sheet: Sheet, name: str) -> Target:
    """Every different text is a class of its own; they are in the order of their numbers where all are numbers.

    Raises:
        UserError: there is only one, or nearly as many as rows.
    """
    cells = sheet.cells[name]
    known = sorted(set(cells))
    values, text = numbers(pd.Series(known, dtype=str), sheet.decimal)
    numeric = not text.any() and not np.isnan(values).any()
    if numeric:
        known = [known[i] for i in np.argsort(values, kind="stable")]
    if len(known) < 2:
        raise UserError(
            f"target {name!r} of table {sheet.path} is {known[0]!r} in every row; "
            "classification needs two classes or more"
        )
    fractions = numeric and bool((values % 1 != 0).any())
    if len(known) > len(cells) // 2 or (fractions and len(known) > MANY_DECIMALS):
        raise UserError(
            f"target {name!r} of table {sheet.path} has {len(known)} classes in {len(cells)} rows, too few rows a "
            "class; if it holds numbers to predict, set task=regression"
        )
    notes = []
    if numeric and len(known) >= RATINGS:
        notes.append(f"all {len(known)} classes are numbers; task=regression would predict them as such")
    if numeric and len(set(values)) < len(known):
        same = known[next(i for i, v in enumerate(sorted(values)[1:]) if v == sorted(values)[i])]
        notes.append(f"some classes are the same number spelled differently ({same}, for one); they stay apart")
    codes = pd.Categorical(cells, categories=known).codes.astype(np.int64)
    return Target(name, codes, tuple(known), tuple(notes))


def values(sheet: Sheet, name: str) -> Target:
    """Numbers to predict.

    Raises:
        UserError: a cell holds text or an infinite number, or all hold the same.
    """
    found, text = numbers(sheet.cells[name], sheet.decimal)
    if text.any():
        row = int(np.flatnonzero(text)[0])
        raise UserError(
            f"column {name!r} of table {sheet.path} has the text {sheet.cells[name].iloc[row]!r} in row "
            f"{sheet.cells.index[row]} below the header, where a number is needed; correct it, or set "
            "task=classification"
        )
    check_finite(sheet, name, found)
    if (found == found[0]).all():
        raise UserError(f"target {name!r} of table {sheet.path} is {found[0]:g} in every row; nothing is to predict")
    two = "it has two different values; task=classification would predict which"
    return Target(name, found, (), (two,) if len(np.unique(found)) == 2 else ())


def without_target(sheet: Sheet, name: str, kind: str) -> NDArray[np.bool_]:
    """Rows in which nothing is to be predicted: an empty cell, or where numbers are, one that stands for none."""
    cells = sheet.cells[name]
    if kind == "classes":
        return (cells == "").to_numpy(dtype=bool)
    found, text = numbers(cells, sheet.decimal)
    return np.isnan(found) & ~text
