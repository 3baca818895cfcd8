"""Collecting again: what is unchanged is not read, and the tables are those of collecting from nothing."""

import gzip
import json
import os
import random
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro.storage.cache import FILE
from repro.storage.locks import locked
from repro.storage.tables import Table, read
from repro.study import collect as module
from repro.study import collect_cache, table_parts
from repro.study.collect import TABLES, Expected, collect
from repro.study.collect_cache import Memory
from repro.study.table_parts import Before

CURVES = ("run", "seed", "step", "epoch", "split", "metric", "value")
LAYERS = ("run", "seed", "step", "epoch", "layer", "depth", "quantity", "value")
PREDICTIONS = ("run", "seed", "step", "split", "sample", "input_0", "input_1", "target", "predicted")


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of the test's own; files it has just written count as old, and tables of five runs as long."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(collect_cache, "SETTLED", -(10**18))
    monkeypatch.setattr(table_parts, "WHOLE", 4)
    monkeypatch.setattr(table_parts, "RUNS", 3)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file below a run's folder that collecting has read."""
    found: list[Path] = []

    def watched(name: str) -> Callable[[Path], Any]:
        real = getattr(module, name)

        def reader(path: Path) -> Any:
            if "runs" in path.parts:
                found.append(path)
            return real(path)

        return reader

    for name in ("whole_lines", "read_json"):
        monkeypatch.setattr(module, name, watched(name))
    return found


