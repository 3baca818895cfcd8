"""Disks that are full or read-only, files that are damaged, clocks that jump: said in a line, and then gone on from."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from faulty import check_whole, finish, runs, start

from conftest import TINY, Said, interrupt_at

SWEEP = ["train", "-m", *TINY, "seed=range(6)", "trainer.epochs=40", "trainer.checkpoint_seconds=0"]
SINGLE = [*TINY, "trainer.steps=9", "trainer.checkpoint_seconds=0"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, text=True, timeout=240
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True, timeout=240)


def test_full_disk_in_the_middle_of_a_sweep(disk: Path, tmp_path: Path) -> None:
    words = [*SWEEP, f"results_dir={disk}"]
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(1_800_000))
    status, out, err = finish(start(tmp_path, *words))
    assert status in (1, 2)  # 2 where not even a job's end could be noted, and the sweep stopped
    assert "space left" in err
    assert "free" in err
    there = runs(disk)
    assert 0 < len(there) < 6, "the disk is too large or too small to say anything"
    before = {name: (folder / "summary.json").stat().st_mtime_ns for name, folder in there.items()}
    ballast.unlink()
    status, out, err = finish(start(tmp_path, *words))
    assert (status, out.splitlines()[-1]) == (0, "6 runs: 6 done, 0 diverged, 0 failed"), err
    after = runs(disk)
    assert before.items() <= {name: (f / "summary.json").stat().st_mtime_ns for name, f in after.items()}.items()
    for seed in range(6):
        (folder,) = (f for name, f in after.items() if f"seed{seed}-" in name)
        check_whole(folder, [*SWEEP[2:-3], *SWEEP[-2:], f"seed={seed}"], tmp_path / "whole")


def test_disk_without_room_for_anything(disk: Path, tmp_path: Path) -> None:
    with contextlib.suppress(OSError):  # says that it is full, and it is
        (disk / "ballast").write_bytes(bytes(3_000_000))
    status, out, err = finish(start(tmp_path, "train", *TINY, f"results_dir={disk}"))
    assert status == 2
    assert out == ""
    assert "space" in err.splitlines()[-1]
    assert str(disk) in err.splitlines()[-1]


def test_read_only_folder(disk: Path, tmp_path: Path) -> None:
    words = [*TINY, f"results_dir={disk}"]
    assert finish(start(tmp_path, "train", *words))[0] == 0
    files = {f: f.read_bytes() for f in disk.rglob("*") if f.is_file()}
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True, timeout=240)
    status, out, err = finish(start(tmp_path, "train", *words))  # a finished run is shown all the same
    assert status == 0, err
    assert "already trained" in out
    for more in (["train"], ["train", "-m"]):
        status, _, err = finish(start(tmp_path, *more, *words, "seed=1"))
        assert status == 2, err
        assert err.splitlines()[-1].startswith("repro: cannot")
        assert "Read-only file system" in err.splitlines()[-1]
        assert "results_dir" in err.splitlines()[-1]
    assert {f: f.read_bytes() for f in disk.rglob("*") if f.is_file()} == files


def unfinished(tmp_path: Path, cli: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run interrupted at its sixth step."""
    with monkeypatch.context() as patch:
        interrupt_at(patch, 5, 2)
        assert cli("train", *SINGLE).status == 130
    (folder,) = (tmp_path / "results/runs/xor").iterdir()
    return folder


TAILS = {
    "half a line": (b"0f3c,0,9,3.0,va", True),
    "zeros": (bytes(4096), True),
    "a later line of rubbish": (b"\x8f\xf2\x00,rub,bish\n", False),
    "a line of another table": (b"a,b\n", False),
    "zeros and a line end": (bytes(100) + b"\n", False),
}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("tail", TAILS)
def test_damaged_tail_of_a_table(tail: str, cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unfinished(tmp_path, cli, monkeypatch)
    added, torn = TAILS[tail]
    with (folder / "curves.csv").open("ab") as file:
        file.write(added)
    said = cli("train", *SINGLE)
    if not torn:  # a whole line that is none of ours: nobody knows what else is wrong
        number = (folder / "curves.csv").read_bytes().count(b"\n")
        assert said.status == 2
        assert said.err.splitlines()[-1] == (
            f"repro: results/runs/xor/{folder.name}/curves.csv is damaged in line {number}; "
            "train the run again with force=true"
        )
        said = cli("train", *SINGLE, "force=true")
    assert said.status == 0
    check_whole(folder, SINGLE, tmp_path / "whole")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("table", ["curves.csv", "layers.csv"])
def test_rows_that_a_power_failure_took(
    table: str, cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unfinished(tmp_path, cli, monkeypatch)
    lines = (folder / table).read_bytes().splitlines(keepends=True)
    (folder / table).write_bytes(b"".join(lines[:-1]))
    said = cli("train", *SINGLE)
    assert said.status == 2
    assert f"{table} has lost rows (" in said.err.splitlines()[-1]
    assert said.err.splitlines()[-1].endswith("train the run again with force=true")
    assert cli("train", *SINGLE, "force=true").status == 0
    check_whole(folder, SINGLE, tmp_path / "whole")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", ["done.json", "summary.json"])
def test_damaged_marks_of_a_finished_run(name: str, cli: Callable, tmp_path: Path) -> None:
    assert cli("train", *SINGLE).status == 0
    (folder,) = (tmp_path / "results/runs/xor").iterdir()
    (folder / name).write_bytes(b"")
    said = cli("train", *SINGLE)
    assert said.status == 2
    assert f"{name} is damaged" in said.err.splitlines()[-1]
    assert "force=true" in said.err.splitlines()[-1]
    assert cli("train", *SINGLE, "force=true").status == 0
    check_whole(folder, SINGLE, tmp_path / "whole")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("jump", [-10 * 365 * 86400, -3600, 3600, 10 * 365 * 86400])
def test_clock_that_jumps(jump: int, cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unfinished(tmp_path, cli, monkeypatch)
    now = time.time
    for file in tmp_path.rglob("*"):  # as if they had been written before the jump
        os.utime(file, (now() - jump, now() - jump))

    class Jumped(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(now() + jump, tz)  # type: ignore[arg-type]

    monkeypatch.setattr(time, "time", lambda: now() + jump)
    monkeypatch.setattr("repro.training.provenance.datetime", Jumped)
    monkeypatch.setattr("repro.verbs.sweep.datetime", Jumped)
    again = cli("train", *SINGLE)
    assert again.status == 0
    assert "step 0/9" not in again.err  # it resumed
    check_whole(folder, SINGLE, tmp_path / "whole")
    swept = cli("train", "-m", *SINGLE, "seed=0,1")
    assert swept.out.splitlines()[-1] == "2 runs: 2 done, 0 diverged, 0 failed"
    assert f"done before: results/runs/xor/{folder.name}" in swept.err
