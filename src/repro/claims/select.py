"""Picks per-seed values out of an experiment's tables, for claims."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from repro.diagnostics.ranges import range_of
from repro.errors import UserError, unknown
from repro.storage.metrics import POSITIVE, SHARE, Range, better
from repro.storage.schema import HEAD, TAIL
from repro.storage.tables import cell

# Made from the status: 1 for a run that diverged, 0 for one that did not.
DIVERGED = "diverged"
# Made from an accuracy, since papers print one or the other: test_error_percent is 100 (1 - test_accuracy).
ERROR = "_error_percent"
CURVE_PLACES = ("epoch", "step", "mean_of_last", "swing_of_last", "first_below", "first_above", "when")
OF_LAST = {"mean_of_last": 1, "swing_of_last": 2}  # and of how many values it takes at least
_LAYER_KEYS = ("quantity", "depth", "layer", "step")


@dataclass(frozen=True)
class Selector:
    """Which number of which runs.

    Args:
        metric: a column of the runs table, {quantity, depth or layer, step} for a layer quantity,
            {curve, and one of CURVE_PLACES} for a value on the way, or {column, below or above} for 1 where a column
            is beyond a number and 0 where it is not.
        variant: its name; None takes the runs of every variant.
        where: swept settings by dotted name and the value they must have.
        beside: a second metric of the same runs, for a correlation of the two.
        best: {setting, by}: of the values of a swept setting the one whose runs are best by a column on average; one
            with a run that diverged is taken only where all have one.
    """

    metric: str | Mapping[str, Any]
    variant: str | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    best: Mapping[str, str] | None = None
    beside: str | Mapping[str, Any] | None = None

    def __str__(self) -> str:
        text = self.metric_name()
        text += f" of {self.variant}" if self.variant else ""
        text += f" at its best {self.best['setting']}" if self.best else ""
        return text + "".join(f", {name}={cell(value)}" for name, value in self.where.items())

    def metric_name(self) -> str:
        """The metric in words: `test_accuracy`, `activation_std depth 10 step first`, `train_loss and test_loss`."""
        if self.beside is not None:
            return " and ".join(replace(self, metric=one, beside=None).metric_name() for one in self.metrics())
        if isinstance(self.metric, str):
            return self.metric
        if "column" in self.metric:
            side = "below" if "below" in self.metric else "above"
            return f"share with {self.metric['column']} {side} {cell(self.metric[side])}"
        if "curve" in self.metric:
            place = next(key for key in CURVE_PLACES if key in self.metric)
            if place == "when":
                other = self.metric["when"]
                side = "below" if "below" in other else "above"
                return f"{self.metric['curve']} when {other['curve']} is {side} {cell(other[side])}"
            words = f"{place.replace('_', ' ')} {cell(self.metric[place])}"
            return (
                f"first step of {self.metric['curve']} {words.removeprefix('first ')}"
                if "first" in place
                else (f"{self.metric['curve']} at {words}")
            )
        quantity, *rest = (f"{key} {cell(self.metric[key])}" for key in _LAYER_KEYS if key in self.metric)
        return " ".join([quantity.removeprefix("quantity "), *rest])

    def within(self) -> Range:
        """Between which values a run's number lies; infinite where there is no bound."""
        if isinstance(self.metric, str):
            if self.metric.endswith(ERROR):
                low, high = range_of(self.metric.replace(ERROR, "_accuracy"))
                return 100 * (1 - high), 100 * (1 - low)
            return SHARE if self.metric == DIVERGED else range_of(self.metric)
        if "column" in self.metric:
            return SHARE
        if "quantity" in self.metric:
            return range_of(self.metric["quantity"])
        if "first_below" in self.metric or "first_above" in self.metric:
            return POSITIVE
        low, high = range_of(self.metric["curve"])
        return (0.0, high - low) if "swing_of_last" in self.metric else (low, high)

    def metrics(self) -> list[str | Mapping[str, Any]]:
        """The metric, and the one beside it if there is one."""
        return [self.metric, *([] if self.beside is None else [self.beside])]


@dataclass(frozen=True)
class Value:
    """One run's number; NaN when it has none. The cell is the settings that vary within the selection.

    `beside` is the run's second number, where the selector asks for one.
    """

    seed: int
    cell: Mapping[str, str]
    number: float
    diverged: bool
    beside: float = math.nan


