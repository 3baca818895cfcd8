"""How far a run's rows in two sets of tables lie apart, number by number."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from repro.storage.metrics import SPLITS, is_timed
from repro.storage.schema import HEAD, MACHINE, TAIL, collected
from repro.storage.tables import is_number, read, whole_lines

FIRST = 1e-5
"""By what share scores may differ before any update, whatever is allowed after it: nothing has grown there yet."""

ZERO = 1e-12
"""Numbers that differ by no more are equal: what is left of sums that should be none, and of weights that fade away."""

SHOWN = 8

COMPARED = ("curves", "layers")
"""The long tables that are compared; the others are samples of what the weights of these runs make."""


class Difference(NamedTuple):
    """A number in the committed tables and what it is now.

    Attributes:
        table: its file.
        metric: a column of runs.csv, SPLIT_METRIC of the curves, or a quantity of the layers.
        where: seed, step and layer, as far as there are any.
        committed, now: as in the tables; "absent" where there is no such row.
        share: of its size by which it differs; infinite where it cannot be told.
        tolerance: by which it may.
    """

    table: str
    metric: str
    where: str
    committed: Any
    now: Any
    share: float
    tolerance: float

    @property
    def fails(self) -> bool:
        """Whether it differs by more than it may."""
        return self.share > self.tolerance

    @property
    def weight(self) -> tuple[bool, float, float]:
        """What makes one difference worse than another: failing, then how often its tolerance it is, then its size."""
        often = self.share / self.tolerance if self.tolerance else (np.inf if self.share else 0.0)
        return (self.fails, often, self.share)


Tolerance = Callable[[str], float]


def differences(committed: Path, now: Path, run: str, tolerance: Tolerance) -> list[Difference]:
    """The largest difference of every metric of a run, in the tables' order.

    Numbers are compared relative to the larger of the two; those of layers relative to the largest of the same
    quantity in the same layer, since means and gradients cross zero. Words, settings, steps and epochs are to be equal.
    What a clock or the machine says is left out (`MACHINE`, `is_timed`).

    Args:
        committed, now: folders of collected tables.
        tolerance: of a metric, by TABLE/METRIC.

    Raises:
        UserError: a table is missing or damaged.
    """
    found = list(_in_runs(committed / "runs.csv", now / "runs.csv", run, tolerance))
    for name in COMPARED:
        found += _in_series(name, committed, now, run, tolerance)
    return found


def shares(one: Any, other: Any, size: Any = None) -> Any:
    """Elementwise |one - other| relative to the larger of the two, or to a given size; 0 for equal or both missing."""
    a, b = np.asarray(one, float), np.asarray(other, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.abs(a - b)
        relative = gap / np.maximum(np.abs(a), np.abs(b)) if size is None else gap / np.asarray(size, float)
        same = (a == b) | (np.isnan(a) & np.isnan(b)) | (gap <= ZERO)
    return np.where(same, 0.0, np.where(np.isnan(relative), np.inf, relative))


def _in_runs(committed: Path, now: Path, run: str, tolerance: Tolerance) -> Iterator[Difference]:
    """Cell by cell, of each column the worst."""
    before, after = (_rows(path, run) for path in (committed, now))
    columns = dict.fromkeys(name for rows in (before, after) for row in rows.values() for name in row)
    exact = {*HEAD, *TAIL}
    for column in columns:
        if column in MACHINE | {"run", "seed"} or is_timed(column):
            continue
        cells = [
            (seed, before.get(seed, {}).get(column), after.get(seed, {}).get(column)) for seed in {**before, **after}
        ]
        numeric = (
            column not in exact and "." not in column and all(is_number(c or "nan") for _, *two in cells for c in two)
        )
        allowed = tolerance(f"runs/{column}") if numeric else 0.0
        yield max(
            (
                Difference(
                    "runs.csv", column, f"seed {seed}", _shown(old), _shown(new), _apart(old, new, numeric), allowed
                )
                for seed, old, new in cells
            ),
            key=lambda one: one.weight,
        )


def _rows(path: Path, run: str) -> dict[str, dict[str, str]]:
    """A run's rows of runs.csv by seed, as text."""
    lines = whole_lines(path)
    header = next(lines, [])
    rows = (dict(zip(header, line, strict=False)) for line in lines if line and line[0] == run)
    return {row.get("seed", ""): row for row in rows}


def _shown(text: str | None) -> Any:
    if text is None:
        return "absent"
    return float(text) if is_number(text) else text


def _apart(old: str | None, new: str | None, numeric: bool) -> float:
    """An empty cell and a missing one are the same: a table has the columns of all its runs."""
    if (old or "") == (new or ""):
        return 0.0
    if not numeric or not old or not new:
        return float("inf")
    return float(shares(float(old), float(new)))


def _in_series(name: str, committed: Path, now: Path, run: str, tolerance: Tolerance) -> Iterator[Difference]:
    """Row by row, of each metric the worst."""
    file = f"{name}.csv.gz"
    keys = [column for column in collected(name) if column not in ("run", "value")]
    tables = (read(folder / file) for folder in (committed, now))
    before, after = (table[table["run"] == run].drop(columns="run") for table in tables)
    rows = before.merge(after, on=keys, how="outer", suffixes=("", "_now"), indicator="there")
    if rows.empty:
        return
    rows["metric"] = rows["split"] + "_" + rows["metric"] if name == "curves" else rows["quantity"]
    rows = rows[~rows["metric"].map(is_timed).astype(bool)]
    size = None
    if name == "layers":
        largest = rows[["value", "value_now"]].abs().max(axis=1)
        size = largest.groupby([rows["seed"], rows["layer"], rows["metric"]]).transform("max")
    rows["share"] = np.where(rows["there"] == "both", shares(rows["value"], rows["value_now"], size), np.inf)
    for metric, own in rows.groupby("metric", sort=False):
        allowed = np.full(len(own), tolerance(f"{name}/{metric}"))
        if name == "curves":
            first = (own["step"] == 0) & own["split"].isin(SPLITS)
            allowed = np.where(first, np.minimum(allowed, FIRST), allowed)
        found = (_of_row(file, row, limit) for row, limit in zip(own.to_dict("records"), allowed, strict=True))
        yield max(found, key=lambda one: one.weight)


def _of_row(file: str, row: Mapping[Any, Any], allowed: float) -> Difference:
    absent = {"left_only": "value_now", "right_only": "value"}.get(str(row["there"]))
    old, new = ("absent" if absent == column else row[column] for column in ("value", "value_now"))
    where = f"{row['layer']} " if isinstance(row.get("layer"), str) else ""
    where += f"step {row['step']}, seed {row['seed']}"
    return Difference(file, str(row["metric"]), where, old, new, float(row["share"]), float(allowed))


def worst(found: list[Difference]) -> tuple[list[Difference], int]:
    """What a reader is shown: of each table the `SHOWN` worst metrics that fail and the worst of the others.

    Returns:
        These, and how many more fail.
    """
    shown: list[Difference] = []
    for file in dict.fromkeys(one.table for one in found):
        own = sorted((one for one in found if one.table == file), key=lambda one: one.weight, reverse=True)
        failing, within = [one for one in own if one.fails], [one for one in own if not one.fails]
        shown += [*failing[:SHOWN], *within[:1]]
    return shown, sum(one.fails for one in found) - sum(one.fails for one in shown)
