"""Sweeps that are killed again and again end as those that were left alone."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd

KILLS = 50
RUNS = 20
# Twenty runs, single ones and stacked ones, of data that come with the installation; a checkpoint at every step.
WORDS = [
    "reproduce",
    "training_deep_networks/preprocessing",
    "scale=smoke",
    "trainer.checkpoint_seconds=0",
    "diagnostics.every=1",
]
TABLES = Path("training_deep_networks/preprocessing/custom")
TIMES = ["seconds", "steps_per_second"]


def test_fifty_kills_over_a_sweep_of_twenty_runs(tmp_path: Path) -> None:
    harness = [sys.executable, str(Path(__file__).with_name("harness.py"))]
    done = subprocess.run(
        [*harness, str(tmp_path), str(KILLS), "2016", *WORDS], capture_output=True, text=True, timeout=840
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    sweeps = json.loads(done.stdout)["sweeps"]
    assert sum(sweep["kills"] for sweep in sweeps) == KILLS
    # Kills that met no run under way would show little.
    assert sum(sweep["unfinished"] for sweep in sweeps) >= KILLS / 10, sweeps
    for number in range(len(sweeps)):
        found, whole = (tmp_path / name / "results" for name in (f"killed{number}", "whole"))
        check_runs(found, whole)
        check_tables(found / TABLES, whole / TABLES)


def check_runs(found: Path, whole: Path) -> None:
    runs = sorted(f.parent.relative_to(whole) for f in whole.glob("runs/**/done.json"))
    assert len(runs) == RUNS
    assert sorted(f.parent.relative_to(found) for f in found.glob("runs/**/config.yaml")) == runs
    for run in runs:
        for table in ("curves.csv", "layers.csv"):
            assert (found / run / table).read_bytes() == (whole / run / table).read_bytes(), (run, table)
        assert {f.name for f in (found / run).iterdir()} == {f.name for f in (whole / run).iterdir()}, run


def check_tables(found: Path, whole: Path) -> None:
    for table in whole.glob("*.csv.gz"):
        assert (found / table.name).read_bytes() == table.read_bytes(), table.name
    one, other = (pd.read_csv(folder / "runs.csv").drop(columns=TIMES) for folder in (found, whole))
    pd.testing.assert_frame_equal(one, other)
    assert (found / "claims.csv").read_bytes() == (whole / "claims.csv").read_bytes()
    assert {f.name for f in found.iterdir()} == {f.name for f in whole.iterdir()}