class Measurements:
    """The tables of one experiment, ready to be asked."""

    def __init__(
        self, runs: pd.DataFrame, layers: pd.DataFrame | None = None, curves: pd.DataFrame | None = None
    ) -> None:
        """Takes runs.csv and, where a claim needs them, layers.csv.gz and curves.csv.gz, as `read` returns them."""
        # A failed run says nothing about a claim; one that diverged does.
        self.runs = runs[runs["status"] != "failed"]
        lost = runs[runs["status"] == "diverged"]
        self._lost = set(zip(lost["run"], lost["seed"], strict=True))
        self._layers = layers
        self._curves = curves
        self._quantities: dict[str, pd.DataFrame] | None = None
        self._by_name: dict[str, pd.DataFrame] | None = None
        swept = [name for name in runs.columns if name not in {*HEAD, *TAIL}]
        # A setting has a dotted name or holds words; what is left are the metrics (see collect).
        self.settings = [n for n in swept if "." in n or not pd.api.types.is_numeric_dtype(runs[n])]
        self.metrics = [n for n in (*swept, *TAIL[:3]) if n in runs.columns and n not in self.settings]
        self.metrics.append(DIVERGED)

    def values(self, wanted: Selector, about: str) -> list[Value]:
        """The selected runs' numbers, in the table's order; empty when no such run is there yet.

        Args:
            wanted: what to pick.
            about: the claim, for the error's text.

        Raises:
            UserError: no such metric, quantity, depth, layer, step or setting.
        """
        if self.runs.empty:
            return []
        rows = self._rows(wanted, about)
        if wanted.best is not None:
            best = self.best(wanted, about)
            rows = rows[rows[wanted.best["setting"]] == best]
        numbers, *second = (self._numbers(rows, metric, about) for metric in wanted.metrics())
        beside = second[0] if second else [math.nan] * len(numbers)
        varying = [name for name in self.settings if rows[name].nunique(dropna=False) > 1]
        cells = [tuple(map(str, row)) for row in rows[varying].itertuples(index=False)]
        seeds, states = rows["seed"].tolist(), rows["status"].tolist()
        return [
            Value(int(seed), dict(zip(varying, where, strict=True)), number, state == "diverged", other)
            for seed, where, number, state, other in zip(seeds, cells, numbers, states, beside, strict=True)
        ]

    def is_share(self, wanted: Selector) -> bool:
        """Whether a selection's numbers are 0 or 1 in every run, and both come up: what is counted, not measured."""
        if not isinstance(wanted.metric, str):
            return "column" in wanted.metric
        if wanted.metric not in self.metrics or wanted.metric == DIVERGED:
            return wanted.metric == DIVERGED
        return set(self.runs[wanted.metric].dropna().unique()) == {0, 1}

    def _rows(self, wanted: Selector, about: str) -> pd.DataFrame:
        """The runs of a variant with these settings."""
        rows = self.runs
        if wanted.variant is not None:
            rows = rows[rows["variant"] == wanted.variant]
        for name, value in wanted.where.items():
            if name not in self.settings:
                raise unknown(f"setting in where of {about}", name, self.settings)
            rows = rows[_equal(rows[name], value)]
        return rows

    def best(self, wanted: Selector, about: str) -> Any:
        """The value of the swept setting at which the selected runs are best; None where no run has a number."""
        assert wanted.best is not None
        setting, by = wanted.best["setting"], wanted.best["by"]
        if setting not in self.settings:
            raise unknown(f"setting in best of {about}", setting, self.settings)
        if by not in self.metrics:
            raise unknown(f"metric in best of {about}", by, self.metrics)
        rows = self._rows(wanted, about)
        groups = (
            rows.assign(lost=rows["status"] == "diverged").groupby(setting).agg(lost=("lost", "any"), mean=(by, "mean"))
        )
        means = groups["mean"][groups["lost"] == groups["lost"].min()].dropna()
        if means.empty:
            return None
        return means.idxmin() if better(by) == "lower" else means.idxmax()

    def _numbers(self, rows: pd.DataFrame, metric: str | Mapping[str, Any], about: str) -> list[float]:
        if not isinstance(metric, str) and "column" in metric:
            numbers = self._numbers(rows, metric["column"], about)
            # A comparison with NaN is false: a run that diverged is not on either side.
            return [float(n < metric["below"] if "below" in metric else n > metric["above"]) for n in numbers]
        if not isinstance(metric, str):
            find = self._curve_values if "curve" in metric else self._layer_values
            values = find(metric, about, set(rows["run"])) if len(rows) else {}
            keys = zip(rows["run"].tolist(), rows["seed"].tolist(), strict=True)
            return [values.get(key, math.nan) for key in keys]
        if metric == DIVERGED:
            return [float(state == "diverged") for state in rows["status"]]
        if metric.endswith(ERROR) and (accuracy := metric.replace(ERROR, "_accuracy")) in self.metrics:
            return [100 * (1 - float(value)) for value in rows[accuracy]]
        if metric not in self.metrics:
            raise unknown(f"metric in {about}", metric, self.metrics)
        return [float(value) for value in rows[metric]]

    def _layer_values(self, metric: Mapping[str, Any], about: str, runs: set[str]) -> dict[tuple[str, int], float]:
        """The quantity's value by run and seed."""
        if self._layers is None or self._layers.empty:
            return {}
        if self._quantities is None:
            self._quantities = {str(name): rows for name, rows in self._layers.groupby("quantity")}
        if metric["quantity"] not in self._quantities:
            raise unknown(f"quantity in {about}", str(metric["quantity"]), self._quantities)
        rows = self._quantities[metric["quantity"]]
        key = "layer" if "layer" in metric else "depth"
        rows = _at(rows, key, metric.get(key, 0), about)
        if rows["layer"].nunique() > 1 and rows.duplicated(["run", "seed", "step"]).any():
            names = ", ".join(sorted(rows["layer"].unique()))
            raise UserError(f"{about}: {key} {metric.get(key)} has several layers ({names}); add layer: NAME")
        step = metric.get("step", "last")
        if step in ("first", "last"):
            rows = rows[rows["run"].isin(runs)]
            steps = rows.groupby(["run", "seed"])["step"]
            rows = rows[rows["step"] == (steps.transform("min") if step == "first" else steps.transform("max"))]
        else:
            rows = _at(rows, "step", step, about)
        values = dict(zip(zip(rows["run"], rows["seed"], strict=True), rows["value"].tolist(), strict=True))
        # What was measured last in a run that diverged is not its end.
        return {k: math.nan if step == "last" and k in self._lost else v for k, v in values.items()}

    def _curve_values(self, metric: Mapping[str, Any], about: str, runs: set[str]) -> dict[tuple[str, int], float]:
        """The curve's value, or the step at which it is reached, by run and seed."""
        if self._curves is None or self._curves.empty:
            return {}
        curves = self._curve(metric["curve"], about, runs)
        if "when" not in metric:
            return {key: _on_curve(own, metric, key not in self._lost) for key, own in curves}
        other = metric["when"]
        when = {key: _first_beyond(own, other) for key, own in self._curve(other["curve"], about, runs)}
        return {key: _on_curve(own, {"step": when.get(key, math.nan)}, key not in self._lost) for key, own in curves}

    def _curve(self, curve: str, about: str, runs: set[str]) -> Iterator[tuple[tuple[str, int], pd.DataFrame]]:
        """The rows of `<split>_<metric>` by run, of these runs, and seed, in the order of steps."""
        assert self._curves is not None
        if self._by_name is None:
            by_name = self._curves.groupby(["split", "metric"], observed=True, sort=False)
            self._by_name = {f"{split}_{metric}": rows for (split, metric), rows in by_name}
        if curve not in self._by_name:
            raise unknown(f"curve in {about}", curve, self._by_name)
        rows = self._by_name[curve]
        return _keyed(rows[rows["run"].isin(runs)].sort_values("step").groupby(["run", "seed"]))


