"""One thread, no windows, and the few words that every test of the program needs."""

import json
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before matplotlib is first imported, here or in a subprocess.
os.environ["MPLBACKEND"] = "Agg"

import pooch  # noqa: F401 - its logger keeps the stream it finds when it is imported; a test's own would be closed
import pytest
import torch
from hypothesis import settings

from repro.cli import main
from repro.config.compose import compose
from repro.config.run import Run, resolve
from repro.procedures.train import Train
from repro.training import prepare
from repro.training.loop import Loop
from repro.training.run import Interrupted, Outcome, train

torch.set_num_threads(1)
# The same examples every time: what fails, fails for everybody. HYPOTHESIS_PROFILE=default looks for new ones.
settings.register_profile("same", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

TINY = (
    "dataset=xor",
    "dataset.train_size=48",
    "dataset.valid_size=16",
    "dataset.test_size=16",
    "architecture.width=8",
    "architecture.depth=2",
    "trainer.epochs=1",
    "trainer.batch_size=16",
    "diagnostics.probe=16",
)


@dataclass(frozen=True)
class Said:
    """What a command line came to."""

    status: int
    out: str
    err: str

    @property
    def mistake(self) -> str:
        """The one line of a user's mistake, checked to be one line, with exit status 2."""
        lines = self.err.splitlines()
        assert self.status == 2, self
        assert len(lines) == 1, self.err
        assert lines[0].startswith("repro: ")
        assert self.out == ""
        return lines[0].removeprefix("repro: ")


@dataclass(frozen=True)
class Trained:
    """A run that was trained in this process."""

    run: Run
    outcome: Outcome

    @property
    def folder(self) -> Path:
        return self.outcome.folder

    @property
    def summary(self) -> dict:
        return json.loads((self.folder / "summary.json").read_text())

    @property
    def state(self) -> dict:
        return torch.load(self.folder / "checkpoint.pt", weights_only=True)["state"]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is remembered from one command to the next is remembered for these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def same_numbers_in_any_order() -> None:
    """A test that names no seed draws the same random numbers, whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """Words of `repro train` that make a run take a moment: 3 steps of a net of 2 × 8 units."""
    return TINY


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., Trained]:
    """Trains the tiny run, changed by further words, without the command line around it."""

    def run(*words: str) -> Trained:
        resolved = resolve(compose([*TINY, f"results_dir={tmp_path / 'results'}", *words]))
        return Trained(resolved, train(resolved))

    return run


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable]:
    """Runs a command line in this process, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def run(*words: str) -> Said:
        capsys.readouterr()
        try:
            status = main(words)
        except SystemExit as leaving:
            status = leaving.code
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    yield run
    # Hydra gives the root logger handlers that write to this test's captured streams.
    root.handlers[:], root.level = before


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the table and figure at the end of `repro train`, which take longer than a tiny run."""
    monkeypatch.setattr("repro.verbs.show.present", lambda folder, **_: print(folder))


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What an attack would leave in the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "canary"


class Trap:
    """Unpickled, it runs a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch canary",)


def complete(cli: Callable[..., Said], line: str) -> list[str]:
    """What completes a command line."""
    said = cli("_complete", line)
    assert said.status == 0
    return said.out.splitlines()


def loop_of(words: list[str]) -> Loop:
    """The loop of a run before its first step."""
    run = resolve(compose(words))
    parts = prepare.components(run)
    data, feed = prepare.read_data(run, parts, torch.device("cpu"))
    parts = prepare.replace(parts, task=parts.task.suited(data.about))
    return Train()(prepare.Prepared(run, torch.device("cpu"), parts, data, feed))


def equal(one: object, other: object) -> bool:
    """Whether nested containers of tensors and plain values are the same, bit for bit; NaN equals NaN."""
    if isinstance(one, torch.Tensor):
        same = isinstance(other, torch.Tensor) and one.shape == other.shape and one.dtype == other.dtype
        return same and bool(((one == other) | ((one != one) & (other != other))).all())
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, Sequence) and not isinstance(one, str):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other or (one != one and other != other)


def interrupt_at(monkeypatch: pytest.MonkeyPatch, step: int, number: int) -> None:
    """Send this process a signal while it makes a step."""
    advance = Loop.advance

    def interrupting(loop: Any) -> Any:
        if loop.step == step:
            os.kill(os.getpid(), number)
        return advance(loop)

    monkeypatch.setattr(Loop, "advance", interrupting)


def check_resuming(
    run: Callable[..., Run], words: Sequence[str], step: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run killed at a step and taken up again has the tables and weights of one that was not."""
    whole = train(run(folder / "whole", *words)).folder
    halted = run(folder / "halted", *words)
    with monkeypatch.context() as patch:
        interrupt_at(patch, step, signal.SIGTERM)
        with pytest.raises(Interrupted):
            train(halted)
    resumed = train(halted).folder
    tables = [table.name for table in whole.glob("*.csv")]
    assert "curves.csv" in tables
    for table in tables:
        assert (resumed / table).read_bytes() == (whole / table).read_bytes(), table
    states = [torch.load(f / "checkpoint.pt", weights_only=True)["state"]["parameters"] for f in (resumed, whole)]
    assert equal(*states)
