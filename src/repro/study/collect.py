"""Gathers the runs of an experiment into its committed tables, and says which runs are there."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from repro.bars import tracked
from repro.errors import UserError
from repro.storage.files import csv_line, read_json
from repro.storage.metrics import SPLITS
from repro.storage.run_files import read_summary
from repro.storage.schema import FLOATS, HEAD, SERIES, TAIL, WHERE_ASKED_FOR, collected
from repro.storage.tables import cell, is_number, short, whole_lines, write
from repro.study import table_parts
from repro.study.collect_cache import Memory, Seen, content_of, now, stamp, stamp_of

TABLES = ("runs.csv", *(f"{name}.csv.gz" for name in SERIES))
# What tables are made from.
INPUTS = ("input_0", "input_1")
RUN_FILES = ("done.json", "failed.json", "summary.json", "provenance.json", *(f"{name}.csv" for name in SERIES))
# A spectrum's rows with an index are single eigenvalues; the others are in the curves as well.
SINGLE = collected("spectrum").index("index")
# What is written of each run beside the published tables; machine, times and arguments stay with the raw run.
PROVENANCE = ("commit", "dirty", "versions", "device", "threads", "kernels")
STATES = ("done", "diverged", "failed", "missing", "stale")

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
        return str(read_summary(folder, whole=False).get("status", "done"))
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
    number = Counter(runs["status"])
    return {state: number[state] for state in STATES}


def collect(expected: Mapping[str, Expected], into: Path, scale: str) -> dict[str, dict[str, Any]]:
    """Writes runs.csv, curves.csv.gz, layers.csv.gz and, where a run has them, the other `SERIES` of an experiment.

    Rows of finished runs come from their folders. An expected run without a finished folder keeps the rows it
    has in the earlier tables; so does one whose retry failed. Rows of runs no longer expected are dropped.
    Rows stand in the order of `expected`, then of the seeds, so that the same runs give the same bytes,
    wherever their rows came from. Only runs whose files have changed since the last time are read.
    One process at a time: the caller holds the lock of `into` (`repro.storage.locks`).

    Args:
        expected: the experiment's runs by id.
        into: the experiment's folder under results/, with the earlier tables if any; made when missing.
        scale: smoke, quick or full; every row's scale, since every expected run belongs to it.

    Returns:
        How the runs came about that say so in their folders: of each its provenance, `PROVENANCE` only.

    Raises:
        UserError: a finished run's file is damaged, or a table cannot be written; earlier ones stay whole.
    """
    memory = Memory.read(into)
    began = now()
    stamps = {run: stamp_of(e.folder, RUN_FILES, began, e.seeds) for run, e in expected.items()}
    content = content_of(scale, ((run, e.variant, e.settings, stamps[run]) for run, e in expected.items()))
    if content and content == memory.content and all(memory.left(into / name) for name in TABLES):
        return _provenances(memory.runs)
    gathering = _Gathering(expected, into, memory, stamps)
    _write_runs(into / "runs.csv", expected, gathering.rows, gathering.kept, scale)
    consists = {name: gathering.write(name) for name in SERIES}
    runs = {run: seen for run, seen in gathering.seen.items() if seen.stamp}
    Memory(content, runs, {name: stamp(into / name) for name in TABLES}, consists).write(into)
    return _provenances(gathering.seen)


def _provenances(seen: Mapping[str, Seen]) -> dict[str, dict[str, Any]]:
    return {run: one.provenance for run, one in seen.items() if one.provenance is not None}


class _Gathering:
    """What becomes of each run: read again, taken from what was seen before, or from the earlier tables.

    Attributes:
        seen: every run, as it is now.
        kept: those whose rows come from the earlier tables.
        rows: their rows of runs.csv, without labels.
    """

    def __init__(self, expected: Mapping[str, Expected], into: Path, memory: Memory, stamps: Mapping[str, str]) -> None:
        self._expected = expected
        self._into = into
        self._memory = memory
        known = {run: seen for run, seen in memory.runs.items() if stamps.get(run) == seen.stamp}
        states = {run: known[run].state if run in known else ended(e.folder) for run, e in expected.items()}
        lacking = [run for run, state in states.items() if state in (None, "failed")]
        old = {}
        if lacking or not memory.left(into / "runs.csv"):
            old = _previous_runs(into / "runs.csv")
        self.kept = {run for run in lacking if run in old}
        # What was kept from a table the last time says nothing of the files in the folder.
        self._unchanged = {run for run in known if run not in self.kept and known[run].rows is not None}
        self.seen: dict[str, Seen] = {}
        for run, entry in tracked(expected.items(), "reading", "run", len(expected)):
            fresh = run not in self.kept and states[run] is not None
            remembered = run in known and fresh == (known[run].rows is not None)
            self.seen[run] = known[run] if remembered else _look(entry, stamps[run], states[run], fresh)
        self.rows: dict[str, list[Row]] = {run: [dict(row) for row in old[run]] for run in self.kept}
        self.rows |= {run: seen.rows for run, seen in self.seen.items() if seen.rows is not None}

    def write(self, name: str) -> list[Any]:
        """Write one of the long tables; returns what the next collecting needs to know of it."""
        path = self._into / f"{name}.csv.gz"
        labels = [
            [(run, self._expected[run].variant) for run in part if run in self.rows]
            for part in table_parts.parted(list(self._expected))
        ]
        before = table_parts.Before()
        if self._memory.left(path):
            before = table_parts.Before(path, self._memory.parts[name])
        series = _Series(path, collected(name), self.kept, self._expected)
        unchanged = self.kept | self._unchanged
        return table_parts.write(
            path,
            collected(name),
            labels,
            before,
            unchanged.__contains__,
            series.text,
            needed=name not in WHERE_ASKED_FOR,
        )


class _Series:
    """The lines of single runs in a long table, made from their folders, or from the earlier table."""

    def __init__(
        self, path: Path, columns: Sequence[str], kept: Collection[str], expected: Mapping[str, Expected]
    ) -> None:
        self._path = path
        self._columns = columns
        self._kept = kept
        self._expected = expected

    @cached_property
    def _old(self) -> dict[str, list[list[str]]]:
        return _previous_series(self._path, self._columns, self._kept)

    def text(self, run: str) -> str:
        """A run's lines with their line ends."""
        entry = self._expected[run]
        name = self._path.name.partition(".")[0]
        rows = self._old.get(run, []) if run in self._kept else _run_series(entry, name, self._columns)
        for row in rows:
            row[0], row[1] = run, entry.variant
        return "".join(map(csv_line, rows))