def train(folder: Path, run: str, rng: random.Random, state: str = "done") -> None:
    """A run's folder as training leaves it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    seeds = (0, 1)
    Table(folder / "curves.csv", CURVES).append(
        (run, seed, step, step / 7, "test", "loss", rng.random()) for seed in seeds for step in (0, 10)
    )
    if rng.random() < 0.7:
        Table(folder / "layers.csv", LAYERS).append(
            (run, seed, 0, 0.0, "hidden.0", 1, "activation_std", rng.random()) for seed in seeds
        )
    if rng.random() < 0.2:
        Table(folder / "predictions.csv", PREDICTIONS).append([(run, 0, 9, "test", 0, 0.5, 0.5, 1, rng.random())])
    if state == "unfinished":
        return
    (folder / "provenance.json").write_text(json.dumps({"commit": rng.choice("abc"), "argv": [run]}))
    if state != "failed" or rng.random() < 0.5:
        metrics = {str(seed): {"test_loss": rng.random(), "odd": None} for seed in seeds}
        metrics["1"] |= {} if rng.random() < 0.5 else {"best_test_loss": rng.random()}
        summary = {"run": run, "status": state, "seeds": seeds, "steps": 10, "device": "cpu", "metrics": metrics}
        (folder / "summary.json").write_text(json.dumps(summary))
    (folder / ("failed.json" if state == "failed" else "done.json")).write_text("{}")


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, Expected]:
    rng = random.Random(0)
    found = {}
    for i in range(11):
        run, folder = f"{i:010x}", tmp_path / f"runs/net-{i}"
        train(folder, run, rng)
        found[run] = Expected("even" if i % 2 == 0 else "odd", {"optimizer.lr": i}, folder, (0, 1))
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TABLES if (folder / name).exists()}


def cache_file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "repro" / FILE


def from_nothing(expected: dict[str, Expected], into: Path, earlier: Path | None = None) -> dict[str, bytes]:
    """The tables made without a memory, of the earlier ones if there are any."""
    shutil.rmtree(into, ignore_errors=True)
    if earlier is not None:
        shutil.copytree(earlier, into)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(into / "cache"))
        collect(expected, into, "full")
    return contents(into)


def test_nothing_is_read_twice(tmp_path: Path, expected: dict[str, Expected], opened: list[Path]) -> None:
    first = collect(expected, tmp_path / "out", "full")
    made = contents(tmp_path / "out")
    assert {path.parent for path in opened} == {entry.folder for entry in expected.values()}
    opened.clear()
    assert collect(expected, tmp_path / "out", "full") == first
    assert opened == []
    assert contents(tmp_path / "out") == made


@pytest.mark.parametrize("which", [[0], [3], [10], [0, 5, 6]])
def test_only_what_changed_is_read(
    tmp_path: Path, expected: dict[str, Expected], opened: list[Path], which: list[int]
) -> None:
    collect(expected, tmp_path / "out", "full")
    opened.clear()
    changed = [list(expected)[i] for i in which]
    for run in changed:
        train(expected[run].folder, run, random.Random(f"again {run}"))
    told = collect(expected, tmp_path / "out", "full")
    assert {path.parent for path in opened} == {expected[run].folder for run in changed}
    assert told.keys() == expected.keys()
    opened.clear()
    made = contents(tmp_path / "out")
    collect(expected, tmp_path / "out", "full")
    assert opened == []
    assert made == from_nothing(expected, tmp_path / "other")


def test_other_settings_and_variants_need_no_reading(
    tmp_path: Path, expected: dict[str, Expected], opened: list[Path]
) -> None:
    collect(expected, tmp_path / "out", "full")
    opened.clear()
    swept = {run: replace(entry, settings={"trainer.epochs": 3}) for run, entry in expected.items()}
    collect(swept, tmp_path / "out", "full")
    assert opened == []
    assert contents(tmp_path / "out") == from_nothing(swept, tmp_path / "other")
    renamed = {run: replace(entry, variant='all, in "one"') for run, entry in expected.items()}
    collect(renamed, tmp_path / "out", "full")
    assert contents(tmp_path / "out") == from_nothing(renamed, tmp_path / "other")


def disturb(expected: dict[str, Expected], out: Path, spare: dict[str, Expected], rng: random.Random) -> None:
    """Something that happens to a study between two collectings."""
    run = rng.choice(list(expected))
    folder = expected[run].folder
    what = rng.randrange(9)
    if what <= 2:
        train(folder, run, rng, ("done", "failed", "unfinished")[what])
    elif what == 3:
        shutil.rmtree(folder, ignore_errors=True)
    elif what == 4 and len(expected) > 3:
        spare[run] = expected.pop(run)
    elif what == 5 and spare:
        run, entry = spare.popitem()
        items = list(expected.items())
        items.insert(rng.randrange(len(items)), (run, entry))
        expected.clear()
        expected.update(items)
    elif what == 6:
        expected[run] = replace(expected[run], variant=rng.choice(("even", "odd", "other")))
    elif what == 7:
        lost = [*(out / name for name in ("runs.csv", "layers.csv.gz", "predictions.csv.gz")), cache_file(out.parent)]
        rng.choice(lost).unlink(missing_ok=True)
    elif (folder / "curves.csv").exists():
        Table(folder / "curves.csv", CURVES).append([(run, 1, 20, 3.0, "test", "loss", rng.random())])


@pytest.mark.parametrize("seed", range(5))
def test_with_a_memory_and_without_are_the_same(tmp_path: Path, expected: dict[str, Expected], seed: int) -> None:
    rng, out, spare = random.Random(seed), tmp_path / "out", dict[str, Expected]()
    for _ in range(20):
        told = collect(expected, out, "full")
        shutil.rmtree(tmp_path / "earlier", ignore_errors=True)
        disturb(expected, out, spare, rng)
        shutil.copytree(out, tmp_path / "earlier", ignore=shutil.ignore_patterns(".*"))
        without = from_nothing(expected, tmp_path / "twin", tmp_path / "earlier")
        told = collect(expected, out, "full")
        assert contents(out) == without
        assert told == collect(expected, tmp_path / "twin", "full")


def test_what_was_kept_from_a_table_is_not_taken_for_the_folder_s(
    tmp_path: Path, expected: dict[str, Expected]
) -> None:
    collect(expected, tmp_path / "out", "full")
    run = list(expected)[4]
    train(expected[run].folder, run, random.Random("again"), "failed")
    collect(expected, tmp_path / "out", "full")  # the retry failed: the earlier rows stay
    assert "failed" not in set(read(tmp_path / "out/runs.csv")["status"])
    (tmp_path / "out/runs.csv").unlink()
    collect(expected, tmp_path / "out", "full")
    assert contents(tmp_path / "out") == from_nothing(expected, tmp_path / "other")


def test_a_part_that_comes_to_stand_first_gets_the_header(tmp_path: Path, expected: dict[str, Expected]) -> None:
    collect(expected, tmp_path / "out", "full")
    fewer = dict(list(expected.items())[3:])
    collect(fewer, tmp_path / "out", "full")
    assert contents(tmp_path / "out") == from_nothing(fewer, tmp_path / "other")
    collect(expected, tmp_path / "out", "full")
    assert contents(tmp_path / "out") == from_nothing(expected, tmp_path / "other")


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "another file": lambda _: b"{}" * 4000,
    "torn": lambda data: data[: len(data) // 2],
    "no JSON": lambda data: data.replace(b'{"content"', b'{"content:', 1),
    "a changed cell": lambda data: data.replace(b'"odd": ""', b'"odd":"1"', 1),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_memory_is_thrown_away(
    tmp_path: Path, expected: dict[str, Expected], opened: list[Path], damage: Callable[[bytes], bytes]
) -> None:
    collect(expected, tmp_path / "out", "full")
    made, file = contents(tmp_path / "out"), cache_file(tmp_path)
    damaged = damage(file.read_bytes())
    assert damaged != file.read_bytes()
    file.write_bytes(damaged)
    opened.clear()
    collect(expected, tmp_path / "out", "full")
    assert {path.parent for path in opened} == {entry.folder for entry in expected.values()}
    assert contents(tmp_path / "out") == made
    assert Memory.read(tmp_path / "out").runs.keys() == expected.keys()


def test_the_memory_of_other_code_is_thrown_away(
    tmp_path: Path, expected: dict[str, Expected], monkeypatch: pytest.MonkeyPatch
) -> None:
    collect(expected, tmp_path, "full")
    assert Memory.read(tmp_path).runs
    monkeypatch.setattr(collect_cache, "_code", lambda: "other")
    assert not Memory.read(tmp_path).runs


def test_a_change_that_hides_its_time_is_noticed(tmp_path: Path, expected: dict[str, Expected]) -> None:
    collect(expected, tmp_path, "full")
    path = next(iter(expected.values())).folder / "summary.json"
    before = path.stat()
    path.write_text(path.read_text().replace('"steps": 10', '"steps": 11'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    collect(expected, tmp_path, "full")
    assert read(tmp_path / "runs.csv")["steps"].tolist()[:3] == [11, 11, 10]


def test_young_files_are_not_trusted(
    tmp_path: Path, expected: dict[str, Expected], opened: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect_cache, "SETTLED", 10**18)
    collect(expected, tmp_path, "full")
    assert not Memory.read(tmp_path).runs
    opened.clear()
    collect(expected, tmp_path, "full")
    assert {path.parent for path in opened} == {entry.folder for entry in expected.values()}


def test_a_run_written_while_it_is_read_is_read_again(
    tmp_path: Path, expected: dict[str, Expected], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, entry = next(iter(expected.items()))
    real = module._run_series

    def then_written(own: Expected, name: str, columns: Any) -> Any:
        found = real(own, name, columns)
        if own.folder == entry.folder and name == "curves":
            Table(entry.folder / "curves.csv", CURVES).append([(run, 1, 20, 3.0, "test", "loss", 0.125)])
        return found

    monkeypatch.setattr(module, "_run_series", then_written)
    collect(expected, tmp_path, "full")
    monkeypatch.undo()
    monkeypatch.setattr(collect_cache, "SETTLED", -(10**18))
    collect(expected, tmp_path, "full")
    assert 0.125 in read(tmp_path / "curves.csv.gz")["value"].tolist()


def test_two_take_turns(tmp_path: Path, expected: dict[str, Expected]) -> None:
    def collect_in_turn() -> None:
        with locked(tmp_path / "out"):
            collect(expected, tmp_path / "out", "full")

    others = [threading.Thread(target=collect_in_turn) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert contents(tmp_path / "out") == from_nothing(expected, tmp_path / "other")
    assert Memory.read(tmp_path / "out").runs.keys() == expected.keys()


def test_parts_are_one_table(tmp_path: Path, expected: dict[str, Expected]) -> None:
    collect(expected, tmp_path, "full")
    packed = (tmp_path / "curves.csv.gz").read_bytes()
    assert len(list(table_parts.parted(list(expected)))) == 4
    assert packed.count(b"\x1f\x8b\x08\x00\x00\x00\x00\x00") == 4
    rows = read(tmp_path / "curves.csv.gz")
    assert rows["run"].unique().tolist() == list(expected)
    assert len(rows) == 4 * len(expected)
    # A study of few runs has one part, whose bytes are those of one compression.
    few = dict(list(expected.items())[:4])
    collect(few, tmp_path / "few", "full")
    text = gzip.decompress((tmp_path / "few/curves.csv.gz").read_bytes()).decode()
    assert (tmp_path / "few/curves.csv.gz").read_bytes() == table_parts.compressed(text.splitlines(keepends=True))


def test_a_damaged_part_is_no_text(tmp_path: Path, expected: dict[str, Expected]) -> None:
    collect(expected, tmp_path, "full")
    path, kept = tmp_path / "curves.csv.gz", Memory.read(tmp_path).parts["curves"]
    labels = [(run, entry.variant) for run, entry in expected.items()]
    whole = Before(path, kept)
    assert all((whole.text(label) or "").startswith(f"{label[0]},") for label in labels)
    assert whole.text((labels[0][0], "other")) is None
    data = bytearray(path.read_bytes())
    data[30] ^= 255
    path.write_bytes(data)
    damaged = Before(path, kept)
    assert [damaged.text(label) is None for label in labels] == [True] * 3 + [False] * 8
