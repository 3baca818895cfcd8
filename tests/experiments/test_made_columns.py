"""Columns that a script makes of its experiment's tables, for claims to look at: by hand and as the script has them."""

from types import SimpleNamespace

import pandas as pd
import pytest

from repro.paths import experiments_dir
from repro.plots.experiment import further_columns

STUDY = "understanding_neural_networks"


def made(script, **tables):
    return further_columns(experiments_dir() / STUDY / f"{script}.py", SimpleNamespace(**tables))


def losses(values, seed=0, **changes):
    usual = {"run": "r", "seed": seed, "split": "train", "metric": "loss"}
    return pd.DataFrame([usual | {"epoch": float(epoch), "value": value} | changes for epoch, value in values.items()])


def test_the_fall_of_a_loss_before_and_after_half_of_the_epochs():
    falling = losses({0: 9.0, 1: 7.0, 2: 5.0, 3: 4.5, 4: 4.0, 5: 2.0, 6: 0.0})
    steady = losses({epoch: 10.0 - epoch for epoch in range(7)}, seed=1)
    others = losses({2: 1.0, 4: 1.0, 6: 1.0}, split="test")
    found = made("random_labels", curves=pd.concat([others, falling, steady])).set_index("seed")
    assert found.loc[0, ["early_fall_per_epoch", "late_fall_per_epoch"]].tolist() == pytest.approx([0.5, 2.0])
    assert found.loc[1, ["early_fall_per_epoch", "late_fall_per_epoch"]].tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("epochs", [[0, 1, 2], [0, 1, 2, 3], [0, 5, 10]])
def test_too_few_epochs_have_no_halves(epochs):
    assert made("random_labels", curves=losses(dict.fromkeys(epochs, 1.0))).empty


def test_the_accuracy_of_the_size_that_is_chosen():
    of = "prune_and_grow_test_accuracy_of_"
    runs = pd.DataFrame(
        [
            {"run": "a", "seed": 0, "prune_and_grow_chosen_size": 15, f"{of}15": 0.9, f"{of}64": 0.8},
            {"run": "a", "seed": 1, "prune_and_grow_chosen_size": 64, f"{of}15": 0.7, f"{of}64": 0.6},
            {"run": "b", "seed": 0, "prune_and_grow_chosen_size": float("nan"), f"{of}15": 0.5, f"{of}64": 0.4},
        ]
    )
    found = made("prune_and_grow", runs=runs)
    assert found.to_numpy().tolist() == [["a", 0, 0.9], ["a", 1, 0.6]]
