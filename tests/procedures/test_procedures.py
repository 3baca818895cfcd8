"""Procedures: a function of a few lines is one; groups that it does not take are refused, and count for nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from conftest import Said
from repro.config.compose import compose
from repro.config.groups import GROUPS, limit, taken
from repro.config.run import resolve
from repro.errors import UserError
from repro.training.run import train

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


def test_a_run_without_a_trainer_beside_one_with(gambling: list[str], cli: Callable[..., Said]) -> None:
    Path("conf/procedure/dice.yaml").write_text(OPTION.replace("[]", "[dataset]"))
    trained = cli("train", "dataset=xor", "trainer.steps=1", "diagnostics=none", "trusted=[gambling]")
    assert trained.status == 0, trained
    said = cli("train", *gambling, "dataset=xor")
    assert said.status == 0, said
    assert len([*Path("results/runs/xor").iterdir()]) == 2


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


STACKED = """\
from repro.errors import whole
from repro.training.work import Measured, from_rows
import torch


def _check(*, throws):
    whole("throws", throws, 1)


@from_rows(check=_check, stacked=True)
def dice(data, rngs, *, throws: int):
    thrown = torch.stack([torch.randint(1, 7, (throws,), generator=rng).double() for rng in rngs])
    for n in range(1, throws + 1):
        yield Measured("mean", thrown[:, :n].mean(1), n)
    yield Measured("throws", throws)
"""


@pytest.fixture
def stacked(gambling: list[str]) -> list[str]:
    # A module of another name: the first may have been imported.
    Path("casino.py").write_text(STACKED)
    Path("conf/procedure/dice.yaml").write_text(OPTION.replace("gambling", "casino"))
    return [gambling[0], "trusted=[casino]"]


def test_all_seeds_at_once_are_each_seed_by_itself(stacked: list[str], cli: Callable[..., Said]) -> None:
    assert cli("train", *stacked, "procedure.throws=4", "replicas=3", "results_dir=together").status == 0
    for seed in range(3):
        assert cli("train", *stacked, "procedure.throws=4", f"seed={seed}", "results_dir=apart").status == 0
    together, apart = (
        pd.concat([pd.read_csv(file).drop(columns="run") for file in Path(folder).rglob("curves.csv")])
        .sort_values(["seed", "metric", "step"])
        .reset_index(drop=True)
        for folder in ("together", "apart")
    )
    assert len(together) == 3 * 5
    assert together.groupby("step")["value"].nunique().max() > 1
    pd.testing.assert_frame_equal(together, apart)


def test_settings_are_checked_before_anything_is_written(stacked: list[str], cli: Callable[..., Said]) -> None:
    said = cli("train", *stacked, "procedure.throws=0")
    assert said.mistake == "procedure: throws must be a whole number of 1 or more, not 0"
    assert not Path("results").exists()


def test_runs_of_a_procedure_and_of_training_lie_side_by_side(tmp_path: Path) -> None:
    """A procedure that takes no trainer looks for no shorter run of itself among those that have one."""
    few = [f"results_dir={tmp_path}", "dataset=digits", "dataset.subset=24"]
    folder = resolve(compose([*few, "trainer.steps=1", "trainer.batch_size=4"])).folder.parent
    train(resolve(compose([*few, "trainer.steps=1", "trainer.batch_size=4"])))
    fitted = [
        f"results_dir={tmp_path}",
        "procedure=support_vectors",
        "dataset=drawn_images",
        "dataset.images=digits",
        "dataset.size=40",
    ]
    run = resolve(compose(fitted))
    run = replace(run, folder=folder / run.folder.name)
    assert train(run).status == "done"
