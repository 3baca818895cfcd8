"""Predictions in a table: `diagnostics.predictions`."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from loading import load
from repro.config.compose import compose
from repro.config.run import resolve
from repro.errors import UserError
from repro.storage.tables import read
from repro.study.collect import Expected, collect
from repro.training.run import train


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("more", [[], ["normalization=batch", "architecture.dropout=0.5"]], ids=["plain", "norm"])
def test_predictions_are_those_that_are_scored(replicas: int, more: list[str], trained: Callable) -> None:
    run = trained("diagnostics.predictions=[test]", f"replicas={replicas}", *more)
    rows = read(run.folder / "predictions.csv")
    data = load("xor", train_size=48, valid_size=16, test_size=16)
    assert len(rows) == 16 * replicas
    for seed, own in rows.groupby("seed"):
        assert own["sample"].tolist() == list(range(16))
        assert own["target"].tolist() == data.test.y.tolist()
        assert own[["input_0", "input_1"]].to_numpy().flatten().tolist() == pytest.approx(
            data.test.x.flatten().tolist()
        )
        right = (own["target"] == own["predicted"]).mean()
        assert run.summary["metrics"][str(seed)]["test_accuracy"] == pytest.approx(right)


def test_nothing_is_written_unless_asked_for(trained: Callable) -> None:
    assert not (trained().folder / "predictions.csv").exists()


def test_an_input_that_is_not_there_stays_empty(trained: Callable) -> None:
    words = ["dataset=gaussian_noise", "dataset.train_size=48", "dataset.features=1"]
    rows = read(trained("diagnostics.predictions=[train]", *words).folder / "predictions.csv")
    assert len(rows) == 48
    assert rows["input_0"].notna().all()
    assert rows["input_1"].isna().all()


def test_predictions_are_collected_and_kept(trained: Callable, tmp_path: Path) -> None:
    runs = {name: trained("diagnostics.predictions=[test]", f"seed={seed}") for seed, name in enumerate(("a", "b"))}
    plain = trained("seed=7")
    entries = {run.run.id: Expected(name, {}, run.folder, run.run.seeds) for name, run in runs.items()}
    entries[plain.run.id] = Expected("plain", {}, plain.folder, plain.run.seeds)
    collect(entries, tmp_path / "one", "full")
    table = read(tmp_path / "one" / "predictions.csv.gz")
    assert table.groupby("variant").size().to_dict() == {"a": 16, "b": 16}
    before = (tmp_path / "one" / "predictions.csv.gz").read_bytes()
    for file in runs["a"].folder.iterdir():
        file.unlink()
    collect(entries, tmp_path / "one", "full")
    assert (tmp_path / "one" / "predictions.csv.gz").read_bytes() == before
    collect({plain.run.id: entries[plain.run.id]}, tmp_path / "one", "full")
    assert not (tmp_path / "one" / "predictions.csv.gz").exists()


def test_mistakes() -> None:
    with pytest.raises(UserError, match=r"unknown split in diagnostics.predictions 'tset'.*did you mean test"):
        resolve(compose(["diagnostics.predictions=[train,tset]"]))
    with pytest.raises(UserError, match=r"diagnostics\.predictions writes a number or a text a sample, and task="):
        resolve(compose(["diagnostics.predictions=[test]", "task=sequence"]))


@pytest.mark.parametrize("replicas", [1, 2])
def test_of_a_regression_they_are_the_outputs(replicas: int, tmp_path: Path) -> None:
    words = ["dataset=five_points", "task=regression", "trainer.steps=3", "diagnostics.predictions=[valid]"]
    run = resolve(compose([*words, "trainer.batch_size=null", f"replicas={replicas}", f"results_dir={tmp_path}"]))
    train(run)
    rows, curves = read(run.folder / "predictions.csv"), read(run.folder / "curves.csv")
    assert rows["input_0"].tolist() == [-2, -1, 0, 1, 2] * replicas
    losses = curves[(curves["split"] == "valid") & (curves["metric"] == "loss") & (curves["step"] == 3)]
    for seed, own in rows.groupby("seed"):
        error = ((own["predicted"] - own["target"]) ** 2).mean()
        assert error == pytest.approx(losses.loc[losses["seed"] == seed, "value"].item(), rel=1e-5)


FEW = ("diagnostics.predictions=[valid]", "trainer.batch_size=100", "diagnostics.steps=[2,5]")
THROUGHOUT = "diagnostics.predictions_throughout=true"


@pytest.mark.parametrize("replicas", [1, 2])
def test_predictions_on_the_way_are_those_of_shorter_runs(replicas: int, trained: Callable, tmp_path: Path) -> None:
    words = (*FEW, f"replicas={replicas}")
    whole = read(trained(*words, THROUGHOUT, "trainer.steps=6").folder / "predictions.csv")
    assert sorted(whole["step"].unique()) == [0, 2, 5, 6]
    for steps in (2, 6):
        alone = read(
            trained(*words, f"trainer.steps={steps}", f"results_dir={tmp_path}/apart").folder / "predictions.csv"
        )
        own = whole[whole["step"] == steps].drop(columns="run").reset_index(drop=True)
        pd.testing.assert_frame_equal(
            own.sort_values(["seed", "sample"], ignore_index=True),
            alone.drop(columns="run").sort_values(["seed", "sample"], ignore_index=True),
        )


def test_a_longer_run_goes_on_with_the_predictions_of_a_shorter_one(trained: Callable, tmp_path: Path) -> None:
    words = (*FEW, THROUGHOUT)
    trained(*words, "trainer.steps=5")
    longer = read(trained(*words, "trainer.steps=9").folder / "predictions.csv")
    anew = read(trained(*words, "trainer.steps=9", f"results_dir={tmp_path}/apart").folder / "predictions.csv")
    pd.testing.assert_frame_equal(longer, anew)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([THROUGHOUT], r"predictions_throughout needs splits, e\.g\. diagnostics\.predictions=\[valid\]"),
        ([THROUGHOUT, FEW[0], "dataset=learning_to_execute", "task=sequence", "architecture=lstm"], "has none"),
    ],
)
def test_predictions_on_the_way_need_something_to_write(words: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        resolve(compose(words))
