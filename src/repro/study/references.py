"""References in a paper's page to what the committed tables say: parsed, looked up, written as text.

    {claim:EXPERIMENT/ID}              the ledger's word; {claim:EXPERIMENT/ID|is} with its verb (is reproduced, holds);
                                       {claim:EXPERIMENT/ID|COLUMN} another column of claims.csv
    {value:EXPERIMENT/ID}              ours as in the ledger: 0.962 ± 0.003 (n=5), or 2 of 3 (n=5)
    {published:EXPERIMENT/ID}          the published number or words
    {mean:EXPERIMENT/METRIC|KEY=VALUE|...}   of runs.csv, one a seed, as median; also min, max, count (how many runs)
    {difference:EXPERIMENT/METRIC|variant=A|than=B}   mean of A - B, seed by seed
    {ratio:EXPERIMENT/METRIC|variant=A|than=B}   geometric mean of A / B
    {best:EXPERIMENT/SETTING|by=METRIC|KEY=VALUE|...}   the value of a swept setting at which METRIC is best on average
    {cell:EXPERIMENT/TABLE|KEY=VALUE|...|column=NAME}   of a further table: the row in which KEY is VALUE
    {table:EXPERIMENT}, {table:EXPERIMENT/TABLE}   the ledger of an experiment, a further table
    {all_at_once:PAPER}                how many of the reproduced claims stand when all of the paper are tested at once
    {given:TEXT}                       TEXT: a number of the set-up, or a published one, that a person has checked

KEY is `variant`, a swept setting (`optimizer.lr`; `than.optimizer.lr` for the other side) or `best=SETTING/METRIC`, the
value at which METRIC is best. METRIC is a column of runs.csv, or a quantity with `depth` or `layer` and `step` (first,
last, number), or a curve with `epoch`, `step`, `mean_of_last`, `first_below` ... (see claims/grammar.py). `below=0.5`
or `above=0.5` keeps the runs beyond that, for count.

How a number is written, behind further bars: `interval` leaves n out, `number` the interval too, `digits=2` is `number`
with so many significant digits (3 where nothing is said); `abs` takes the sign away, `percent` multiplies by 100.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from repro.claims.select import CURVE_PLACES, Measurements, Selector
from repro.errors import UserError, unknown
from repro.storage import statistics
from repro.storage.statistics import Estimate
from repro.storage.tables import read
from repro.study.experiment import Experiment, results_folder
from repro.study.forms import FORMS, Reference, as_number, best_of, plain, typed, with_verb, written
from repro.study.ledger import paper_claims
from repro.text import tables

REFERENCE = re.compile(r"\{([a-z_]+):([^{}]+)\}")
NONE_YET = "(no tables yet)"
_LAYER_KEYS = ("depth", "layer", "step")
_BEYOND = ("below", "above")
_WITHOUT = {"value": {*FORMS}, "published": set[str](), "table": set[str]()}  # keys, and what may stand in their place


def parse(kind: str, body: str) -> Reference:
    """Take a reference apart.

    Raises:
        UserError: an unknown kind.
    """
    text = f"{{{kind}:{' '.join(body.split())}}}"
    if kind not in KINDS:
        raise unknown("reference", kind, [*KINDS, "given"])
    what, *words = (word.strip() for word in " ".join(body.split()).split("|"))
    experiment, _, name = what.partition("/")
    pairs = [(key.strip(), value.strip()) for key, _, value in (word.partition("=") for word in words)]
    forms = {key: value for key, value in pairs if key in FORMS}
    return Reference(text, kind, experiment, name, {k: v for k, v in pairs if k not in FORMS}, forms)


class PaperTables:
    """The committed tables of a paper's experiments, each read when a reference first asks for it."""

    def __init__(self, experiments: Sequence[Experiment], results_dir: Path) -> None:
        """Takes the experiments of one paper."""
        self._experiments = {e.short: e for e in experiments}
        self._results_dir = results_dir
        self._kept: dict[tuple[str, ...], Any] = {}

    def text(self, reference: Reference) -> str:
        """What stands in the reference's place.

        Raises:
            UserError: an unknown experiment, claim, column, table, variant, setting, metric or form.
        """
        if reference.experiment not in self._experiments:
            raise unknown(f"experiment in {reference.text}", reference.experiment, self._experiments)
        folder = self._folder(reference.experiment)
        if not (folder / "claims.csv").is_file() or not (folder / "runs.csv").is_file():
            return "" if reference.kind == "table" else NONE_YET
        if reference.kind in _WITHOUT and (odd := {*reference.keys, *reference.forms} - _WITHOUT[reference.kind]):
            raise unknown(f"form in {reference.text}", min(odd), _WITHOUT[reference.kind] or {"none"})
        return KINDS[reference.kind](self, reference)

    def _folder(self, experiment: str) -> Path:
        return results_folder(self._results_dir, self._experiments[experiment], "published")

    def _keep(self, key: tuple[str, ...], make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def claims(self, experiment: str) -> pd.DataFrame:
        """The ledger's rows of an experiment, with the verdicts that stand when all of the paper are tested at once."""
        every = self.every_claim()
        return every[every["experiment"] == experiment]

    def every_claim(self) -> pd.DataFrame:
        """The ledger's rows of all experiments."""
        found: pd.DataFrame = self._keep(
            ("claims",), lambda: paper_claims(self._experiments.values(), self._results_dir)
        )
        return found

    def _claim(self, reference: Reference) -> pd.DataFrame:
        claims = self.claims(reference.experiment)
        row = claims[claims["claim"] == reference.name]
        if row.empty:
            raise unknown(f"claim in {reference.text}", reference.name, claims["claim"].tolist())
        return row

    def _further(self, reference: Reference) -> pd.DataFrame:
        folder = self._folder(reference.experiment)
        path = folder / f"{reference.name}.csv"
        collected = ("runs", "claims")
        if reference.name in collected or not path.is_file():
            there = [file.stem for file in folder.glob("*.csv") if file.stem not in collected]
            raise unknown(f"table in {reference.text}", reference.name, there)
        # Every cell as the script wrote it, since many a word looks like a number.
        table: pd.DataFrame = self._keep(
            (reference.experiment, "further", reference.name),
            lambda: pd.read_csv(path, dtype="str", keep_default_na=False),
        )
        return table

    def _measurements(self, reference: Reference, metric: Any) -> Measurements:
        """The tables of an experiment, with the layers or curves that the metric is looked up in."""
        folder = self._folder(reference.experiment)
        runs = self._keep((reference.experiment, "runs"), lambda: read(folder / "runs.csv"))
        layers = curves = None
        if isinstance(metric, Mapping) and "curve" in metric:
            curves = self._keep((reference.experiment, "curves"), lambda: read(folder / "curves.csv.gz"))
        elif isinstance(metric, Mapping):
            layers = self._keep((reference.experiment, "layers"), lambda: read(folder / "layers.csv.gz"))
        kind = "runs" if layers is curves is None else "layers" if curves is None else "curves"
        made: Measurements = self._keep(
            (reference.experiment, "measurements", kind), lambda: Measurements(runs, layers, curves)
        )
        return made

    def _side(self, reference: Reference, keys: Mapping[str, str]) -> list[tuple[int, float]]:
        """Seed and number of every run that one side of a reference takes, those without a number left out."""
        metric, places = _metric(reference.name, keys)
        data = self._measurements(reference, metric)
        usual = {"variant", "best", "than", *_LAYER_KEYS, *CURVE_PLACES, *_BEYOND}
        for key in keys:
            if key not in usual and key not in data.settings:
                raise unknown(f"setting or form in {reference.text}", key, {*data.settings, *usual, *FORMS})
        where = {k: typed(v) for k, v in keys.items() if k not in {"variant", "best", *places, *_BEYOND}}
        variants = sorted(set(data.runs["variant"]))
        if "variant" in keys and keys["variant"] not in variants:
            raise unknown(f"variant in {reference.text}", keys["variant"], variants)
        best = best_of(reference, keys["best"]) if "best" in keys else None
        values = data.values(Selector(metric, keys.get("variant"), where, best), reference.text)
        if not values:
            raise UserError(f"no runs for {reference.text}; its settings are nowhere together in runs.csv")
        beyond = [(name, as_number(reference, name, keys[name])) for name in _BEYOND if name in keys]
        return [
            (value.seed, value.number)
            for value in values
            if math.isfinite(value.number)
            and all(value.number < bound if name == "below" else value.number > bound for name, bound in beyond)
        ]

    def _word(self, reference: Reference) -> str:
        row = self._claim(reference)
        column = next(iter(reference.keys), "verdict")
        if column == "is":
            return with_verb(plain(row.iloc[0]["verdict"]))
        if column not in row.columns:
            raise unknown(f"column of claims.csv in {reference.text}", column, map(str, row.columns))
        return plain(row.iloc[0][column])

    def _published(self, reference: Reference) -> str:
        return re.sub(r"^(-?\d+)\.0$", r"\1", plain(tables.ledger(self._claim(reference)).iloc[0]["published"]))

    def _value(self, reference: Reference) -> str:
        """Ours of a claim; of one of several parts, how many hold."""
        row = self._claim(reference)
        ours, n = str(tables.ledger(row).iloc[0]["ours"]), int(row.iloc[0]["n"])
        claim = row.iloc[0]
        if not reference.forms:
            return ours
        if str(claim["metric"]).startswith("parts of "):
            if set(reference.forms) == {"interval"}:
                return ours.removesuffix(f" (n={n})")
            raise UserError(
                f"{reference.text}: a claim of several parts is {ours!r}; it can be written with interval only"
            )
        bounds = (float(claim["low"]), float(claim["high"]))
        return written(reference, Estimate(float(claim["ours"]), None if math.isnan(bounds[0]) else bounds, n))

    def _statistic(self, reference: Reference) -> str:
        side = self._side(reference, reference.keys)
        numbers = [number for _, number in side]
        if reference.kind in ("mean", "median") and len(dict(side)) < len(side):
            raise UserError(f"{reference.text} has several runs of one seed; name the variant or setting that differs")
        if reference.kind == "count":
            return str(len(numbers))
        if not numbers:
            raise UserError(f"no run of {reference.text} has a value")
        if reference.kind == "mean":
            low, high = Selector(_metric(reference.name, reference.keys)[0]).within()
            return written(reference, statistics.estimate(numbers).within(low, high))
        found: dict[str, Callable[[list[float]], float]] = {"min": min, "max": max, "median": median}
        return written(reference, Estimate(found[reference.kind](numbers), None, len(numbers)), number=True)

    def _comparison(self, reference: Reference) -> str:
        """Difference or ratio of two sides, seed by seed."""
        own = {key: value for key, value in reference.keys.items() if not key.startswith("than")}
        change = {key[5:]: value for key, value in reference.keys.items() if key.startswith("than.")}
        change |= {"variant": reference.keys["than"]} if "than" in reference.keys else {}
        if not change:
            raise UserError(f"{reference.text} has no other side; add |than=VARIANT or |than.SETTING=VALUE")
        left, right = self._side(reference, own), self._side(reference, own | change)
        first, second = dict(left), dict(right)
        if len(first) < len(left) or len(second) < len(right):
            raise UserError(f"{reference.text}: a side has several runs of one seed; name the setting that differs")
        shared = sorted(first.keys() & second.keys())
        if not shared:
            raise UserError(f"{reference.text}: its sides have no seed in common")
        a, b = [first[seed] for seed in shared], [second[seed] for seed in shared]
        if reference.kind == "difference":
            low, high = Selector(_metric(reference.name, own)[0]).within()
            return written(reference, statistics.paired(a, b).within(low - high, high - low))
        if min(*a, *b) <= 0:
            raise UserError(f"{reference.text}: a ratio needs values above 0 on both sides")
        logs = statistics.paired([math.log(x) for x in a], [math.log(x) for x in b])
        bounds = None if logs.interval is None else (math.exp(logs.interval[0]), math.exp(logs.interval[1]))
        return written(reference, Estimate(math.exp(logs.value), bounds, logs.n))

    def _best(self, reference: Reference) -> str:
        by = reference.keys.get("by", "")
        if not by:
            raise UserError(f"{reference.text} does not say by what; add |by=METRIC")
        where = {key: typed(value) for key, value in reference.keys.items() if key not in ("by", "variant")}
        wanted = Selector(by, reference.keys.get("variant"), where, {"setting": reference.name, "by": by})
        value = self._measurements(reference, by).best(wanted, reference.text)
        if value is None:
            raise UserError(f"no run of {reference.text} has a value")
        return written(reference, Estimate(float(value), None, 1), number=True)

    def _cell(self, reference: Reference) -> str:
        rows = self._further(reference)
        for key, value in reference.keys.items():
            if key not in (*rows.columns, "column"):
                raise unknown(f"column in {reference.text}", key, map(str, rows.columns))
            if key != "column" or "column" in rows.columns:
                if value not in set(rows[key]):
                    raise unknown(f"{key} in {reference.text}", value, rows[key].unique())
                rows = rows[rows[key] == value]
        column = reference.keys.get("column", "")
        if column not in rows.columns:
            raise unknown(f"column in {reference.text}", column, map(str, rows.columns))
        if len(rows) != 1:
            raise UserError(f"{reference.text} has {len(rows)} rows; it must name one by |COLUMN=VALUE")
        cell = str(rows.iloc[0][column])
        if not reference.forms:
            return cell
        return written(reference, Estimate(as_number(reference, column, cell), None, 1), number=True)

    def _table(self, reference: Reference) -> str:
        if not reference.name:
            return tables.table(tables.ledger(self.claims(reference.experiment)), "markdown")
        return tables.table(self._further(reference), "markdown")


def _metric(name: str, keys: Mapping[str, str]) -> tuple[Any, dict[str, Any]]:
    """What a reference looks at, as a selector takes it, and those keys that say where: a layer, a place on a curve."""
    places = {key: typed(value) for key, value in keys.items() if key in {*_LAYER_KEYS, *CURVE_PLACES}}
    kind = "quantity" if {"depth", "layer"} & places.keys() else "curve"
    return ({kind: name, **places} if places else name), places


KINDS: dict[str, Callable[[PaperTables, Reference], str]] = {
    "claim": PaperTables._word,
    "value": PaperTables._value,
    "published": PaperTables._published,
    **dict.fromkeys(("mean", "median", "min", "max", "count"), PaperTables._statistic),
    **dict.fromkeys(("difference", "ratio"), PaperTables._comparison),
    "best": PaperTables._best,
    "cell": PaperTables._cell,
    "table": PaperTables._table,
}
