"""Rows of a table for training, validation and test: at random, by groups that stay together, or by time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit

from repro.datasets.splits import Indices, count
from repro.datasets.table.columns import days
from repro.datasets.table.read import Sheet, numbers
from repro.errors import UserError


def by_group(labels: NDArray[Any], valid: int | float, test: int | float, seed: int) -> tuple[Indices, ...]:
    """Training, validation and test rows; all rows of a label are in one of them.

    Args:
        labels: of the group, shape (rows,).
        valid: rows, or their share of all; whole groups come as near to it as they do.
        test: likewise.
        seed: of the choice.

    Raises:
        UserError: there are fewer groups than splits.
    """
    n, groups = len(labels), len(set(labels))
    sizes = count("valid_size", valid, n), count("test_size", test, n)
    if groups < 1 + sum(size > 0 for size in sizes) or sum(sizes) >= n:
        raise UserError(
            f"dataset.group has {groups} groups in {n} rows, too few for splits of valid_size {valid} and test_size "
            f"{test}; make one 0, or leave the rows' groups apart"
        )
    rest: Indices = np.arange(n)
    taken = []
    for size in (sizes[1], sizes[0]):
        chosen: Indices = np.arange(0)
        if size:
            left = len(set(labels[rest]))
            many = min(max(1, round(size / len(rest) * left)), left - 1)
            splitter = GroupShuffleSplit(1, test_size=many, random_state=seed)
            kept, out = next(splitter.split(rest, groups=labels[rest]))
            rest, chosen = rest[kept], rest[out]
        taken.append(chosen)
    rng = np.random.default_rng([seed, 0])
    return rng.permutation(rest), taken[1], taken[0]


def by_time(sheet: Sheet, name: str, valid: int | float, test: int | float, seed: int) -> tuple[Indices, ...]:
    """Training, validation and test rows: the earliest, the next, and the latest.

    Raises:
        UserError: a cell is neither a number nor a date, or no row would be left for training.
    """
    cells, n = sheet.cells[name], len(sheet.cells)
    moments, text = numbers(cells, sheet.decimal)
    if text.any():
        dates = days(cells)
        moments = np.full(n, np.nan) if dates is None else dates
    if np.isnan(moments).any():
        row = int(np.flatnonzero(text if text.any() else np.isnan(moments))[0])
        raise UserError(
            f"dataset.time={name} has {cells.iloc[row]!r} in row {cells.index[row]} below the header, which is neither "
            "a number nor a date like 2016-05-31"
        )
    sizes = count("valid_size", valid, n), count("test_size", test, n)
    train = n - sum(sizes)
    if train < 1:
        raise UserError(f"valid_size {valid} and test_size {test} leave no training sample of {n}; make them smaller")
    order = np.argsort(moments, kind="stable")
    rng = np.random.default_rng([seed, 0])
    return rng.permutation(order[:train]), order[train : train + sizes[0]], order[train + sizes[0] :]
