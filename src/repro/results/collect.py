"""Gathers the runs of an experiment into its committed tables, and says which runs are there."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from repro.errors import UserError
from repro.results.files import read_json, write_atomic
from repro.results.tables import cell, is_number, short, whole_lines, write, write_text

HEAD = ("run", "variant", "seed", "status", "scale")
TAIL = ("steps", "seconds", "steps_per_second", "device", "commit")
CURVES = ("run", "variant", "seed", "step", "epoch", "split", "metric", "value")
LAYERS = ("run", "variant", "seed", "step", "epoch", "layer", "depth", "quantity", "value")
SPECTRUM = ("run", "variant", "seed", "step", "epoch", "method", "quantity", "index", "value", "error")
PREDICTIONS = ("run", "variant", "seed", "step", "split", "sample", "input_0", "input_1", "target", "predicted")
SERIES = {"curves": CURVES, "layers": LAYERS, "predictions": PREDICTIONS, "spectrum": SPECTRUM}
WHERE_ASKED_FOR = frozenset({"predictions", "spectrum"})
# What tables are made from.
RUN_FILES = ("done.json", "failed.json", "summary.json", "provenance.json", *(f"{name}.csv" for name in SERIES))
# A spectrum's rows with an index are single eigenvalues; the others are in the curves as well.
SINGLE = SPECTRUM.index("index")
STATES = ("done", "diverged", "failed", "missing", "stale")
_FLOATS = frozenset({"epoch", "value", "error", "input_0", "input_1"})

Row = dict[str, str]


@dataclass(frozen=True)
class Expected:
    """A run that belongs to an experiment, whether it was trained or not.

    Args:
        variant: its variant's name.
        settings: the swept settings by dotted name; other settings are the same in every run.
        folder: where its files lie, or would lie.
        seeds: its seeds; only needed for the rows of a run that failed before it wrote a summary.
    """

    variant: str
    settings: Mapping[str, Any]
    folder: Path
    seeds: tuple[int, ...] = ()


def ended(folder: Path) -> str | None:
    """How the run in a folder ended: "done", "diverged" or "failed"; None when it has not, or is not there.

    Raises:
        UserError: it ended, but its summary is damaged.
    """
    if (folder / "done.json").exists():
        return str(read_json(folder / "summary.json").get("status", "done"))
    return "failed" if (folder / "failed.json").exists() else None


def status(expected: Mapping[str, Expected], runs_csv: Path) -> pd.DataFrame:
    """Where each run stands; a run counts as there when its folder or the collected table has it.

    Args:
        expected: the experiment's runs by id.
        runs_csv: the collected table; may be missing.

    Returns:
        One row a run, columns run, variant, status (done, diverged, failed, missing, stale), folder. Expected
        runs come first, in their order; then the stale ones: in the table, but no longer expected.
    """
    table = _previous_runs(runs_csv)
    rows = []
    for run, entry in expected.items():
        state = ended(entry.folder)
        if run in table and state in (None, "failed"):
            state = _worst(row["status"] for row in table[run])
        rows.append((run, entry.variant, state or "missing", str(entry.folder)))
    rows += [(run, old[0]["variant"], "stale", "") for run, old in table.items() if run not in expected]
    return pd.DataFrame(rows, columns=["run", "variant", "status", "folder"], dtype="str")


def counts(runs: pd.DataFrame) -> dict[str, int]:
    """How many runs of a `status` table are done, diverged, failed, missing and stale; all five keys."""
    found = Counter(runs["status"])
    return {state: found[state] for state in STATES}


def collect(expected: Mapping[str, Expected], into: Path, scale: str, previous: Path | None = None) -> None:
    """Writes runs.csv, curves.csv.gz, layers.csv.gz and, where a run has them, predictions.csv.gz of an experiment.

    Rows of finished runs come from their folders. An expected run without a finished folder keeps the rows it
    has in the earlier tables; so does one whose retry failed. Rows of runs no longer expected are dropped.
    Rows stand in the order of `expected`, then of the seeds, so that the same runs give the same bytes,
    wherever their rows came from.

    Args:
        expected: the experiment's runs by id.
        into: the experiment's folder under results/; made when missing.
        scale: smoke, quick or full; every row's scale, since every expected run belongs to it.
        previous: the folder with the earlier tables; `into` when None.

    Raises:
        UserError: a finished run's file is damaged, or a table cannot be written; earlier ones stay whole.
    """
    previous = into if previous is None else previous
    seen = _Seen.of(expected, into, scale)
    if previous == into and seen.as_before():
        return
    old_runs = _previous_runs(previous / "runs.csv")
    states = {run: ended(entry.folder) for run, entry in expected.items()}
    kept = {run for run, state in states.items() if run in old_runs and state in (None, "failed")}
    fresh = [run for run, state in states.items() if state is not None and run not in kept]
    rows = {run: [dict(row) for row in old_runs[run]] for run in kept}
    rows |= {run: _run_rows(expected[run]) for run in fresh}
    _write_runs(into / "runs.csv", expected, rows, kept, scale)
    for name, columns in SERIES.items():
        old = _previous_series(previous / f"{name}.csv.gz", columns, kept)
        series = (
            (run, old.get(run, []) if run in kept else _run_series(expected[run], name, columns))
            for run in expected
            if run in rows
        )
        lines: Iterable[list[str]] = _labelled(series, expected)
        if name in WHERE_ASKED_FOR and not (lines := list(lines)):
            (into / f"{name}.csv.gz").unlink(missing_ok=True)
            continue
        write_text(into / f"{name}.csv.gz", columns, lines)
    seen.remember()


@dataclass(frozen=True)
class _Seen:
    """What tables were made from, so that the same need not be made again; kept beside them, not published.

    Attributes:
        into: the tables' folder.
        content: hash of the expected runs, their settings, and size and time of every file they come from.
    """

    into: Path
    content: str

    @classmethod
    def of(cls, expected: Mapping[str, Expected], into: Path, scale: str) -> "_Seen":
        """Of what is there now."""
        total = hashlib.sha256(scale.encode())
        for run, entry in expected.items():
            stamps = [_stamp(entry.folder / name) for name in RUN_FILES]
            total.update(repr((run, entry.variant, sorted(entry.settings.items()), stamps)).encode())
        return cls(into, total.hexdigest())

    def as_before(self) -> bool:
        """Whether the tables are as they were left, and made from the same."""
        try:
            return bool(json.loads(self._file.read_text(encoding="utf-8")) == self._state())
        except (OSError, ValueError):
            return False

    def remember(self) -> None:
        """Keep it."""
        write_atomic(self._file, json.dumps(self._state()))

    @property
    def _file(self) -> Path:
        return self.into / ".collected.json"

    def _state(self) -> dict[str, Any]:
        names = ["runs.csv", *(f"{name}.csv.gz" for name in SERIES)]
        return {"content": self.content, "tables": {name: _stamp(self.into / name) for name in names}}


def _stamp(path: Path) -> list[int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _run_rows(entry: Expected) -> list[Row]:
    """The rows of one run as text, without run, variant, scale and settings."""
    summary_file = entry.folder / "summary.json"
    failed = not (entry.folder / "done.json").exists()
    summary = read_json(summary_file) if summary_file.exists() or not failed else {}
    provenance_file = entry.folder / "provenance.json"
    provenance = read_json(provenance_file) if provenance_file.exists() else {}
    commit = str(provenance.get("commit") or "")
    if commit and provenance.get("dirty"):
        commit += "-dirty"
    run_status = "failed" if failed else summary.get("status", "done")
    shared = {name: short(summary.get(name)) for name in TAIL if name != "commit"} | {"commit": commit}
    rows = []
    for seed in summary.get("seeds") or entry.seeds:
        seed_status = run_status if failed else summary.get("statuses", {}).get(str(seed), run_status)
        metrics = summary.get("metrics", {}).get(str(seed), {})
        numbers = {name: short(value) for name, value in metrics.items()}
        rows.append({"seed": str(seed), "status": str(seed_status), **shared, **numbers})
    return rows


def _write_runs(
    path: Path, expected: Mapping[str, Expected], rows: Mapping[str, list[Row]], kept: set[str], scale: str
) -> None:
    settings = {name for entry in expected.values() for name in entry.settings}
    # In the order of first mention, which is the experiment file's.
    ordered = dict.fromkeys(name for entry in expected.values() for name in entry.settings)
    names = [name for name in ordered if name not in HEAD]
    metrics = _metrics(rows, kept, settings)
    columns = [*HEAD, *names, *metrics, *TAIL]
    lines = []
    for run, entry in expected.items():
        labels = {"run": run, "variant": entry.variant, "scale": scale}
        labels |= {name: cell(entry.settings.get(name)) for name in names}
        for row in sorted(rows.get(run, []), key=lambda row: int(row["seed"])):
            full = {**row, **labels}
            lines.append([full.get(name, "") for name in columns])
    write(path, columns, lines)


def _metrics(rows: Mapping[str, list[Row]], kept: set[str], settings: set[str]) -> list[str]:
    """The metric columns, sorted. Earlier tables may hold settings that are no longer swept: those go."""
    fixed = {*HEAD, *TAIL, *settings}
    found = {name for run in rows if run not in kept for row in rows[run] for name in row} - fixed
    old = {name for run in kept for row in rows[run] for name in row} - fixed - found
    for name in old:
        values = {row.get(name, "") for run in kept for row in rows[run]} - {""}
        if "." not in name and values and all(map(is_number, values)):
            found.add(name)
    return sorted(found, key=_metric_order)


def _metric_order(name: str) -> tuple[int, int, str]:
    best = name.startswith("best_")
    splits = ("train", "valid", "test")
    split = name.removeprefix("best_").split("_", 1)[0]
    if split in splits:
        return (int(best), splits.index(split), name)
    return (2, 0, name)


def _run_series(entry: Expected, name: str, columns: Sequence[str]) -> list[list[str]]:
    """One run's curves or layers, seed by seed, with an empty column for the variant."""
    path = entry.folder / f"{name}.csv"
    if not path.exists():
        return []
    lines = whole_lines(path)
    header = next(lines, [])
    wanted = [column for column in columns if column != "variant"]
    if header != wanted:
        raise UserError(
            f"{path} has the columns {','.join(header)} instead of {','.join(wanted)}; "
            "train the run again with force=true"
        )
    floats = [index for index, column in enumerate(wanted) if column in _FLOATS]
    rows = []
    try:
        for line in lines:
            for index in floats:
                line[index] = _nine_digits(line[index])
            line.insert(1, entry.variant)
            if name != "spectrum" or line[SINGLE]:
                rows.append(line)
        rows.sort(key=lambda line: int(line[2]))
    except (ValueError, IndexError) as error:
        raise UserError(f"{path} is damaged ({error}); train the run again with force=true") from error
    return rows


