"""Real sweeps on every launcher, by `train -m` and by `reproduce`: the same runs, the same tables."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from cluster import UnavailableError, slurm

from conftest import TINY

PLUGINS = {
    "joblib": "hydra_joblib_launcher",
    "submitit_local": "hydra_submitit_launcher",
    "submitit_slurm": "hydra_submitit_launcher",
    "ray": "hydra_ray_launcher",
}
WORDS = {
    "joblib": ["hydra.launcher.n_jobs=2"],
    "submitit_local": ["hydra.launcher.timeout_min=10"],
    "submitit_slurm": ["hydra.launcher.timeout_min=10", "hydra.launcher.cpus_per_task=1"],
    "ray": ["+hydra.launcher.ray.init.num_cpus=2"],
}
SWEEP = ["train", "-m", *TINY, "activation=tanh,noisy_tanh", "seed=range(2)"]
EXPERIMENT = "linear_backprop/toy"
RUNS = 6

Launch = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same two commands without a launcher."""
    folder = tmp_path_factory.mktemp("plain")
    for words in (SWEEP, ["reproduce", EXPERIMENT, "scale=smoke"]):
        done = repro(folder, words, os.environ.copy())
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module", params=PLUGINS)
def launch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Runs a command line on a launcher, in a working folder."""
    name = request.param
    if find_spec(f"hydra_plugins.{PLUGINS[name]}") is None:
        pytest.skip(f"the launcher {name} is not installed; make test-launchers installs it")
    words = [f"hydra/launcher={name}", *WORDS[name]]
    if name != "submitit_slurm":
        yield lambda cwd, *more: repro(cwd, [*more, *words], os.environ.copy())
        return
    try:
        with slurm(tmp_path_factory.mktemp("slurm")) as environment:
            yield lambda cwd, *more: repro(cwd, [*more, *words], environment)
    except UnavailableError as why:
        pytest.skip(str(why))


def repro(cwd: Path, words: Sequence[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "repro", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment, timeout=300)


def test_sweep_with_a_job_that_fails(launch: Launch, plain: Path, tmp_path: Path) -> None:
    # The same four runs, and four whose noise is refused where they run.
    done = launch(tmp_path, *SWEEP, "dataset.noise=0.3,-1")
    assert done.returncode == 1, done.stderr
    assert "8 runs: 4 done, 0 diverged, 4 failed" in done.stdout.splitlines()
    assert "repro: failed: " in done.stderr
    assert "dataset.noise=-1" in done.stderr
    assert check_runs(tmp_path / "results", plain / "results", "xor") == 4


def test_reproduction(launch: Launch, plain: Path, tmp_path: Path) -> None:
    done = launch(tmp_path, "reproduce", EXPERIMENT, "scale=smoke")
    assert done.returncode == 0, done.stderr
    assert check_runs(tmp_path / "results", plain / "results", EXPERIMENT) == RUNS
    found, whole = (folder / "results" / EXPERIMENT / "smoke" for folder in (tmp_path, plain))
    for name in ("curves.csv.gz", "layers.csv.gz", "claims.csv"):
        assert (found / name).read_bytes() == (whole / name).read_bytes(), name
    times = ["seconds", "steps_per_second"]
    one, other = (pd.read_csv(folder / "runs.csv").drop(columns=times) for folder in (found, whole))
    pd.testing.assert_frame_equal(one, other)


def check_runs(found: Path, whole: Path, name: str) -> int:
    """The runs' tables are the same, byte for byte; how many there are."""
    runs = sorted(f.parent.relative_to(whole) for f in (whole / "runs" / name).glob("*/done.json"))
    assert sorted(f.parent.relative_to(found) for f in (found / "runs" / name).glob("*/done.json")) == runs
    for run in runs:
        for table in ("curves.csv", "layers.csv"):
            assert (found / run / table).read_bytes() == (whole / run / table).read_bytes(), (run, table)
    return len(runs)
