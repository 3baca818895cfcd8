"""Columns that scripts make of their tables, against what a reader would work out by hand."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from repro.paths import CLONE
from repro.plots.experiment import further_columns

PAPER = CLONE / "experiments/understanding_neural_networks"


def curves(*nets: tuple[str, int, list[float]]) -> pd.DataFrame:
    """Of each net the test error at the end of the stages with 3, 5, 10 and 20 intervals."""
    columns = ["run", "variant", "seed", "step", "split", "metric", "value"]
    rows = [
        (run, "kan_2_1_1", seed, step, split, metric, value)
        for run, seed, errors in nets
        for step, (grid, error) in enumerate(zip((3, 5, 10, 20), errors, strict=True))
        for split, metric, value in (("test", "rmse", error), ("schedule", "grid", grid), ("schedule", "parameters", 1))
    ]
    return pd.DataFrame(rows, columns=columns)


def test_kans_that_stick_count_among_all_starts_only_and_a_run_is_timed_once() -> None:
    runs = pd.DataFrame({"run": ["a", "b", "c", "c"], "seed": [0, 1, 1, 0], "seconds": [5.0, 6.0, 7.0, 7.0]})
    learnt = [1 / grid**4 for grid in (3, 5, 10, 20)]
    tables = SimpleNamespace(runs=runs, curves=curves(("a", 0, learnt), ("b", 1, [0.4] * 4)))
    made = further_columns(PAPER / "kan_or_mlp.py", tables).set_index(["run", "seed"])
    assert made["all_starts_error_20"].dropna().to_dict() == {("a", 0): pytest.approx(20**-4), ("b", 1): 0.4}
    assert made["error_20"].dropna().to_dict() == {("a", 0): pytest.approx(20**-4)}
    assert made["slope"].dropna().to_dict() == {("a", 0): pytest.approx(-4)}
    assert made["seconds_of_a_run"].dropna().to_dict() == {("a", 0): 5, ("b", 1): 6, ("c", 0): 7}


def test_runs_without_a_grid_are_timed_alone() -> None:
    tables = SimpleNamespace(runs=pd.DataFrame({"run": ["c"], "seed": [0], "seconds": [7.0]}), curves=curves())
    made = further_columns(PAPER / "kan_or_mlp.py", tables)
    assert made is not None
    assert made.to_dict("records") == [{"run": "c", "seed": 0, "seconds_of_a_run": 7}]


def test_gains_of_features_with_few_and_with_all_labels() -> None:
    scores = {"few_features": 0.9, "few_pixels": 0.8, "all_features": 0.97, "all_pixels": 0.96}
    named = {f"machine_{name}": [value, float("nan")] for name, value in scores.items()}
    for columns, expected in ((named, [pytest.approx(0.09)]), ({}, [])):
        tables = SimpleNamespace(runs=pd.DataFrame({"run": ["a", "b"], "seed": [0, 0], **columns}))
        made = further_columns(PAPER / "boltzmann.py", tables)
        assert made is not None
        assert made["gain_few_less_gain_all"].dropna().tolist() == expected


def _made(script: str, **tables: pd.DataFrame) -> pd.DataFrame:
    made = further_columns(PAPER / f"{script}.py", SimpleNamespace(**tables))
    assert made is not None
    return made


def losses(values: dict[int, float], seed: int = 0, **changes: Any) -> pd.DataFrame:
    usual = {"run": "r", "seed": seed, "split": "train", "metric": "loss"}
    return pd.DataFrame([usual | {"epoch": float(epoch), "value": value} | changes for epoch, value in values.items()])


def test_the_fall_of_a_loss_before_and_after_half_of_the_epochs() -> None:
    falling = losses({0: 9.0, 1: 7.0, 2: 5.0, 3: 4.5, 4: 4.0, 5: 2.0, 6: 0.0})
    steady = losses({epoch: 10.0 - epoch for epoch in range(7)}, seed=1)
    others = losses({2: 1.0, 4: 1.0, 6: 1.0}, split="test")
    found = _made("random_labels", curves=pd.concat([others, falling, steady])).set_index("seed")
    assert found.loc[0, ["early_fall_per_epoch", "late_fall_per_epoch"]].tolist() == pytest.approx([0.5, 2.0])
    assert found.loc[1, ["early_fall_per_epoch", "late_fall_per_epoch"]].tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("epochs", [[0, 1, 2], [0, 1, 2, 3], [0, 5, 10]])
def test_too_few_epochs_have_no_halves(epochs: list[int]) -> None:
    assert _made("random_labels", curves=losses(dict.fromkeys(epochs, 1.0))).empty


def test_the_accuracy_of_the_size_that_is_chosen() -> None:
    of = "prune_and_grow_test_accuracy_of_"
    runs = pd.DataFrame(
        [
            {"run": "a", "seed": 0, "prune_and_grow_chosen_size": 15, f"{of}15": 0.9, f"{of}64": 0.8},
            {"run": "a", "seed": 1, "prune_and_grow_chosen_size": 64, f"{of}15": 0.7, f"{of}64": 0.6},
            {"run": "b", "seed": 0, "prune_and_grow_chosen_size": float("nan"), f"{of}15": 0.5, f"{of}64": 0.4},
        ]
    )
    found = _made("prune_and_grow", runs=runs)
    assert found.to_numpy().tolist() == [["a", 0, 0.9], ["a", 1, 0.6]]
