"""Ctrl-C and SIGTERM: the step under way ends, the run is saved, the message says how to resume."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from conftest import Said, equal, interrupt_at
from repro.config.compose import compose
from repro.config.run import resolve
from repro.training.run import train
from repro.verbs import hydra_run as job_command


def stopped(cwd: Path, words: list[str], number: int) -> subprocess.Popen[str]:
    """`repro train` in another process, stopped by a signal after its first checkpoint."""
    command = [sys.executable, "-m", "repro", "train", *words]
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(cwd.rglob("checkpoint.pt")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    return process


@pytest.mark.usefixtures("undrawn")
def test_ctrl_c(tiny: tuple[str, ...], tmp_path: Path, cli: Callable[..., Said]) -> None:
    words = [*tiny, "trainer.steps=300", "activation=noisy_tanh"]
    process = stopped(tmp_path, [*words, "trainer.checkpoint_seconds=0"], signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    last = err.splitlines()[-1]
    assert last.startswith("repro: interrupted at step ")
    assert last.endswith("; the same command resumes there")
    assert out == ""
    (folder,) = (tmp_path / "results/runs/xor").iterdir()
    assert f"saved in {folder.relative_to(tmp_path)}" in last
    step = torch.load(folder / "checkpoint.pt", weights_only=True)["state"]["step"]
    assert f"at step {step} of 300" in last
    assert 0 < step < 300
    assert not (folder / "done.json").exists()
    again = cli("train", *words)
    assert again.status == 0
    assert "step 0/300" not in again.err
    whole = train(resolve(compose([*words, f"results_dir={tmp_path / 'whole'}"]))).folder
    for table in ("curves.csv", "layers.csv"):
        assert (folder / table).read_bytes() == (whole / table).read_bytes()
    states = [torch.load(f / "checkpoint.pt", weights_only=True)["state"] for f in (folder, whole)]
    assert equal(states[0]["parameters"], states[1]["parameters"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_step_under_way_is_finished(number: int, cli: Callable, tiny: tuple[str, ...], tmp_path: Path) -> None:
    before = signal.getsignal(number)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, 1, number)
        said = cli("train", *tiny)
    assert said.status == 130
    assert "repro: interrupted at step 2 of 3; saved in results/runs/xor/" in said.err
    (folder,) = (tmp_path / "results/runs/xor").iterdir()
    assert torch.load(folder / "checkpoint.pt", weights_only=True)["state"]["step"] == 2
    assert signal.getsignal(number) == before


@pytest.mark.usefixtures("undrawn")
def test_interrupted_forced_run_says_to_leave_force_out(cli: Callable, tiny: tuple[str, ...]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, 1, signal.SIGINT)
        said = cli("train", *tiny, "force=true")
    assert said.status == 130
    assert said.err.splitlines()[-1].endswith("the same command without force=true resumes there")
    assert "step 0/3" not in cli("train", *tiny).err


def test_interruption_ends_a_sweep(cli: Callable, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def interrupted(*args: Any, **more: Any) -> None:
        started.append((args, more))
        raise KeyboardInterrupt

    monkeypatch.setattr(job_command, "_train", interrupted)
    said = cli("train", "-m", *tiny, "seed=0,1,2")
    assert said.status == 130
    assert len(started) == 1
