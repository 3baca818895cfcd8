"""Weights & Biases and MLflow get what the tables hold, offline, also of runs that were interrupted."""

import csv
import math
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Said, interrupt_at
from repro.config.compose import compose
from repro.config.run import resolve
from repro.training.run import Interrupted, train

Curves = dict[str, list[tuple[int, float]]]
# What these packages warn of in themselves.
pytestmark = pytest.mark.filterwarnings("ignore")


def of_tables(folder: Path) -> Curves:
    found: Curves = {}
    for table, names in (("curves", ("split", "metric")), ("layers", ("quantity", "layer"))):
        with (folder / f"{table}.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                name = "/".join(row[key] for key in names)
                if not name.startswith("histogram_"):
                    found.setdefault(name, []).append((int(row["step"]), float(row["value"])))
    return found


def of_mlflow(folder: Path) -> Curves:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{(folder.parents[2] / 'mlflow/mlflow.db').absolute()}")
    (run,) = client.search_runs([client.get_experiment_by_name("repro").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["choices.activation"] == "tanh"
    assert run.info.run_name == folder.name
    return {
        name: sorted((one.step, one.value) for one in client.get_metric_history(run.info.run_id, name))
        for name in run.data.metrics
    }


def records(file: Path) -> Iterator[bytes]:
    """W&B's file is a log as LevelDB's: behind a head of 7 bytes, parts of records with checksum, length and kind."""
    data, block, at, parts = file.read_bytes(), 1 << 15, 7, b""
    while at + 7 <= len(data):
        if block - at % block < 7:  # no room for the head of a part
            at += block - at % block
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        parts, at = parts + data[at + 7 : at + 7 + length], at + 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def of_wandb(folder: Path) -> Curves:
    from wandb.proto import wandb_internal_pb2

    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    found: Curves = {}
    for data in records(file):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        items = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
        for name, value in items.items():
            if name != "step" and not name.startswith("_"):
                found.setdefault(name, []).append((int(items["step"]), float(value.strip('"'))))
    return found


READERS: dict[str, Callable[[Path], Curves]] = {"mlflow": of_mlflow, "wandb": of_wandb}


@pytest.fixture(params=list(READERS))
def tracker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    pytest.importorskip(name, reason=f"the extra [{name}] is not installed")
    monkeypatch.setenv("WANDB_SILENT", "true")
    return name


def same(one: Curves, other: Curves) -> None:
    assert one.keys() == other.keys()
    for name, points in one.items():
        assert [step for step, _ in points] == [step for step, _ in other[name]], name
        for (_, a), (_, b) in zip(points, other[name], strict=True):
            assert a == pytest.approx(b, rel=1e-6) or (math.isnan(a) and math.isnan(b)), name


def test_a_run_is_there_as_in_its_tables(tracker: str, tiny: tuple[str, ...], tmp_path: Path) -> None:
    words = [*tiny, f"results_dir={tmp_path}", f"{tracker}=offline", "trainer.epochs=3"]
    outcome = train(resolve(compose(words)))
    same(READERS[tracker](outcome.folder), of_tables(outcome.folder))
    assert resolve(compose(words)).id == resolve(compose([w for w in words if tracker not in w])).id


def test_an_interrupted_run_is_there_once(
    tracker: str, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = resolve(compose([*tiny, f"results_dir={tmp_path}", f"{tracker}=offline", "trainer.epochs=4"]))
    interrupt_at(monkeypatch, 5, signal.SIGTERM)
    with pytest.raises(Interrupted):
        train(run)
    monkeypatch.undo()
    outcome = train(run)
    same(READERS[tracker](outcome.folder), of_tables(outcome.folder))


@pytest.mark.parametrize("name", READERS)
def test_mistakes(name: str, tiny: tuple[str, ...], cli: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"take {name}=offline" in cli("train", *tiny, f"{name}=yes").mistake
    modules: dict[str, Any] = {name: None}
    monkeypatch.setitem(sys.modules, name, modules[name])
    assert f"pip install -c constraints.txt -e '.[{name}]'" in cli("train", *tiny, f"{name}=offline").mistake