def _look(entry: Expected, files: str, state: str | None, fresh: bool) -> Seen:
    """Read a run; its rows only where they are wanted."""
    path = entry.folder / "provenance.json"
    provenance = read_json(path) if path.exists() else None
    rows = _run_rows(entry, provenance or {}) if fresh else None
    return Seen(files, state, rows, provenance and {k: v for k, v in provenance.items() if k in PROVENANCE})


def _run_rows(entry: Expected, provenance: Mapping[str, Any]) -> list[Row]:
    """The rows of one run as text, without run, variant, scale and settings."""
    summary_file = entry.folder / "summary.json"
    failed = not (entry.folder / "done.json").exists()
    summary = read_summary(entry.folder, whole=False) if summary_file.exists() or not failed else {}
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
    names = {name for run in rows if run not in kept for row in rows[run] for name in row} - fixed
    old = {name for run in kept for row in rows[run] for name in row} - fixed - names
    for name in old:
        values = {row.get(name, "") for run in kept for row in rows[run]} - {""}
        if "." not in name and values and all(map(is_number, values)):
            names.add(name)
    return sorted(names, key=_metric_order)


def _metric_order(name: str) -> tuple[int, int, str]:
    best = name.startswith("best_")
    split = name.removeprefix("best_").split("_", 1)[0]
    if split in SPLITS:
        return (int(best), SPLITS.index(split), name)
    return (2, 0, name)


def _without_names(header: list[str], lines: Iterator[list[str]], wanted: Sequence[str]) -> Iterator[list[str]]:
    """Predictions for a table of one's own as those for any data set; its inputs stay with the run."""
    places = [
        header.index("row" if column == "sample" else column) if column not in INPUTS else -1 for column in wanted
    ]
    for line in lines:
        yield [line[place] if place >= 0 else "" for place in places]


def _run_series(entry: Expected, name: str, columns: Sequence[str]) -> list[list[str]]:
    """One run's curves or layers, seed by seed, with an empty column for the variant."""
    path = entry.folder / f"{name}.csv"
    if not path.exists():
        return []
    lines = whole_lines(path)
    header = next(lines, [])
    wanted = [column for column in columns if column != "variant"]
    if name == "predictions" and "row" in header:  # of a table with names of its own
        lines, header = _without_names(header, lines, wanted), wanted
    if header != wanted:
        raise UserError(
            f"{path} has the columns {','.join(header)} instead of {','.join(wanted)}; "
            "train the run again with force=true"
        )
    floats = [index for index, column in enumerate(wanted) if column in FLOATS]
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


def _previous_series(path: Path, columns: Sequence[str], kept: Collection[str]) -> dict[str, list[list[str]]]:
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
    seen = set(states)
    return next((state for state in ("failed", "diverged") if state in seen), "done")
