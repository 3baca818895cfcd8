"""What is printed, wherever it goes: any encoding, a full disk, a notebook's backend, warnings with strange names."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from repro.verbs.output import SPELLED, any_terminal

SMALL = ("dataset=xor", "architecture.width=4", "trainer.epochs=0")


def repro(cwd: Path, *words: str, out: int | None = subprocess.PIPE, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("LC_ALL", "LANG", "PYTHONUTF8", "PYTHONIOENCODING")}
    return subprocess.run(
        [sys.executable, "-m", "repro", *words],
        cwd=cwd,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        env=kept | env,
        errors="replace",
        timeout=300,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8"])
def test_every_encoding_will_do(encoding: str, tmp_path: Path) -> None:
    listed = repro(tmp_path, "list", PYTHONIOENCODING=encoding)
    assert listed.returncode == 0, listed.stderr
    trained = repro(tmp_path, "train", *SMALL, PYTHONIOENCODING=encoding)
    assert trained.returncode == 0, trained.stderr
    assert "Traceback" not in trained.stderr + listed.stderr


def test_characters_are_spelled_where_there_are_none(tmp_path: Path) -> None:
    said = repro(tmp_path, "list", "dataset", PYTHONIOENCODING="ascii").stdout
    assert "Milletari" in said
    assert "(+-1, +-1)" in said
    assert all(text.isascii() for text in SPELLED.values())


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "no such backend", "gtk4agg"])
def test_a_backend_from_outside_is_not_used(backend: str, tmp_path: Path) -> None:
    trained = repro(tmp_path, "train", *SMALL, MPLBACKEND=backend)
    assert trained.returncode == 0, trained.stderr
    assert list(tmp_path.rglob("overview.png"))


def test_no_home_and_no_terminal(tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if k not in ("HOME", "TERM", "XDG_CACHE_HOME")} | {"COLUMNS": "20"}
    words = [sys.executable, "-m", "repro", "train", *SMALL]
    trained = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert trained.returncode == 0, trained.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", ["list", "train --cfg job"])
def test_a_full_disk_behind_the_output_is_said(words: str, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        said = repro(tmp_path, *words.split(), out=full.fileno())
    assert said.returncode == 1
    assert said.stderr == "repro: cannot write the output: No space left on device\n"


def test_what_cannot_be_shown_is_done_all_the_same(
    cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path, **_: bool) -> None:
        raise RuntimeError(f"no table\nof {folder.name}")

    monkeypatch.setattr("repro.verbs.show.present", fail)
    said = cli("train", *SMALL)
    assert said.status == 0
    assert "done: results/runs/xor/" in said.err
    assert "cannot be shown: no table of" in said.err
    assert list(tmp_path.rglob("done.json"))


def test_a_warning_is_one_line_that_no_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    import warnings

    with any_terminal(), warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning("a name \x1b[2J\nand more", UserWarning, "file", 1)
    assert capsys.readouterr().err == "repro: UserWarning: a name \\x1b[2J\n"