def _nine_digits(text: str) -> str:
    # Whole numbers stay as they are; every other number is rounded once, here.
    return text if text.isdigit() or not text else f"{float(text):.9g}"


def _labelled(series: Iterable[tuple[str, list[list[str]]]], expected: Mapping[str, Expected]) -> Iterator[list[str]]:
    for run, rows in series:
        variant = expected[run].variant
        for row in rows:
            row[0], row[1] = run, variant
            yield row


def _previous_runs(path: Path) -> dict[str, list[Row]]:
    """The rows of an earlier runs.csv by run, as text: what is kept must come out as it went in."""
    if not path.exists():
        return {}
    lines = whole_lines(path)
    header = next(lines, [])
    if header[: len(HEAD)] != list(HEAD):
        raise UserError(f"{path} is no table of runs; remove it and collect again")
    runs: dict[str, list[Row]] = {}
    try:
        for line in lines:
            runs.setdefault(line[0], []).append(dict(zip(header, line, strict=True)))
    except (ValueError, IndexError) as error:
        raise UserError(f"{path} is damaged ({error}); remove it and collect again") from error
    return runs


def _previous_series(path: Path, columns: Sequence[str], kept: set[str]) -> dict[str, list[list[str]]]:
    if not kept or not path.exists():
        return {}
    lines = whole_lines(path)
    if next(lines, []) != list(columns):
        raise UserError(f"{path} has other columns than {','.join(columns)}; remove it and collect again")
    rows: dict[str, list[list[str]]] = {}
    for line in lines:
        if line[0] in kept:
            rows.setdefault(line[0], []).append(line)
    return rows


def _worst(states: Iterable[str]) -> str:
    found = set(states)
    return next((state for state in ("failed", "diverged") if state in found), "done")
