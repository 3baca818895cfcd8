"""One variant of an experiment by hand: `repro train experiment=... variant=...`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Said
from repro.errors import UserError
from repro.study.experiment import last_wins, load, refuse_ignored, with_variant


def test_variant_is_put_before_the_user_s_own_words() -> None:
    name = "training_deep_networks/initialization"
    words = with_variant(["-m", f"experiment={name}", "variant=tanh_large", "seed=range(2)", "initialization.std=2"])
    assert words == [
        "-m",
        f"experiment={name}",
        "variant=tanh_large",
        "activation=tanh",
        "initialization=normal",
        "seed=range(2)",
        "initialization.std=2",
    ]


def test_first_variant_is_taken_unless_one_is_named() -> None:
    assert "variant=tanh_small" in with_variant(["experiment=training_deep_networks/initialization"])


def test_several_variants_are_trained_one_at_a_time() -> None:
    with pytest.raises(UserError, match=r"names several.*repro reproduce training_deep_networks/initialization"):
        with_variant(["-m", "experiment=training_deep_networks/initialization", "variant=tanh_small,relu_he"])
    with pytest.raises(UserError, match="unknown variant"):
        with_variant(["-m", "experiment=training_deep_networks/initialization", "variant=tanh_small,relu"])


def test_words_without_an_experiment_stay_as_they_are() -> None:
    for words in ([], ["-m", "seed=1,2"], ["experiment=null"], ["experiment=", "seed=1"]):
        assert with_variant(words) == words


def test_last_wins() -> None:
    assert last_wins(["a=1", "-m", "b=2", "a=3", "--cfg", "job"]) == ["-m", "b=2", "a=3", "--cfg", "job"]


@pytest.mark.usefixtures("undrawn")
def test_one_variant_trains(cli: Callable[..., Said], tmp_path: Path) -> None:
    name = "training_deep_networks/initialization"
    said = cli(
        "train",
        f"experiment={name}",
        "variant=relu_he",
        "architecture.width=10",
        "dataset.train_size=50",
        "dataset.features=10",
        "diagnostics.probe=50",
    )
    assert said.status == 0, said.err
    (folder,) = (tmp_path / "results/runs" / name).iterdir()
    settings = json.loads((folder / "summary.json").read_text())["settings"]
    assert settings["variant"] == "relu_he"
    assert settings["initialization._target_"] == "repro.model.initialization.he"
    assert settings["architecture.depth"] == 10


HOPFIELD = "understanding_neural_networks/hopfield"


@pytest.mark.parametrize("word", ["optimizer.lr=0.3", "dataset=mnist", "trainer.epochs=3,5", "+weight=binary"])
def test_a_setting_that_the_experiment_s_procedure_does_not_take_is_refused(word: str) -> None:
    group = word.lstrip("+").partition("=")[0].partition(".")[0]
    with pytest.raises(UserError) as refused:
        refuse_ignored([f"experiment={HOPFIELD}", "variant=capacity_100", "procedure.size=100", word])
    assert str(refused.value) == (
        f"procedure=hopfield of {HOPFIELD} takes no {group}, so that {word} has no meaning; leave it out"
    )


def test_what_it_takes_and_what_an_experiment_s_file_says_itself_is_not() -> None:
    refuse_ignored([f"experiment={HOPFIELD}", "procedure.size=100", "seed=3", "results_dir=elsewhere", "-m"])
    refuse_ignored(["experiment=training_deep_networks/initialization", "trainer.epochs=3"])
    refuse_ignored(["activation=relu"])
    refuse_ignored([f"experiment={HOPFIELD}", "procedure=train", "optimizer.lr=0.1"])
    mixed = load("understanding_neural_networks/deep_forest")
    for words in {job.variant: job.overrides for job in mixed.jobs("smoke")}.values():
        refuse_ignored(words)


def test_train_refuses_it_in_one_line(cli: Callable[..., Said]) -> None:
    for more in ((), ("-m",)):
        said = cli("train", *more, f"experiment={HOPFIELD}", "variant=capacity_100", "optimizer.lr=0.3")
        assert "takes no optimizer, so that optimizer.lr=0.3 has no meaning" in said.mistake
