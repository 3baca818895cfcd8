"""The user's own table: a CSV file with a header, one sample a row."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from repro.datasets.from_arrays import Options, divide, finish
from repro.datasets.memory import Data
from repro.datasets.splits import check_size
from repro.errors import UserError, unknown

KINDS = ("auto", "classification", "regression")
LEAST_ROWS = 3  # one for each split


def table(
    path: str,
    target: str,
    kind: str,
    drop: list[str],
    separator: str,
    valid_size: int | float,
    test_size: int | float,
    preprocessing: str,
    components: int | None,
    subset: int | None,
    seed: int,
) -> Data:
    """Inputs of shape (columns,): every column but the target and the dropped ones, all numeric.

    Args:
        path: the CSV file; its first line names the columns.
        target: column to predict.
        kind: classification, regression, or auto: text, true/false and whole numbers are classes, other
            numbers are values to predict. Classes are numbered in sorted order.
        drop: columns left out.
        separator: one character between the columns.
        valid_size: number of rows, or their share of all.
        test_size: likewise.
        preprocessing: none, center, standardize, pca or whiten; of the inputs only.
        components: coordinates kept by pca and whiten; None keeps all.
        subset: number of training rows kept; None keeps all.
        seed: of split and subset.

    Raises:
        UserError: an option is not allowed; the file is missing, empty or no CSV; a column is missing; a
            number is missing, infinite or text (named by column and row).
    """
    options = Options(preprocessing, subset, seed, components)
    options.check()
    check_size("valid_size", valid_size)
    check_size("test_size", test_size)
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    sheet = _Sheet(path, _read(path, separator))
    x = sheet.inputs(target, drop)
    y, outputs = sheet.target(target, kind)
    raw = divide(x, y, valid_size, test_size, seed)
    return finish("table", raw, outputs, options, f"table: {Path(path).name}")


def _read(path: str, separator: str) -> pd.DataFrame:
    if len(separator) != 1:
        raise UserError(f"separator must be one character, not {separator!r}")
    if not Path(path).is_file():
        raise UserError(f"table {path} not found; dataset.path takes a CSV file with a header")
    try:
        with warnings.catch_warnings():
            # Rows longer than the header would be cut short with a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, sep=separator, skipinitialspace=True, index_col=False, low_memory=False)
    except pd.errors.EmptyDataError as error:
        raise UserError(f"table {path} is empty; it needs a line of column names and a row for each sample") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"table {path} is no CSV file in UTF-8 with {separator!r} between columns: {reason}") from error
    except PermissionError as error:
        raise UserError(f"table {path} cannot be read: permission denied") from error
    if len(frame) < LEAST_ROWS:
        raise UserError(f"table {path} has {len(frame)} rows below its header; at least {LEAST_ROWS} are needed")
    return frame.rename(columns=lambda name: str(name).strip())


@dataclass(frozen=True)
class _Sheet:
    """A table as it was read, with its path for error messages."""

    path: str
    frame: pd.DataFrame

    def inputs(self, target: str, drop: list[str]) -> NDArray[np.float64]:
        """The numeric columns without target and dropped ones, shape (rows, columns)."""
        for option, name in [("target", target), *(("drop", name) for name in drop)]:
            if name not in self.frame.columns:
                raise unknown(f"column in {option}", name, map(str, self.frame.columns))
        names = [str(name) for name in self.frame.columns if name != target and name not in drop]
        if not names:
            raise UserError(f"table {self.path} has no column besides {target!r} to predict it from")
        return np.stack([self._numbers(name, f"or leave the column out: dataset.drop=[{name}]") for name in names], 1)

    def target(self, name: str, kind: str) -> tuple[NDArray[Any], int]:
        """What is to be predicted, and how many classes or values that makes."""
        column = self.frame[name]
        if column.isna().any():
            raise self._bad(
                name, column.isna().to_numpy(), "no value", "fill it in or take the row out", "class or number"
            )
        if kind == "auto":
            kind = "regression" if pd.api.types.is_float_dtype(column.dtype) else "classification"
        if kind == "regression":
            return self._numbers(name, "or set dataset.kind=classification")[:, None], 1
        names, codes = np.unique(column.to_numpy(), return_inverse=True)
        if len(names) < 2:
            raise UserError(
                f"target {name!r} of table {self.path} is {names[0]!r} in every row; "
                "classification needs two classes or more"
            )
        if len(names) > len(column) // 2:
            raise UserError(
                f"target {name!r} of table {self.path} has {len(names)} classes in {len(column)} "
                "rows, too few rows a class; if it holds values to predict, set "
                "dataset.kind=regression"
            )
        return codes.astype(np.int64), len(names)

    def _numbers(self, name: str, cure: str) -> NDArray[np.float64]:
        column = self.frame[name]
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
        empty = column.isna().to_numpy()
        if (text := np.isnan(numbers) & ~empty).any():
            raise self._bad(name, text, f"the text {column[text].iloc[0]!r}", f"correct it, {cure}")
        if empty.any():
            raise self._bad(name, empty, "no value", f"fill it in, {cure}")
        if (infinite := np.isinf(numbers)).any():
            raise self._bad(name, infinite, "an infinite number", f"correct it, {cure}")
        return numbers

    def _bad(self, name: str, where: NDArray[np.bool_], what: str, cure: str, needed: str = "number") -> UserError:
        row = int(np.flatnonzero(where)[0]) + 1
        return UserError(
            f"column {name!r} of table {self.path} has {what} in row {row} below the header, "
            f"where a {needed} is needed; {cure}"
        )
