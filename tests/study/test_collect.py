"""Collecting runs: folders win, committed rows are kept, stale ones go, same runs give the same bytes."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro.errors import UserError
from repro.storage.tables import Table, read
from repro.study.collect import Expected, collect, counts, status

FILES = ("runs.csv", "curves.csv.gz", "layers.csv.gz")
CURVES = ("run", "seed", "step", "epoch", "split", "metric", "value")
LAYERS = ("run", "seed", "step", "epoch", "layer", "depth", "quantity", "value")


def make_run(folder: Path, run: str, seeds: tuple[int, ...] = (0, 1), ended: str = "done") -> Path:
    """A run folder as training leaves it; `ended` is done, diverged, failed or unfinished."""
    folder.mkdir(parents=True)
    curves, layers = Table(folder / "curves.csv", CURVES), Table(folder / "layers.csv", LAYERS)
    for step in (0, 10):
        curves.append((run, seed, step, step / 7, "train", "loss", (seed + 1) / 3) for seed in seeds)
        layers.append((run, seed, step, step / 7, "hidden.0", 1, "activation_std", 2 / 3) for seed in seeds)
    if ended == "unfinished":
        return folder
    marker = "failed.json" if ended == "failed" else "done.json"
    (folder / marker).write_text("{}")
    accuracy = {seed: math.nan if ended == "diverged" and seed == seeds[-1] else 0.9 + seed / 30 for seed in seeds}
    summary: dict[str, Any] = {
        "run": run,
        "status": ended,
        "seeds": list(seeds),
        "steps": 10,
        "seconds": 1.23456789012,
        "steps_per_second": 8.1,
        "device": "cpu",
        "metrics": {
            str(seed): {"vanishing_ratio": 1e-3, "best_valid_loss": 0.25, "test_accuracy": accuracy[seed]}
            for seed in seeds
        },
        "statuses": {str(seed): "diverged" if math.isnan(accuracy[seed]) else "done" for seed in seeds},
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "provenance.json").write_text(json.dumps({"commit": "1234567", "dirty": run == "0000000001"}))
    return folder


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, Expected]:
    runs = tmp_path / "runs"
    return {
        "00000000aa": Expected(
            "xavier", {"architecture.depth": 2, "activation": "tanh"}, make_run(runs / "a", "00000000aa")
        ),
        "0000000001": Expected(
            "small",
            {"architecture.depth": 30, "activation": "relu"},
            make_run(runs / "b", "0000000001", (0, 1, 10, 2), "diverged"),
        ),
    }


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def test_rows_come_from_the_folders(tmp_path: Path, expected: dict[str, Expected]) -> None:
    out = tmp_path / "out"
    collect(expected, out, "full")
    runs = read(out / "runs.csv")
    assert list(runs.columns) == [
        *("run", "variant", "seed", "status", "scale", "architecture.depth", "activation"),
        *("test_accuracy", "best_valid_loss", "vanishing_ratio"),
        *("steps", "seconds", "steps_per_second", "device", "commit"),
    ]
    assert runs["run"].tolist() == ["00000000aa"] * 2 + ["0000000001"] * 4
    assert runs["seed"].tolist() == [0, 1, 0, 1, 2, 10]
    assert runs["status"].tolist() == ["done"] * 2 + ["done", "done", "diverged", "done"]
    assert runs["architecture.depth"].tolist() == [2, 2, 30, 30, 30, 30]
    assert runs["test_accuracy"].isna().tolist() == [False] * 4 + [True, False]
    assert runs["commit"].tolist() == ["1234567"] * 2 + ["1234567-dirty"] * 4
    assert set(runs["scale"]) == {"full"}
    curves = read(out / "curves.csv.gz")
    assert list(curves.columns) == ["run", "variant", *CURVES[1:]]
    assert curves["seed"].tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 10, 10]
    assert curves["value"][0] == 0.333333333
    layers = read(out / "layers.csv.gz")
    assert list(layers.columns) == ["run", "variant", *LAYERS[1:]]
    assert layers["variant"].tolist() == ["xavier"] * 4 + ["small"] * 8


def test_twice_the_same_bytes_wherever_the_rows_come_from(tmp_path: Path, expected: dict[str, Expected]) -> None:
    collect(expected, tmp_path / "one", "full")
    first = contents(tmp_path / "one")
    collect(expected, tmp_path / "one", "full")
    assert contents(tmp_path / "one") == first
    shutil.rmtree(expected["00000000aa"].folder)
    collect(expected, tmp_path / "one", "full")
    assert contents(tmp_path / "one") == first
    shutil.rmtree(expected["0000000001"].folder)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    collect(expected, tmp_path / "two", "full")
    assert contents(tmp_path / "two") == first


def test_order_follows_the_mapping(tmp_path: Path, expected: dict[str, Expected]) -> None:
    collect(expected, tmp_path, "full")
    shutil.rmtree(expected["0000000001"].folder)
    turned = dict(reversed(expected.items()))
    collect(turned, tmp_path, "full")
    assert read(tmp_path / "runs.csv")["run"].unique().tolist() == list(turned)
    assert read(tmp_path / "layers.csv.gz")["run"].unique().tolist() == list(turned)


def test_runs_no_longer_expected_are_dropped(tmp_path: Path, expected: dict[str, Expected]) -> None:
    collect(expected, tmp_path, "full")
    del expected["00000000aa"]
    collect(expected, tmp_path, "full")
    assert all(set(read(tmp_path / name)["run"]) == {"0000000001"} for name in FILES)


def test_a_setting_no_longer_swept_loses_its_column(tmp_path: Path, expected: dict[str, Expected]) -> None:
    collect(expected, tmp_path, "full")
    shutil.rmtree(expected["00000000aa"].folder)
    fewer = {run: replace(entry, settings={"trainer.epochs": 3}) for run, entry in expected.items()}
    collect(fewer, tmp_path, "full")
    columns = list(read(tmp_path / "runs.csv").columns)
    assert columns[5:9] == ["trainer.epochs", "test_accuracy", "best_valid_loss", "vanishing_ratio"]


def test_an_unfinished_run_has_no_rows_and_a_torn_line_is_no_row(tmp_path: Path, expected: dict[str, Expected]) -> None:
    expected["cc"] = Expected("xavier", {}, make_run(tmp_path / "runs" / "c", "cc", ended="unfinished"))
    curves = expected["00000000aa"].folder / "curves.csv"
    curves.write_bytes(curves.read_bytes()[:-3])
    collect(expected, tmp_path, "quick")
    assert "cc" not in set(read(tmp_path / "runs.csv")["run"])
    assert (read(tmp_path / "curves.csv.gz")["run"] == "00000000aa").sum() == 3


def test_failed_runs_have_rows_unless_an_earlier_result_stands(tmp_path: Path, expected: dict[str, Expected]) -> None:
    collect(expected, tmp_path, "full")
    first = contents(tmp_path)
    shutil.rmtree(expected["00000000aa"].folder)
    make_run(expected["00000000aa"].folder, "00000000aa", ended="failed")
    collect(expected, tmp_path, "full")
    assert contents(tmp_path) == first
    (tmp_path / "runs.csv").unlink()
    (expected["00000000aa"].folder / "summary.json").unlink()
    expected["00000000aa"] = replace(expected["00000000aa"], seeds=(7, 8))
    collect(expected, tmp_path, "full")
    runs = read(tmp_path / "runs.csv")
    assert runs[runs["status"] == "failed"]["seed"].tolist() == [7, 8]
    assert runs[runs["status"] == "failed"]["test_accuracy"].isna().all()


def test_runs_without_layers_give_an_empty_table(tmp_path: Path, expected: dict[str, Expected]) -> None:
    for entry in expected.values():
        (entry.folder / "layers.csv").unlink()
    collect(expected, tmp_path, "full")
    assert read(tmp_path / "layers.csv.gz").empty
    assert not read(tmp_path / "curves.csv.gz").empty


def test_damaged_runs_are_named_and_nothing_is_replaced(tmp_path: Path, expected: dict[str, Expected]) -> None:
    collect(expected, tmp_path, "full")
    first = contents(tmp_path)
    (expected["00000000aa"].folder / "summary.json").write_text("{")
    with pytest.raises(UserError, match=r"a/summary.json is damaged .*force=true"):
        collect(expected, tmp_path, "full")
    shutil.rmtree(expected["00000000aa"].folder)
    make_run(expected["00000000aa"].folder, "00000000aa")
    (expected["00000000aa"].folder / "layers.csv").write_text("run,step\n")
    with pytest.raises(UserError, match=r"a/layers.csv has the columns run,step instead of .*force=true"):
        collect(expected, tmp_path, "full")
    assert contents(tmp_path)[2] == first[2]


def test_status_counts_every_state(tmp_path: Path, expected: dict[str, Expected]) -> None:
    runs = tmp_path / "runs"
    expected["stale1"] = Expected("old", {}, make_run(runs / "s", "stale1"))
    expected["tabled"] = Expected("small", {}, make_run(runs / "t", "tabled", ended="diverged"))
    collect(expected, tmp_path, "full")
    shutil.rmtree(expected["tabled"].folder)
    del expected["stale1"]
    expected["failed"] = Expected("small", {}, make_run(runs / "f", "failed", ended="failed"))
    expected["begun"] = Expected("small", {}, make_run(runs / "u", "begun", ended="unfinished"))
    expected["never"] = Expected("small", {}, runs / "never")
    found = status(expected, tmp_path / "runs.csv")
    assert dict(zip(found["run"], found["status"], strict=True)) == {
        "00000000aa": "done",
        "0000000001": "diverged",
        "tabled": "diverged",
        "failed": "failed",
        "begun": "missing",
        "never": "missing",
        "stale1": "stale",
    }
    assert counts(found) == {"done": 1, "diverged": 2, "failed": 1, "missing": 2, "stale": 1}
    assert counts(status({}, tmp_path / "nowhere.csv")) == dict.fromkeys(counts(found), 0)