def _keyed(groups: Any) -> Iterator[tuple[tuple[str, int], pd.DataFrame]]:
    return (((str(run), int(seed)), own) for (run, seed), own in groups)


def _on_curve(rows: pd.DataFrame, metric: Mapping[str, Any], ended: bool) -> float:
    """One curve's value at a place, NaN where it was not measured; or the first step beyond a bound.

    A run that diverged has no end: NaN is what stands there, and where it had not got beyond the bound before.
    """
    if "first_below" in metric or "first_above" in metric:
        beyond = (
            rows["value"] < metric["first_below"]
            if "first_below" in metric
            else (rows["value"] > metric["first_above"])
        )
        never = rows["step"].iloc[-1] if ended else math.nan
        return float(rows["step"][beyond].iloc[0] if beyond.any() else never)
    if not ended and (OF_LAST.keys() & metric.keys() or metric.get("step") == "last"):
        return math.nan
    if "mean_of_last" in metric:
        return float(rows["value"].iloc[-int(metric["mean_of_last"]) :].mean())
    if "swing_of_last" in metric:
        return float(rows["value"].iloc[-int(metric["swing_of_last"]) :].diff().abs().mean())
    place = "epoch" if "epoch" in metric else "step"
    wanted = metric[place]
    if wanted in ("first", "last"):
        return float(rows["value"].iloc[0 if wanted == "first" else -1])
    values = rows["value"][(rows[place] - wanted).abs() < 1e-6]
    return float(values.iloc[0]) if len(values) else math.nan


def _first_beyond(rows: pd.DataFrame, bound: Mapping[str, Any]) -> float:
    """The first step at which a curve is below, or above, a bound; NaN where it never is."""
    beyond = rows["value"] < bound["below"] if "below" in bound else rows["value"] > bound["above"]
    return float(rows["step"][beyond].iloc[0]) if beyond.any() else math.nan


def _at(rows: pd.DataFrame, column: str, value: Any, about: str) -> pd.DataFrame:
    chosen: pd.DataFrame = rows[rows[column] == value]
    if chosen.empty:
        raise unknown(f"{column} in {about}", str(value), map(str, rows[column].unique()))
    return chosen


def _equal(column: "pd.Series[Any]", value: Any) -> "pd.Series[bool]":
    if value is None:
        return column.isna() | (column.astype("str") == "")
    if isinstance(value, bool):
        return column.astype("str").str.lower() == cell(value)
    if isinstance(value, (int, float)):
        return pd.to_numeric(column, errors="coerce") == value
    same: pd.Series[bool] = column.astype("str") == value
    return same
