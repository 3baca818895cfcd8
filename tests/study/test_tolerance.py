"""By how much numbers may differ: what files may say, and what passes and fails by each kind."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from repro.errors import UserError
from repro.paths import experiments_dir
from repro.storage.schema import collected
from repro.study import experiment
from repro.study.differences import FIRST, Difference, differences
from repro.study.experiment import Experiment, load, names
from repro.study.tolerance import FLOOR, TOLERANCE, Tolerance, read


def tables(folder: Path, values: list[float], metric: str = "score", step: int = 5) -> Path:
    """Tables of two runs, seed 0 and the others, with a number each in runs.csv, the curves and the layers."""
    folder.mkdir()
    head = [{"run": "own" if seed == 0 else "other", "variant": "v", "seed": seed} for seed in range(len(values))]
    cells = {f"test_{metric}": values}
    pd.DataFrame(head).assign(status="done", **cells).to_csv(folder / "runs.csv", index=False)
    place: dict[str, Any] = {"step": step, "epoch": 1.0}
    for name, where in (
        ("curves", {"split": "test", "metric": metric}),
        ("layers", {"layer": "hidden.0", "depth": 1, "quantity": metric}),
    ):
        rows = pd.DataFrame(head).assign(**place, **where, value=values)
        rows[list(collected(name))].to_csv(folder / f"{name}.csv.gz", index=False)
    return folder


def found(
    tmp_path: Path, committed: list[float], now: float, tolerance: Any, alike: tuple[str, ...] = ("own", "other")
) -> dict[str, Difference]:
    """Of each table what is said of the number of seed 0."""
    before = tables(tmp_path / "before", committed)
    after = tables(tmp_path / "after", [now])
    allowed = read("tolerance", tolerance)
    said = differences(before, after, "own", lambda _: allowed, alike)
    return {one.table.partition(".")[0]: one for one in said if one.metric in ("test_score", "score")}


@pytest.mark.parametrize(
    ("committed", "now", "tolerance", "passes"),
    [
        ([1.0], 1.0, 0, True),
        ([1.0], 1.05, 0.1, True),
        ([1.0], 1.2, 0.1, False),
        ([1.0], 1.0000001, TOLERANCE, True),
        ([1.0], 0.0, 0.99, False),  # a flipped 0 or 1
        ([0.01], -0.01, 0.99, False),
        ([1e-9], 5e-7, {"absolute": 1e-6}, True),
        ([1e-9], 5e-6, {"absolute": 1e-6}, False),
        ([2.0, 1.0, 3.0, 2.5], 5.9, "seeds", True),  # 3.9 apart, and the seeds 2
        ([2.0, 1.0, 3.0, 2.5], 6.1, "seeds", False),
        ([2.0, 1.0, 3.0, 2.5], -2.1, "seeds", False),
        ([90.0, 1.0, 3.0, 2.5], 2.0, "seeds", False),  # the committed one is no measure of itself
        ([-90.0, 1.0, 3.0, 2.5], 2.0, "seeds", False),
        ([-0.5, 0.5, 1.0, -1.0], 0.5, "seeds", True),  # the sign is another one, as among the seeds
        ([-0.5, 0.5, 1.0, -1.0], 4.0, "seeds", False),
        ([1.0, 1.0, 1.0, 1.0], 0.0, "seeds", False),  # what all seeds have learnt
        ([0.0, 0.0, 0.0, 0.0], 1.0, "seeds", False),
        ([0.0, 0.0, 0.0, 0.0], 0.01, "seeds", False),
        ([0.0, 0.0, 0.0, 0.0], 0.01, {"seeds": 0.02}, True),
        ([0.0, 0.0, 0.0, 0.0], 0.03, {"seeds": 0.02}, False),
        ([1.0, 1.0, 1.0, 1.0], 1.9, "seeds", True),  # seeds close together: a half of the size at least
        ([1.0, 1.0, 1.0, 1.0], 2.1, "seeds", False),
        ([2.0, 100.0], 3.9, "seeds", True),  # two seeds have no range
        ([2.0, 100.0], 4.1, "seeds", False),
        ([2.0, 1.0, float("inf"), 3.0], 5.9, "seeds", True),  # nor has what diverged
        ([2.0, 1.0, float("inf"), 3.0], 6.1, "seeds", False),
        ([2.0, 1.0, 3.0, 2.5], float("nan"), "seeds", False),
        ([1.0], float("nan"), {"absolute": 9}, False),
    ],
)
def test_what_passes_and_what_fails(
    tmp_path: Path, committed: list[float], now: float, tolerance: Any, passes: bool
) -> None:
    said = found(tmp_path, committed, now, tolerance)
    assert {table: not one.fails for table, one in said.items()} == dict.fromkeys(("runs", "curves", "layers"), passes)


def test_only_seeds_of_the_same_settings_count(tmp_path: Path) -> None:
    said = found(tmp_path, [2.0, 1.0, 9.0, 2.5], 5.0, "seeds", alike=())
    assert all(one.fails and one.by_seeds for one in said.values())


def test_seeds_have_a_range_at_every_step_of_its_own(tmp_path: Path) -> None:
    before, after = tables(tmp_path / "before", [2.0, 1.0, 9.0, 2.5]), tables(tmp_path / "after", [5.0])
    curves = pd.read_csv(before / "curves.csv.gz")
    curves.loc[curves["run"] == "other", "step"] = 6
    curves.to_csv(before / "curves.csv.gz", index=False)
    said = differences(before, after, "own", lambda _: Tolerance("seeds", 0.0), ["other"])
    assert {one.table: one.fails for one in said if one.committed == 2.0} == {
        "runs.csv": False,
        "curves.csv.gz": True,
        "layers.csv.gz": False,
    }


@pytest.mark.parametrize(("metric", "failing"), [("loss", ["curves.csv.gz"]), ("accuracy", [])])
def test_before_any_update_seeds_are_no_excuse_of_losses(tmp_path: Path, metric: str, failing: list[str]) -> None:
    """Of an accuracy one sample that lies on an edge may fall to the other side."""
    before = tables(tmp_path / "before", [2.0, 1.0, 9.0, 2.5], metric, step=0)
    after = tables(tmp_path / "after", [2.0 * (1 + 2 * FIRST)], metric, step=0)
    said = differences(before, after, "own", lambda _: Tolerance("seeds", 0.0), ["other"])
    assert [one.table for one in said if one.fails] == failing
    assert {one.held for one in said if one.fails} <= {f"{FIRST:.2g}"}


def test_what_a_number_is_held_to_is_said(tmp_path: Path) -> None:
    said = found(tmp_path, [2.0, 1.0, 3.0, 2.5], 6.5, "seeds")["runs"]
    assert said.held == f"{FLOOR} or 4 of seeds"
    assert said.used == pytest.approx(4.5 / 4)
    assert np.isclose(said.share, 4.5 / 6.5)


def test_tolerance_of_a_metric() -> None:
    def tolerance(setting: Any, name: str) -> Tolerance:
        return Experiment("p/e", {} if setting is None else {"tolerance": setting}).tolerance(name)

    assert tolerance(None, "runs/test_loss") == Tolerance("relative", TOLERANCE)
    assert TOLERANCE < FIRST
    assert tolerance(0.1, "curves/test_loss") == Tolerance("relative", 0.1)
    assert tolerance("seeds", "curves/test_loss") == Tolerance("seeds", 0.0)
    assert tolerance({"absolute": 2}, "curves/test_loss") == Tolerance("absolute", 2.0)
    patterns = {"*": 0.1, "runs/*_accuracy": {"seeds": 0.01}, "layers/*": 0}
    assert tolerance(patterns, "runs/test_accuracy") == Tolerance("seeds", 0.01)
    assert tolerance(patterns, "curves/test_accuracy") == Tolerance("relative", 0.1)
    assert tolerance(patterns, "layers/a") == Tolerance("relative", 0.0)
    assert tolerance({"runs/*": 0.1}, "curves/test_loss") == Tolerance("relative", TOLERANCE)


WRONG = [
    1,
    1.5,
    -1,
    True,
    "a lot",
    float("nan"),
    10**400,
    [1],
    {"absolute": 0},
    {"seeds": "many"},
    {"absolute": 1, "a": 1},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_is_no_tolerance_is_refused_when_the_file_is_read(
    wrong: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = {"reproduction": {"tolerance": {"*": 0.1, "layers/*": wrong}}}
    monkeypatch.setattr(experiment, "names", lambda: ["p/e"])
    monkeypatch.setattr("repro.config.yaml_files.read", lambda _: node)
    monkeypatch.setattr("repro.study.experiment.experiments_dir", lambda: tmp_path)
    with pytest.raises(
        UserError, match=r"^p/e: tolerance of layers/\* is .*; it must be a share of at least 0 and below"
    ):
        load("p/e")


@pytest.mark.parametrize("name", names())
def test_every_experiment_has_tolerances_that_can_fail(name: str) -> None:
    assert (experiments_dir() / f"{name}.yaml").is_file()
    own = load(name)
    for metric in ("runs/test_loss", "curves/train_loss", "layers/activation_std"):
        kind, limit = own.tolerance(metric)
        assert (kind == "relative" and TOLERANCE <= limit < 1) or (kind != "relative" and limit >= 0)
