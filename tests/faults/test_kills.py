"""A sweep that is killed again and again ends as one that was left alone."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd

KILLS = 50
RUNS = 20
# Twenty runs, single ones and stacked ones, of data that come with the installation; a checkpoint at every step.
WORDS = ["reproduce", "training_deep_networks/preprocessing", "scale=smoke", "trainer.checkpoint_seconds=0"]
TIMES = ["seconds", "steps_per_second"]


def test_kills_at_random_moments(tmp_path: Path) -> None:
    harness = [sys.executable, str(Path(__file__).with_name("harness.py"))]
    done = subprocess.run([*harness, str(tmp_path), str(KILLS), "20260101", *WORDS], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    sweeps = json.loads(done.stdout)["sweeps"]
    print(done.stdout)
    assert sum(sweep["kills"] for sweep in sweeps) == KILLS
    # Kills that met no run under way would show little.
    assert sum(sweep["unfinished"] for sweep in sweeps) >= KILLS / 5, sweeps
    assert any(0 < sweep["most"] for sweep in sweeps), sweeps
    for number in range(len(sweeps)):
        check_equal(tmp_path / f"killed{number}" / "results", tmp_path / "whole" / "results")


def check_equal(found: Path, whole: Path) -> None:
    runs = sorted(f.parent.relative_to(whole) for f in whole.glob("runs/*/*/*/done.json"))
    assert len(runs) == RUNS
    assert sorted(f.parent.relative_to(found) for f in found.glob("runs/*/*/*/config.yaml")) == runs
    for run in runs:
        for table in ("curves.csv", "layers.csv"):
            assert (found / run / table).read_bytes() == (whole / run / table).read_bytes(), (run, table)
        assert {f.name for f in (found / run).iterdir()} - {"checkpoint.previous.pt"} == {
            f.name for f in (whole / run).iterdir()
        } - {"checkpoint.previous.pt"}, run
    tables = Path("training_deep_networks/preprocessing/smoke")
    for name in ("curves.csv.gz", "layers.csv.gz", "predictions.csv.gz", "claims.csv"):
        assert (found / tables / name).read_bytes() == (whole / tables / name).read_bytes(), name
    one, other = (pd.read_csv(f / tables / "runs.csv").drop(columns=TIMES) for f in (found, whole))
    pd.testing.assert_frame_equal(one, other)
    assert not list(found.rglob(".*.tmp"))
