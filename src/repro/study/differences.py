"""How far a run's rows in two sets of tables lie apart, number by number."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from repro.storage.metrics import SPLITS, is_timed
from repro.storage.schema import HEAD, MACHINE, TAIL, collected
from repro.storage.tables import is_number, read, whole_lines
from repro.study.tolerance import ENOUGH, FLOOR, RANGES, Tolerance

FIRST = 1e-5
"""By what share losses may differ before any update, whatever is allowed after it: nothing has grown there yet."""

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
        used: how often that is what it may differ by; it fails above 1.
        held: what it may differ by, in words.
        by_seeds: whether the metric is held to what seeds differ by.
    """

    table: str
    metric: str
    where: str
    committed: Any
    now: Any
    share: float
    used: float
    held: str
    by_seeds: bool = False

    @property
    def fails(self) -> bool:
        """Whether it differs by more than it may."""
        return self.used > 1

    @property
    def weight(self) -> tuple[float, float]:
        """What makes one difference worse than another: how often its tolerance it is, then its size."""
        return (self.used, self.share)


Tolerances = Callable[[str], Tolerance]
EXACT = Tolerance("relative", 0.0)


def differences(
    committed: Path, now: Path, run: str, tolerance: Tolerances, alike: Collection[str] = ()
) -> list[Difference]:
    """The largest difference of every metric of a run, in the tables' order.

    Numbers are compared relative to the larger of the two; those of layers relative to the largest of the same
    quantity in the same layer, since means and gradients cross zero. Words, settings, steps and epochs are to be equal.
    What a clock or the machine says is left out (`MACHINE`, `is_timed`).

    Args:
        committed, now: folders of collected tables.
        tolerance: of a metric, by TABLE/METRIC.
        alike: the runs of the same settings with other seeds, whose range a number may be held to.

    Raises:
        UserError: a table is missing or damaged.
    """
    seeds = {run, *alike}
    found = list(_in_runs(committed / "runs.csv", now / "runs.csv", run, tolerance, seeds))
    for name in COMPARED:
        found += _in_series(name, committed, now, run, tolerance, seeds)
    return found


def shares(one: Any, other: Any, size: Any = None) -> Any:
    """Elementwise |one - other| relative to the larger of the two, or to a given size; 0 for equal or both missing."""
    a, b = np.asarray(one, float), np.asarray(other, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.abs(a - b)
        relative = gap / np.maximum(np.abs(a), np.abs(b)) if size is None else gap / np.asarray(size, float)
        same = (a == b) | (np.isnan(a) & np.isnan(b)) | (gap <= ZERO)
    return np.where(same, 0.0, np.where(np.isnan(relative), np.inf, relative))


def used(tolerance: Tolerance, share: Any, gap: Any, spread: Any, seeds: Any) -> Any:
    """Elementwise how often a difference is what it may be; 0 for equal numbers, infinite where it cannot be told.

    Held to its seeds, a number passes within `RANGES` of the range of the others or a share of `FLOOR`; fewer of them
    than `ENOUGH` have no range.

    Args:
        share: as from `shares`.
        gap: |committed - now|.
        spread: the range of the other committed seeds.
        seeds: how many these are.
    """
    share = np.asarray(share, float)
    if tolerance.kind == "relative":
        return _often(share, tolerance.limit)
    gap = np.where(share == 0, 0.0, np.where(np.isnan(gap) | np.isinf(share), np.inf, gap))
    if tolerance.kind == "absolute":
        return _often(gap, tolerance.limit)
    reach = np.fmax(np.where(np.asarray(seeds) < ENOUGH, 0.0, RANGES * np.asarray(spread)), tolerance.limit)
    return np.fmin(_often(gap, reach), _often(share, FLOOR))


def _often(much: Any, limit: Any) -> Any:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.asarray(much) == 0, 0.0, np.asarray(much, float) / limit)


def _held(tolerance: Tolerance, spread: float, seeds: int) -> str:
    if tolerance.kind == "absolute":
        return f"{tolerance.limit:.2g} absolute"
    if tolerance.kind == "relative":
        return f"{tolerance.limit:.2g}"
    reach = max(tolerance.limit, 0.0 if seeds < ENOUGH else RANGES * spread)
    return f"{FLOOR:.2g} or {reach:.2g} of seeds"


