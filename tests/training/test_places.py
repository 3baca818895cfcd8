"""Places that cannot be written to, and checkpoints that cannot be read: one line, and nothing is lost."""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
import torch

from conftest import Said, interrupt_at
from repro.config.compose import compose
from repro.config.run import resolve
from repro.storage import files
from repro.training.run import train

# Places that cannot be written to


def test_folder_below_a_file(cli: Callable[..., Said], tiny: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for words in (["train"], ["train", "-m"]):
        said = cli(*words, *tiny, "results_dir=file/sub").mistake
        assert "file/sub" in said
        assert "Not a directory" in said
        assert "results_dir" in said
    assert [f.name for f in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize(("code", "says"), [(errno.EACCES, "Permission denied"), (errno.EROFS, "Read-only")])
def test_read_only_folder(
    code: int, says: str, cli: Callable, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *args: Any, **more: Any) -> None:
        del args, more
        if not path.is_dir():
            raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    said = cli("train", *tiny).mistake
    assert said.startswith("cannot write to results/runs/xor/")
    assert says in said
    assert "results_dir=..." in said
    assert list(tmp_path.iterdir()) == []


def full(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """The disk is full after so many writes; what fits is written, as real disks do."""
    write, left = os.write, [after]

    def once_full(descriptor: int, data: bytes) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[: len(data) // 2]) if left[0] == 0 else write(descriptor, data)

    monkeypatch.setattr(files.os, "write", once_full)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("after", [0, 1, 3, 5, 7])
def test_full_disk(
    after: int, cli: Callable, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", *tiny, "trainer.steps=6", "trainer.checkpoint_seconds=0", "diagnostics.every=1")
    with monkeypatch.context() as patch:
        full(patch, after)
        said = cli(*words)
    assert said.status == 2
    assert said.err.splitlines()[-1].startswith("repro: no space left to write results/runs/xor/")
    assert "Traceback" not in said.err
    (folder,) = (tmp_path / "results/runs/xor").iterdir()
    assert not (folder / "done.json").exists()
    assert [f.name for f in folder.iterdir() if f.name.endswith(".tmp")] == []
    for table in folder.glob("*.csv"):
        _, newline, rest = table.read_bytes().rpartition(b"\n")
        assert not newline or not rest  # whole lines, or no more than a part of the header
    # With space again, the same command goes on and ends as if nothing had been.
    assert cli(*words).status == 0
    whole = train(resolve(compose([*words[1:], f"results_dir={tmp_path / 'whole'}"]))).folder
    for table in ("curves.csv", "layers.csv"):
        assert (folder / table).read_bytes() == (whole / table).read_bytes()


@pytest.mark.usefixtures("undrawn")
def test_full_disk_at_a_checkpoint(
    cli: Callable, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", *tiny, "trainer.steps=6", "trainer.checkpoint_seconds=0")
    save, left = torch.save, [3]

    def once_full(content: Any, file: IO[bytes]) -> None:
        left[0] -= 1
        if left[0] == 0:
            file.write(b"the part that fitted")
            raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")
        save(content, file)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", once_full)
        said = cli(*words)
    assert said.status == 2
    assert "cannot write a checkpoint to results/runs/xor/" in said.err
    assert "the same command then resumes" in said.err
    again = cli(*words)
    assert again.status == 0
    assert "step 0/6" not in again.err  # it resumed
    whole = train(resolve(compose([*words[1:], f"results_dir={tmp_path / 'whole'}"]))).folder
    (folder,) = (tmp_path / "results/runs/xor").iterdir()
    assert (folder / "curves.csv").read_bytes() == (whole / "curves.csv").read_bytes()


# Checkpoints; tests/training/test_resume.py has more of them


@pytest.mark.usefixtures("undrawn")
def test_bad_checkpoints(cli: Callable, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("train", *tiny, "trainer.steps=6", "trainer.checkpoint_seconds=0")
    with monkeypatch.context() as patch:
        interrupt_at(patch, 4, signal.SIGINT)
        assert cli(*words).status == 130
    (folder,) = (tmp_path / "results/runs/xor").iterdir()
    assert {"checkpoint.pt", "checkpoint.previous.pt"} <= {f.name for f in folder.iterdir()}
    good = (folder / "checkpoint.pt").read_bytes()
    for name in ("checkpoint.pt", "checkpoint.previous.pt"):
        (folder / name).write_bytes(good[:-100])
    before = {f.name: f.read_bytes() for f in folder.iterdir()}
    said = cli(*words).mistake
    assert "checkpoint.pt is damaged" in said
    assert "checkpoint.previous.pt is damaged" in said
    assert "force=true" in said
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == before
    (folder / "checkpoint.previous.pt").write_bytes(good)
    resumed = cli(*words)
    assert resumed.status == 0
    assert "going on from checkpoint.previous.pt" in resumed.err
