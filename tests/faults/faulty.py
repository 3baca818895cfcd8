"""Command lines in processes of their own, and units that do harm."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pandas as pd

from conftest import TINY
from repro.config.compose import compose
from repro.config.run import resolve
from repro.training.run import train

HARM = """
import os, signal, sys
import torch
from torch import nn
from repro.model.activations import Activation


class Unit(nn.Module):
    def __init__(self, harm):
        super().__init__()
        self.harm, self.calls = harm, 0

    def forward(self, x):
        self.calls += 1
        if self.calls > 3:
            if self.harm == "crash":
                raise ArithmeticError("these units crash")
            if self.harm == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.harm == "memory":
                torch.zeros(2**40)
        return x * 1e30 if self.harm == "diverge" else torch.tanh(x)


def make(harm):
    return Activation(unit=lambda: Unit(harm), gate=nn.Sigmoid)
"""

SAID: dict[int, list[IO[str]]] = {}  # files by process


def harm(folder: Path) -> list[str]:
    """Words for a sweep over units that do harm, given as `activation.harm` (crash, kill, memory, diverge), or none.

    Args:
        folder: the working folder; they are written there.
    """
    (folder / "harm.py").write_text(HARM)
    option = folder / "conf" / "activation" / "harm.yaml"
    option.parent.mkdir(parents=True)
    option.write_text("# Harm, on purpose.\n_target_: harm.make\nharm: none  # what it does at the fourth call\n")
    return [*TINY, "activation=harm", "trusted=[harm]", "trainer.epochs=3"]


def start(cwd: Path, *words: str) -> subprocess.Popen[str]:
    """`repro` in a process of its own, which writes what it says into files, since nobody reads it before its end."""
    command = [sys.executable, "-P", "-m", "repro", *words]
    said = [tempfile.TemporaryFile("w+") for _ in range(2)]  # noqa: SIM115 - `finish` closes them
    process = subprocess.Popen(command, cwd=cwd, stdout=said[0], stderr=said[1], text=True)
    SAID[process.pid] = said
    return process


def finish(process: subprocess.Popen[str], seconds: float = 300) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    status = process.wait(timeout=seconds)
    texts = []
    for file in SAID.pop(process.pid):
        file.seek(0)
        texts.append(file.read())
        file.close()
    assert "Traceback" not in texts[1], texts[1]
    return status, texts[0], texts[1]


def runs(results: Path) -> dict[str, Path]:
    """Folders of the finished runs, by name."""
    return {f.parent.name: f.parent for f in results.glob("runs/**/done.json")}


def check_whole(folder: Path, words: Sequence[str], whole: Path) -> None:
    """A run's tables are those of the same run left alone, which is trained into the folder `whole`."""
    alone = train(resolve(compose([*words, f"results_dir={whole}"]))).folder
    assert alone.name == folder.name
    for table in ("curves.csv", "layers.csv"):
        assert (folder / table).read_bytes() == (alone / table).read_bytes(), table
        assert len(pd.read_csv(folder / table)) > 0
