"""Several processes over one results folder: each run is trained once, and tables are never read torn."""

import csv
import errno
import fcntl
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from faulty import check_whole, finish, runs, start

from conftest import TINY
from repro.errors import UserError
from repro.storage.locks import LOCK, locked
from repro.storage.tables import read
from repro.study.collect import Expected, collect

LONG = [*TINY, "trainer.epochs=150", "diagnostics.every=1"]
CONTEXT = multiprocessing.get_context("fork")


def test_identical_jobs_started_at_once_train_once(tmp_path: Path) -> None:
    several = [start(tmp_path, "train", *LONG) for _ in range(3)]
    said = [finish(process) for process in several]
    assert [status for status, _, _ in said] == [0, 0, 0]
    assert sorted("already trained" in out for _, out, _ in said) == [False, True, True]
    (folder,) = runs(tmp_path / "results").values()
    check_whole(folder, LONG, tmp_path / "whole")


def test_identical_jobs_of_one_sweep_train_once(tmp_path: Path) -> None:
    pool = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=3")
    status, out, err = finish(start(tmp_path, "train", "-m", *LONG, "seed=0,0,0", *pool))
    assert (status, out.splitlines()[-1]) == (0, "3 runs: 3 done, 0 diverged, 0 failed"), err
    assert sum(line.startswith("done: ") for line in err.splitlines()) == 1
    assert sum(line.startswith("done before: ") for line in err.splitlines()) == 2


def test_overlapping_sweeps_share_runs(tmp_path: Path) -> None:
    one = start(tmp_path, "train", "-m", *TINY, "seed=range(0,6)")
    other = start(tmp_path, "train", "-m", *TINY, "seed=range(3,9)")
    said = [finish(process) for process in (one, other)]
    assert [status for status, _, _ in said] == [0, 0], said
    trained = [line.partition(": ")[2] for _, _, err in said for line in err.splitlines() if line.startswith("done: ")]
    before = [line for _, _, err in said for line in err.splitlines() if line.startswith("done before: ")]
    assert len(trained) == len(set(trained)) == 9
    assert len(before) == 3
    assert len(runs(tmp_path / "results")) == 9


def test_two_reproductions_of_one_experiment(tmp_path: Path) -> None:
    words = ["reproduce", "linear_backprop/toy", "scale=smoke"]
    said = [finish(process) for process in [start(tmp_path, *words), start(tmp_path, *words)]]
    assert [status for status, _, _ in said] == [0, 0], said
    trained = [line for _, _, err in said for line in err.splitlines() if line.startswith("done: ")]
    assert len(trained) == len(set(trained)) == 6
    tables = tmp_path / "results/linear_backprop/toy/smoke"
    assert len(read(tables / "runs.csv")) == 18
    assert not list(tables.glob(".*.tmp"))


def test_collecting_while_a_run_is_written(tmp_path: Path) -> None:
    """Every line that a collector saw is a whole one, and what it saw of a finished run is all of it."""
    process = start(tmp_path, "train", "-m", *LONG, "seed=range(3)", "trainer.checkpoint_seconds=0", "results_dir=r")
    into, looked, seen = tmp_path / "tables", 0, set()
    while process.poll() is None:
        there = {f.parent.name[-10:]: f.parent for f in (tmp_path / "r").glob("runs/*/*/config.yaml")}
        expected = {run: Expected("base", {}, folder, (0,)) for run, folder in there.items()}
        for folder in there.values():  # what `repro show` and a user's own program would read of an unfinished run
            if (folder / "curves.csv").exists():
                lines = list(csv.reader((folder / "curves.csv").read_text().splitlines(keepends=True)))
                whole = read(folder / "curves.csv")
                assert set(map(len, lines[:-1])) <= {7}
                assert len(whole) >= len(lines) - 2
        collect(expected, into, "full")
        table = read(into / "runs.csv")
        assert set(table["status"]) <= {"done"}
        curves = read(into / "curves.csv.gz")
        assert set(curves["run"]) == set(table["run"])
        assert all(rows["step"].max() == 450 for _, rows in curves.groupby("run"))
        seen.add(len(table))
        looked += 1
    assert finish(process)[0] == 0
    assert looked > 3
    assert min(seen) < 3


class Refusal:
    """A system call that always ends in an error."""

    def __init__(self, code: int) -> None:
        self.code = code

    def __call__(self, *_: object) -> None:
        raise OSError(self.code, os.strerror(self.code))


def hold(folder: Path, held: Any) -> None:
    with locked(folder):
        held.set()
        time.sleep(600)


def check_that_a_killed_owner_lets_go(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = CONTEXT.Event()
    owner = CONTEXT.Process(target=hold, args=(folder, held), daemon=True)
    owner.start()
    assert held.wait(60)
    killer = threading.Thread(target=kill_later, args=(owner,), daemon=True)
    killer.start()
    began = time.monotonic()
    with locked(folder):
        assert time.monotonic() - began > 0.3, "the lock of a living process was taken"
    assert capsys.readouterr().err == f"waiting for another process to finish with {folder}\n"
    killer.join(60)


def kill_later(owner: Any) -> None:
    time.sleep(0.5)
    os.kill(owner.pid, signal.SIGKILL)
    owner.join(60)  # a process that nobody has asked after still counts as one


def test_lock_of_a_killed_owner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_that_a_killed_owner_lets_go(tmp_path, capsys)


def test_lock_on_a_file_system_without_locks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some network file systems answer; a marker with host and process takes the lock's place."""

    monkeypatch.setattr(fcntl, "flock", Refusal(errno.ENOSYS))
    check_that_a_killed_owner_lets_go(tmp_path, capsys)


def test_file_system_that_refuses_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", Refusal(errno.ENOLCK))
    with (
        pytest.raises(UserError, match=rf"cannot lock {tmp_path}: No locks available; choose another folder"),
        locked(tmp_path),
    ):
        pass


def test_half_written_files_of_a_killed_process_go(tmp_path: Path) -> None:
    (tmp_path / ".runs.csv.1234.tmp").write_text("half")
    (tmp_path / "runs.csv").write_text("whole\n")
    with locked(tmp_path):
        assert {f.name for f in tmp_path.iterdir()} == {"runs.csv", LOCK}
