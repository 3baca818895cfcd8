"""The user's own table: a file with a line of column names, one sample a row."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from repro.datasets.about import UNEVEN, About
from repro.datasets.from_arrays import Options, Raw, finish
from repro.datasets.memory import Data
from repro.datasets.splits import Indices, check_size, cut, keep
from repro.datasets.table import baselines, describe, parts
from repro.datasets.table import target as goal
from repro.datasets.table.columns import Column, Wanted, columns
from repro.datasets.table.encode import Encoder
from repro.datasets.table.read import Sheet, read_sheet
from repro.errors import UserError, unknown, whole
from repro.storage.metrics import SPLITS

LEAST_ROWS = 3  # one for each split


def table(
    path: str,
    target: str,
    drop: list[str],
    keep: list[str],
    categories: list[str],
    separator: str,
    decimal: str,
    group: str | None,
    time: str | None,
    valid_size: int | float,
    test_size: int | float,
    preprocessing: str,
    components: int | None,
    max_categories: int,
    subset: int | None,
    seed: int,
    targets: str,
) -> Data:
    """Inputs of shape (features,), made of every column that tells something.

    Args:
        path: the file; its first line names the columns. See `read.read_sheet` for what can be read.
        target: column to predict. Rows where it is empty are left out.
        drop: columns left out.
        keep: columns that stay though they are constant, count or identify the rows.
        categories: columns of numbers that are names.
        separator: between the columns: auto, one character, or a name of `read.SEPARATORS`.
        decimal: the decimal sign: auto, "." or ",".
        group: column whose equal cells stay in one split; None = every row by itself.
        time: column by which the latest rows are test and the next latest validation; None = at random.
        valid_size: number of rows, or their share of all.
        test_size: likewise.
        preprocessing: none, center, standardize, pca or whiten; of the inputs only.
        components: coordinates kept by pca and whiten; None keeps all.
        max_categories: columns that a column of categories may become; the rarest are taken together.
        subset: number of training rows kept; None keeps all.
        seed: of split and subset.
        targets: what the task wants, classes or numbers. Classes are texts; numbers get mean 0 and standard
            deviation 1 in the training split, and scores are reported in their own unit.

    Raises:
        UserError: an option is not allowed; the file cannot be read; a column is missing; a number is infinite, a
            target of numbers holds text (named by column and row).
    """
    options = Options(preprocessing, subset, seed, components)
    options.check()
    check_size("valid_size", valid_size)
    check_size("test_size", test_size)
    whole("max_categories", max_categories, 2)
    if group and time:
        raise UserError("dataset.group and dataset.time split the rows each in its way; leave one of them null")
    sheet = read_sheet(path, separator, decimal)
    named = {"target": [target], "drop": drop, "keep": keep, "categories": categories}
    _check_names(sheet, {**named, "group": [group] if group else [], "time": [time] if time else []})
    sheet, told, empty = _with_target(sheet, target, targets)
    apart = [target, *(name for name in (group, time) if name and name not in keep)]
    read = columns(sheet, apart, Wanted(drop, keep, categories))
    splits, how = _split(sheet, told, group, time, (valid_size, test_size), seed)
    splits["train"] = splits["train"][_kept(told, splits["train"], subset, seed)]
    used = [column for column in read if column.kind != "out"]
    encoder = Encoder(used, splits["train"], preprocessing == "standardize", max_categories)
    y, mean, deviation = _scaled(told, splits["train"])
    train, valid, test = ((encoder(rows), y[rows]) for rows in splits.values())
    rest = replace(options, subset=None, preprocessing="none" if preprocessing == "standardize" else preprocessing)
    data = finish("table", Raw(train, valid, test), len(told.classes) or 1, rest, f"table: {Path(path).name}")
    notes = [*describe.of_columns(sheet, read, drop), *empty, *_width(data, preprocessing), *_copies(sheet)]
    notes += describe.of_target(told, splits, how)
    return replace(data, about=_about(data, sheet, told, splits, used, (mean, deviation), notes))


def _about(
    data: Data,
    sheet: Sheet,
    told: goal.Target,
    splits: dict[str, Indices],
    used: list[Column],
    scale: tuple[float, float],
    notes: list[str],
) -> About:
    """Names and units behind the numbers, and what predicts without a net.

    Args:
        used: the columns that inputs were made of.
        scale: mean and standard deviation that were taken out of the targets.
        notes: lines on how the table was read.
    """
    counts = np.bincount(told.y[splits["train"]]) if told.classes else np.ones(1)
    uneven = bool(counts.max() > UNEVEN * max(counts.min(), 1))
    pairs = {name: (getattr(data, name).x.numpy(), told.y[rows]) for name, rows in splits.items()}
    names = [column.name for column in used]
    return About(
        told.name,
        told.classes,
        *scale,
        {name: sheet.cells[names].iloc[rows] for name, rows in splits.items()},
        {name: sheet.cells[told.name].iloc[rows] for name, rows in splits.items()},
        notes,
        uneven,
        partial(baselines.of_classes, pairs, uneven) if told.classes else partial(baselines.of_numbers, pairs),
    )


def overview(path: str, separator: str = "auto", decimal: str = "auto") -> list[str]:
    """What the columns of a table are, where none is to be predicted yet."""
    sheet = read_sheet(path, separator, decimal)
    _check_rows(sheet)
    return describe.of_columns(sheet, columns(sheet, [], Wanted()), [])


def _check_names(sheet: Sheet, asked: dict[str, list[str]]) -> None:
    known = list(sheet.cells.columns)
    for option, names in asked.items():
        for name in names:
            if name not in known:
                raise unknown(f"column in {option}", name, known)


def _check_rows(sheet: Sheet) -> None:
    if len(sheet.cells) < LEAST_ROWS:
        raise UserError(
            f"table {sheet.path} has {len(sheet.cells)} rows below its header; at least {LEAST_ROWS} are needed"
        )


def _with_target(sheet: Sheet, name: str, kind: str) -> tuple[Sheet, goal.Target, list[str]]:
    """The rows that have a target, what it is, and a line on those that have none."""
    _check_rows(sheet)
    empty = goal.without_target(sheet, name, kind)
    kept = sheet.without(empty)
    if len(kept.cells) < LEAST_ROWS:
        raise UserError(f"target {name!r} of table {sheet.path} is empty in {empty.sum()} of {len(empty)} rows")
    told = goal.classes(kept, name) if kind == "classes" else goal.values(kept, name)
    lines = describe.entry("", f"{empty.sum()} rows without {name}") if empty.any() else []
    return kept, told, lines


def _split(
    sheet: Sheet,
    told: goal.Target,
    group: str | None,
    time: str | None,
    sizes: tuple[int | float, int | float],
    seed: int,
) -> tuple[dict[str, Indices], str]:
    if group:
        found, how = parts.by_group(sheet.cells[group].to_numpy(), *sizes, seed), f"those of one {group} together"
    elif time:
        found, how = parts.by_time(sheet, time, *sizes, seed), f"from the earliest {time} to the latest"
    else:
        found = cut(told.y, *sizes, seed, stratified=bool(told.classes))
        how = "each class in proportion" if told.classes else "at random"
    return dict(zip(SPLITS, found, strict=True)), how


def _kept(told: goal.Target, train: Indices, subset: int | None, seed: int) -> Indices:
    return keep(told.y[train], subset, seed, stratified=bool(told.classes))


def _scaled(told: goal.Target, train: Indices) -> tuple[NDArray[np.generic], float, float]:
    """Targets as a net learns them, and the mean and standard deviation that were taken out."""
    if told.classes:
        return told.y, 0.0, 1.0
    mean, deviation = float(told.y[train].mean()), float(told.y[train].std()) or 1.0
    return ((told.y - mean) / deviation)[:, None], mean, deviation


def _width(data: Data, preprocessing: str) -> list[str]:
    return describe.entry("inputs", f"{data.shape[0]} numbers a row; preprocessing: {preprocessing}")


def _copies(sheet: Sheet) -> list[str]:
    copies = int(sheet.cells.duplicated().sum())
    said = f"{copies} rows are exact copies of others, and may lie in training and test at once"
    return describe.entry("note", said) if copies else []