def _in_runs(
    committed: Path, now: Path, run: str, tolerance: Tolerances, alike: Collection[str]
) -> Iterator[Difference]:
    """Cell by cell, of each column the worst."""
    others = _rows(committed, alike)
    before = {seed: row for (own, seed), row in others.items() if own == run}
    after = {seed: row for (_, seed), row in _rows(now, {run}).items()}
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
        allowed = tolerance(f"runs/{column}") if numeric else EXACT
        values = [row.get(column) or "nan" for row in others.values()]
        ranges = _of_others(np.array([float(value) if is_number(value) else np.nan for value in values]))
        known = dict(zip(others, zip(*ranges, strict=True), strict=True))
        yield max(
            (_of_cell(column, cell, numeric, allowed, known.get((run, cell[0]), (0.0, 0))) for cell in cells),
            key=lambda one: one.weight,
        )


def _of_others(values: Any) -> tuple[Any, Any]:
    """Of each seed the range of all others and how many these are: one that is wrong is no measure of itself.

    What diverged has no place in a range.
    """
    finite = np.isfinite(values)
    others = finite.sum() - finite
    ordered = np.sort(values[finite])
    if len(ordered) < ENOUGH:
        return np.zeros(len(values)), others
    low = np.where(values == ordered[0], ordered[1], ordered[0])
    return np.where(values == ordered[-1], ordered[-2], ordered[-1]) - low, others


def _of_cell(
    column: str, cell: tuple[str, str | None, str | None], numeric: bool, allowed: Tolerance, others: tuple[float, int]
) -> Difference:
    seed, old, new = cell
    share = _apart(old, new, numeric)
    gap = abs(float(old) - float(new)) if numeric and old and new else np.nan
    often = float(used(allowed, share, gap, *others))
    held, by_seeds = _held(allowed, *others), allowed.kind == "seeds"
    return Difference("runs.csv", column, f"seed {seed}", _shown(old), _shown(new), share, often, held, by_seeds)


def _rows(path: Path, runs: Collection[str]) -> dict[tuple[str, str], dict[str, str]]:
    """The rows of runs.csv of some runs by run and seed, as text."""
    lines = whole_lines(path)
    header = next(lines, [])
    rows = (dict(zip(header, line, strict=False)) for line in lines if line and line[0] in runs)
    return {(row["run"], row.get("seed", "")): row for row in rows}


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


def _in_series(
    name: str, committed: Path, now: Path, run: str, tolerance: Tolerances, alike: Collection[str]
) -> Iterator[Difference]:
    """Row by row, of each metric the worst."""
    file = f"{name}.csv.gz"
    keys = [column for column in collected(name) if column not in ("run", "value")]
    whole = read(committed / file)
    whole = _with_ranges(whole[whole["run"].isin(alike)], [key for key in keys if key != "seed"])
    before, after = (table[table["run"] == run].drop(columns="run") for table in (whole, read(now / file)))
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
    rows["first"] = False
    if name == "curves":  # a loss; of scores that count, one sample on an edge may fall to the other side
        rows["first"] = (rows["step"] == 0) & rows["split"].isin(SPLITS) & rows["metric"].str.endswith("loss")
    for metric, own in rows.groupby("metric", sort=False):
        yield _of_rows(file, own, tolerance(f"{name}/" + str(metric)))


def _with_ranges(rows: Any, places: list[str]) -> Any:
    """With two columns more, of `_of_others` at the same place."""
    spread, seeds, values = np.zeros(len(rows)), np.zeros(len(rows), int), rows["value"].to_numpy()
    for where in rows.groupby(places, dropna=False).indices.values():
        spread[where], seeds[where] = _of_others(values[where])
    return rows.assign(spread=spread, seeds=seeds)


def _of_rows(file: str, rows: Any, allowed: Tolerance) -> Difference:
    """The worst row of a metric; before any update losses are held to `FIRST` as well."""
    gap, seeds = np.abs(rows["value"] - rows["value_now"]), rows["seeds"].fillna(0)
    often = used(allowed, rows["share"], gap, rows["spread"], seeds)
    if allowed.kind != "absolute":
        often = np.where(rows["first"], np.maximum(often, _often(rows["share"], FIRST)), often)
    share = rows["share"].to_numpy()
    worst = max(range(len(rows)), key=lambda i: (often[i], share[i]))
    row = rows.iloc[worst].to_dict()
    first = row["first"] and allowed.kind != "absolute" and _often(share[worst], FIRST) >= often[worst]
    held = f"{FIRST:.2g}" if first else _held(allowed, row["spread"], seeds.iloc[worst])
    absent = {"left_only": "value_now", "right_only": "value"}.get(str(row["there"]))
    old, new = ("absent" if absent == column else row[column] for column in ("value", "value_now"))
    where = f"{row['layer']} " if isinstance(row.get("layer"), str) else ""
    where += f"step {row['step']}, seed {row['seed']}"
    found = (float(share[worst]), float(often[worst]), held, allowed.kind == "seeds")
    return Difference(file, str(row["metric"]), where, old, new, *found)


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
