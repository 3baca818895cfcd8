"""Pruning, faces of parts, and older nets, each against what it says."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import Said
from repro.experiments.understanding_neural_networks.procedures import older_nets
from repro.experiments.understanding_neural_networks.procedures.faces import closest, detectors, hand_set
from repro.experiments.understanding_neural_networks.procedures.faces_drawn import PARTS, draw
from repro.experiments.understanding_neural_networks.procedures.pruning import largest


def rows(said: Said) -> pd.Series:
    assert said.status == 0, said
    return pd.read_csv(f"{said.out.split()[-1]}/curves.csv").set_index(["metric", "step"])["value"]


def test_the_largest_weights_of_all_layers_are_kept():
    weights = [np.array([[1.0, -5.0], [0.5, 2.0]]), np.array([[-3.0], [0.1]])]
    kept = largest(weights, 0.5)
    assert [mask.tolist() for mask in kept] == [[[False, True], [False, True]], [[True], [False]]]


@pytest.mark.usefixtures("undrawn")
def test_pruning_tells_both_accuracies_by_percent(cli: Callable[..., Said]) -> None:
    words = ["procedure=pruning", "procedure.epochs=20", "procedure.tuning=2", "procedure.percents=[50,99]"]
    found = rows(cli("train", *words, "dataset.preprocessing=none"))
    assert found["weights"].item() == 64 * 64 + 64 * 10
    for kind in ("pruned_accuracy", "tuned_accuracy"):
        assert list(found[kind].index) == [0, 50, 99]
    assert found["pruned_accuracy"][0] > 0.7
    assert found["pruned_accuracy"][99] < found["pruned_accuracy"][0] - 0.2


def test_a_face_is_there_where_all_its_parts_are():
    x, there, y = draw(400, 0.0, np.random.default_rng(0))
    assert y.mean() == 0.5
    assert np.array_equal(there.all(1), y == 1)
    assert ((~there).sum(1)[y == 0] >= 1).all()
    assert ((~there).sum(1) <= 3).all()
    assert np.array_equal(hand_set(x), y)
    # What another part covers by chance aside, detectors say which parts are in their place.
    assert ((detectors(x) > 0) == there).mean() > 0.98
    assert closest(detectors(x), there).shape == (len(PARTS),)


def test_correlations_of_units_that_are_the_parts_are_1():
    rng = np.random.default_rng(0)
    parts = rng.random((50, 3)) < 0.5
    units = np.column_stack([np.zeros(50), 1.0 - parts[:, ::-1]])
    assert closest(units, parts) == pytest.approx(1)
    assert closest(np.zeros((50, 2)), parts) == pytest.approx(0)


def test_a_map_that_lies_as_its_units_do_is_not_torn():
    places = np.stack(np.divmod(np.arange(16), 4), axis=1).astype(float)
    samples = np.random.default_rng(0).uniform(0, 3, (200, 2))
    found = {one.metric: one.value for one in older_nets._layout(places, places, samples, 0)}
    assert found["torn_share"] == 0
    assert 0.2 < found["quantization_error"] < math.sqrt(0.5)
    mixed = np.random.default_rng(1).permutation(places)
    assert {one.metric: one.value for one in older_nets._layout(mixed, places, samples, 0)}["torn_share"] > 0.3


@pytest.mark.usefixtures("undrawn")
def test_a_map_orders_itself(cli: Callable[..., Said]) -> None:
    words = ["procedure=self_organizing", "procedure.side=5", "procedure.epochs=6", "dataset.subset=300"]
    found = rows(cli("train", *words, "dataset.preprocessing=none"))
    assert found["torn_share"][6] < found["torn_share"][0]
    assert found["quantization_error"][6] < found["quantization_error"][0]
    assert found["accuracy"].item() > 0.5


def test_letters_are_those_of_syllables():
    text = "".join(older_nets.LETTERS[i] for i in older_nets._letters(50, torch.Generator().manual_seed(0)))
    assert text.replace("guuu", "").replace("dii", "").replace("ba", "") == ""
    assert len(text) == 2 * text.count("b") + 3 * text.count("d") + 4 * text.count("g")


@pytest.mark.usefixtures("undrawn")
def test_vowels_are_learnt_and_consonants_are_not(cli: Callable[..., Said]) -> None:
    words = ["procedure=elman", "procedure.syllables=200", "procedure.passes=60", "procedure.rate=0.03"]
    found = rows(cli("train", *words))
    assert found["vowel_loss"].item() < 0.3
    assert found["consonant_loss"].item() > 0.8


@pytest.mark.usefixtures("undrawn")
def test_bumps_tell_a_disc_from_a_ring(cli: Callable[..., Said]) -> None:
    found = rows(cli("train", "procedure=radial_basis", "procedure.test_size=400"))
    assert found["accuracy"].item() > 0.9 > 0.8 > found["linear_accuracy"].item()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["procedure=pruning", "procedure.percents=[80,50]"], "procedure.percents must rise from 1 to 99"),
        (["procedure=pruning", "procedure.tuning=-1"], "procedure.tuning must be a whole number of 0 or more"),
        (["procedure=faces", "procedure.noise=-1"], "procedure.noise must be a finite number of at least 0"),
        (["procedure=faces", "procedure.hidden=0"], "procedure.hidden must be a whole number of 2 or more"),
        (["procedure=radial_basis", "procedure.centres=1"], "procedure.centres must be a whole number of 2 or more"),
        (["procedure=radial_basis", "procedure.train_size=5"], "procedure.train_size must be a whole number of 16"),
        (
            ["procedure=self_organizing", "procedure.rate=2"],
            "procedure.rate must be a finite number above 0 and at most 1",
        ),
        (["procedure=elman", "procedure.syllables=3"], "procedure.syllables must be a whole number of 20 or more"),
        (["procedure=elman", "dataset=mnist"], "procedure=elman takes no dataset"),
    ],
)
def test_mistakes(words: list[str], says: str, cli: Callable[..., Said]) -> None:
    assert says in cli("train", *words).mistake
