"""What TensorBoard reads is what the tables hold, also of runs that were interrupted."""

import csv
import errno
import math
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import Said, interrupt_at
from repro.config.compose import compose
from repro.config.run import Run, resolve
from repro.errors import UserError
from repro.storage import tensorboard as events
from repro.storage.tables import Table
from repro.storage.tensorboard import Events
from repro.training.run import Interrupted, train

Curves = dict[str, list[tuple[int, np.float32]]]


@pytest.fixture
def installed() -> None:
    pytest.importorskip("tensorboard", reason="the extra [tensorboard] is not installed")


@pytest.fixture
def run(tmp_path: Path, tiny: tuple[str, ...], installed: None) -> Callable[..., Run]:
    """A tiny run with tensorboard=true, changed by further words."""
    del installed

    def resolved(*words: str) -> Run:
        return resolve(compose([*tiny, f"results_dir={tmp_path / 'results'}", "tensorboard=true", *words]))

    return resolved


def read(folder: Path) -> Curves:
    """Every scalar that TensorBoard finds, in its order, by tag; nothing is dropped for being there twice."""
    from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={SCALARS: 0}, purge_orphaned_data=False).Reload()
    return {tag: [(one.step, np.float32(one.value)) for one in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def curves(path: Path, names: list[str], seed: int) -> Curves:
    """The same from a table."""
    found: Curves = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            tag = "/".join(row[name] for name in names)
            if int(row["seed"]) == seed and not tag.startswith("histogram_"):
                with np.errstate(over="ignore"):  # beyond float32 a value is infinite
                    found.setdefault(tag, []).append((int(row["step"]), np.float32(float(row["value"]))))
    return found


def check(folder: Path, *seeds: int) -> None:
    """That curves and layers are those of the tables, in every bit of a float32."""
    for table, names in (("curves", ["split", "metric"]), ("layers", ["quantity", "layer"])):
        for seed in seeds:
            where = folder / "tensorboard" / table
            found = read(where / f"seed{seed}" if len(seeds) > 1 else where)
            expected = curves(folder / f"{table}.csv", names, seed)
            assert found.keys() == expected.keys()
            for tag, values in expected.items():
                assert [step for step, _ in found[tag]] == [step for step, _ in values], tag
                np.testing.assert_array_equal([v for _, v in found[tag]], [v for _, v in values], err_msg=tag)


def test_scalars_are_those_of_the_tables(run: Callable[..., Run]) -> None:
    folder = train(run("trainer.epochs=3", "diagnostics.every=2")).folder
    check(folder, 0)
    found = read(folder / "tensorboard/curves")
    assert {"train/loss", "valid/loss", "test/accuracy"} <= found.keys()
    assert [step for step, _ in found["test/loss"]] == [0, 3, 6, 9]
    assert {"gradient_norm/hidden.0", "update_ratio/output"} <= read(folder / "tensorboard/layers").keys()


def test_each_of_several_seeds_is_a_curve_of_its_own(run: Callable[..., Run]) -> None:
    folder = train(run("replicas=3", "seed=4")).folder
    check(folder, 4, 5, 6)
    one, other = (read(folder / f"tensorboard/curves/seed{seed}")["test/loss"] for seed in (4, 5))
    assert one != other


@pytest.mark.usefixtures("installed")
def test_values_that_are_no_numbers(tmp_path: Path) -> None:
    table = Table(tmp_path / "curves.csv", ("seed", "step", "metric", "value"))
    log = Events(tmp_path / "tensorboard", table, ("metric",), [0])
    values = [math.nan, math.inf, -math.inf, 1e300, 1e-320, -0.0, 2**60 + 1]
    for one in (table, log):
        one.truncate_after(-1)
        one.append([(0, step, "loss", value) for step, value in enumerate(values)])
    for _ in range(2):  # as they were given, and as they are read from the table
        expected = curves(table.path, ["metric"], 0)["loss"]
        found = read(tmp_path / "tensorboard")["loss"]
        np.testing.assert_array_equal([v for _, v in found], [v for _, v in expected])
        assert len(found) == len(values)
        log.truncate_after(len(values))


def stopped(run: Run, step: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    with monkeypatch.context() as patch:
        interrupt_at(patch, step, signal.SIGTERM)
        with pytest.raises(Interrupted):
            train(run)
    return run.folder


@pytest.mark.parametrize("words", [(), ("replicas=2",)])
def test_no_step_is_there_twice_after_resuming(
    words: tuple[str, ...], run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = run("trainer.steps=9", "diagnostics.every=1", "trainer.checkpoint_seconds=1000", *words)
    folder = stopped(one, 4, monkeypatch)
    # A killed process may have got further than its checkpoint, and may have died in the middle of a record.
    files = sorted((folder / "tensorboard").rglob("events.*"))
    assert len(files) == 2 * len(one.seeds)
    for file in files:
        whole = file.read_bytes()
        file.write_bytes(whole + whole[len(whole) // 2 :] + whole[:7])
        file.with_name(f".{file.name}.1a2b.tmp").write_bytes(whole)  # killed while it replaced the file
    assert train(one).trained
    assert sorted((folder / "tensorboard").rglob("*events*")) == files
    check(folder, *one.seeds)


def test_a_run_that_began_without_it_has_all_of_its_curves(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stopped(run("trainer.steps=9", "tensorboard=false"), 4, monkeypatch)
    assert not (folder / "tensorboard").exists()
    train(run("trainer.steps=9"))
    check(folder, 0)


def test_force_begins_anew_and_leaves_nothing(run: Callable[..., Run]) -> None:
    folder = train(run()).folder
    left = folder / "tensorboard/curves/events.out.tfevents.9"
    left.write_bytes((folder / "tensorboard/curves" / events.FILE).read_bytes())
    assert train(run("force=true")).trained
    assert not left.exists()
    check(folder, 0)
    train(run("force=true", "tensorboard=false"))
    assert not (folder / "tensorboard").exists()


def test_tables_do_not_depend_on_it(run: Callable[..., Run], tmp_path: Path) -> None:
    one, other = run(), run("tensorboard=false", f"results_dir={tmp_path / 'other'}")
    assert one.id == other.id
    for table in ("curves.csv", "layers.csv"):
        assert (train(one).folder / table).read_bytes() == (train(other).folder / table).read_bytes()
    assert not (other.folder / "tensorboard").exists()


@pytest.mark.usefixtures("installed")
def test_a_full_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(tmp_path / "curves.csv", ("seed", "step", "metric", "value"))
    log = Events(tmp_path / "tensorboard", table, ("metric",), [0])
    log.truncate_after(-1)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("repro.storage.files.os.write", full)
        with pytest.raises(UserError, match=r"no space left to write .*tensorboard"):
            log.append([(0, 1, "loss", 0.5)])
    log.append([(0, 2, "loss", 0.25)])
    assert read(tmp_path / "tensorboard") == {"loss": [(2, np.float32(0.25))]}


@pytest.mark.usefixtures("installed")
def test_tensorboard_drops_what_it_has_read_before(tmp_path: Path) -> None:
    """One that is open while a run is taken up reads the new file after the old one."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    table = Table(tmp_path / "curves.csv", ("seed", "step", "metric", "value"))
    rows = [(0, step, "loss", step / 8) for step in range(5)]
    table.append(rows)
    log = Events(tmp_path / "tensorboard", table, ("metric",), [0])
    log.truncate_after(4)
    old = (tmp_path / "tensorboard" / events.FILE).read_bytes()
    log.truncate_after(2)
    (tmp_path / "tensorboard/events.out.tfevents.00").write_bytes(old)  # sorts after the new one: read it first
    (tmp_path / "tensorboard" / events.FILE).rename(tmp_path / "tensorboard/events.out.tfevents.01")
    found = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [one.step for one in found.Scalars("loss")] == [0, 1, 2]


def test_without_the_package_nothing_is_done(
    cli: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # importing it fails
    says = cli("train", "dataset=mnist", "data_dir=nowhere", "tensorboard=true").mistake
    assert says.startswith("tensorboard=true needs the extra: pip install -c constraints.txt -e '.[tensorboard]'")
    assert list(tmp_path.iterdir()) == []
