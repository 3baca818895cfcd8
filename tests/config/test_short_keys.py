"""Short names of settings inside a part of an option, and what they must not be taken for."""

from pathlib import Path

import pytest

from repro.config.compose import compose
from repro.config.run import resolve
from repro.config.short_keys import spelled_out
from repro.errors import UserError

FULL = "activation.unit.alpha=0.5"


@pytest.mark.parametrize(
    ("words", "full"),
    [
        (["activation=elu", "activation.alpha=0.5"], ["activation=elu", FULL]),
        (["activation.alpha=0.5", "activation=elu"], [FULL, "activation=elu"]),
        (["-m", "activation=elu", "activation.alpha=0.5,1"], ["-m", "activation=elu", "activation.unit.alpha=0.5,1"]),
        (
            ["activation=tanh", "activation=elu", "activation.alpha=1"],
            ["activation=tanh", "activation=elu", "activation.unit.alpha=1"],
        ),
    ],
)
def test_a_part_s_setting(words: list[str], full: list[str]) -> None:
    assert spelled_out(words) == full


@pytest.mark.parametrize(
    "words",
    [
        ["activation=noisy_tanh", "activation.alpha=0.5"],  # its own
        ["activation.alpha=0.5"],  # tanh has none
        ["activation=elu", FULL],
        ["activation=elu", "activation._partial_=true"],
        ["activation=elu,tanh", "activation.alpha=0.5"],
        ["optimizer.lr=0.1", "trainer.epochs=3", "alpha=1", "nothing.alpha=1", "activation=no_such", "--cfg", "job"],
    ],
)
def test_other_words_stay(words: list[str]) -> None:
    assert spelled_out(words) == words


def test_the_option_may_be_the_experiment_s() -> None:
    words = ["experiment=linear_backprop/toy", "activation.unit.alpha=1"]
    assert spelled_out(words) == words
    study = ["experiment=esp_mean_field/mnist", "hessian.probes=3"]  # overrides hessian, whose settings are its own
    assert spelled_out(study) == study


def test_both_names_are_one_run() -> None:
    one, other = (resolve(compose(["activation=elu", word])) for word in ("activation.alpha=0.5", FULL))
    assert one.settings["activation"]["unit"]["alpha"] == 0.5
    assert one.id == other.id


def test_a_part_of_one_s_own_and_two_that_share_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("conf/activation").mkdir(parents=True)
    part = "{_target_: torch.nn.Softplus, _partial_: true, beta: 1.0}"
    own = Path("conf/activation/own.yaml")
    own.write_text(f"# Own.\n_target_: repro.model.activations.Activation\nunit: {part}\ngate: {part}\n")
    words = ["activation=own", "activation.beta=2"]
    assert spelled_out(words) == words
    with pytest.raises(UserError, match=r"several parts; write activation.unit.beta or activation.gate.beta"):
        compose(words)
    own.write_text(own.read_text().replace(f"gate: {part}", "gate: {_target_: torch.nn.Sigmoid, _partial_: true}"))
    assert compose(words).activation.unit.beta == 2


def test_a_misspelt_one_is_met_with_the_short_name() -> None:
    with pytest.raises(UserError, match=r"unknown setting 'activation.alpah'.*did you mean activation.alpha"):
        compose(["activation=elu", "activation.alpah=1"])
