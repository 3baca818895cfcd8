"""Procedures: a function of a few lines is one; groups that it does not take are refused, and count for nothing."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from conftest import Said
from repro.config.compose import compose
from repro.config.groups import GROUPS, limit, taken
from repro.config.run import resolve
from repro.errors import UserError

MODULE = """\
from collections.abc import Iterator

import torch

from repro.training.work import Measured, from_rows


@from_rows
def dice(data: None, rng: torch.Generator, *, throws: int) -> Iterator[Measured]:
    thrown = torch.randint(1, 7, (throws,), generator=rng).double()
    for n in range(1, throws + 1):
        yield Measured("mean", float(thrown[:n].mean()), n)
"""
OPTION = """\
# The mean of so many throws of a die.
_target_: gambling.dice
_takes_: []
throws: 10
"""


@pytest.fixture
def gambling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (tmp_path / "gambling.py").write_text(MODULE)
    (tmp_path / "conf/procedure").mkdir(parents=True)
    (tmp_path / "conf/procedure/dice.yaml").write_text(OPTION)
    monkeypatch.chdir(tmp_path)
    return ["procedure=dice", "trusted=[gambling]"]


def test_a_function_from_settings_to_rows(gambling: list[str], cli: Callable[..., Said]) -> None:
    said = cli("train", *gambling, "procedure.throws=5", "replicas=3")
    assert said.status == 0, said
    assert "dice · 3 seeds from 0" in said.out
    assert "dice mean" in said.out
    (folder,) = Path("results/runs/dice").iterdir()
    assert folder.name.startswith("dice-throws=5-seed0x3-")
    curves = pd.read_csv(folder / "curves.csv")
    assert list(curves["step"]) == [*range(1, 6)] * 3
    assert set(curves["split"]) == {"dice"}
    assert curves.groupby("seed")["value"].nunique().gt(1).all()
    assert "already trained" in cli("train", *gambling, "procedure.throws=5", "replicas=3").out
    assert "dice.throws must be" not in cli("train", *gambling, "procedure.throws=many").err
    assert "procedure.throws must be a whole number" in cli("train", *gambling, "procedure.throws=many").mistake


@pytest.mark.parametrize(
    "word", ["optimizer=adam", "optimizer.lr=3", "dataset=mnist", "trainer.epochs=3", "diagnostics.every=2"]
)
def test_groups_that_are_not_taken_are_refused(gambling: list[str], word: str) -> None:
    group = word.partition("=")[0].partition(".")[0]
    with pytest.raises(UserError, match=f"procedure=dice takes no {group}, so that {word} has no meaning; leave it"):
        resolve(compose([*gambling, word]))


def test_groups_that_are_not_taken_are_null(gambling: list[str]) -> None:
    run = resolve(compose(gambling))
    assert {group for group in GROUPS if run.settings[group] is not None} == {"procedure"}
    assert run.settings["choices"] == {"procedure": "dice"}


def test_training_takes_everything() -> None:
    settings = resolve(compose([])).settings
    assert taken(settings) == set(GROUPS)
    before = dict(settings)
    limit(settings)
    assert settings == before


def test_an_activation_that_a_net_never_asks_for_is_refused(cli: Callable[..., Said], tiny: tuple[str, ...]) -> None:
    words = ("train", *tiny, "architecture.depth=0")
    assert (
        "no place for an activation, so that activation=relu has no meaning" in cli(*words, "activation=relu").mistake
    )
    assert not Path("results").exists()
    assert cli(*words).status == 0


def test_a_procedure_without_a_trainer_finds_nothing_to_go_on_from_among_others_runs(
    gambling: list[str], cli: Callable[..., Said]
) -> None:
    """Runs of the same data set and seeds lie in one folder, whatever they did."""
    Path("conf/procedure/dice.yaml").write_text(OPTION.replace("_takes_: []", "_takes_: [dataset]"))
    data = ["dataset=xor", "dataset.train_size=24", "dataset.valid_size=8", "dataset.test_size=8"]
    assert cli("train", *data, "trainer.epochs=1", "architecture.width=4", "diagnostics.probe=8").status == 0
    said = cli("train", *data, *gambling)
    assert said.status == 0, said
