"""The learning-rate finder: rates rise as they should, the loss is that of training, and its advice trains a net."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import Said
from repro.config.compose import compose
from repro.config.run import resolve
from repro.procedures.lr_finder import smoothed, suggestion
from repro.text.result import line
from repro.training import loop
from repro.training.run import train

FINDER = (
    "procedure=lr_finder",
    "dataset=xor",
    "dataset.train_size=96",
    "trainer.batch_size=16",
    "architecture.width=8",
)


def found(folder: Path) -> pd.DataFrame:
    curves = pd.read_csv(folder / "curves.csv")
    assert set(curves["split"]) == {"lr_finder"}
    return curves.pivot_table(index=["seed", "step"], columns="metric", values="value")


def trained(results: Path, *words: str) -> Path:
    return train(resolve(compose([*FINDER, f"results_dir={results}", *words]))).folder


def test_rates_rise_until_the_loss_does(tmp_path: Path) -> None:
    table = found(trained(tmp_path, "procedure.steps=60", "procedure.highest=1e4")).loc[0]
    assert table["rate"].iloc[0] == 1e-6
    assert np.allclose(np.diff(np.log(table["rate"])), math.log(1e10) / 59)
    assert len(table) < 60, "a loss that blows up ends the search"
    assert table["loss"].iloc[0] == pytest.approx(math.log(2), abs=0.3)
    assert table["smoothed"].tolist()[:9] == pytest.approx(smoothed(table["loss"].tolist(), 0.9)[:9])
    suggested, lowest = table["suggested_rate"].iloc[-1], table["lowest_rate"].iloc[-1]
    assert 1e-6 < suggested <= lowest < 1e4


def test_it_is_not_evaluated_between(tmp_path: Path) -> None:
    often, never = (trained(tmp_path, "procedure.steps=12", f"trainer.eval_steps={n}") for n in (5, "null"))
    pd.testing.assert_frame_equal(found(often), found(never))


def test_what_is_suggested_is_where_the_loss_falls_fastest() -> None:
    """Of a curve whose steepest place and minimum are known: -tanh at rate 1e-2, up again from 1 on."""
    rates = np.logspace(-5, 1, 121)
    curve = 2 - np.tanh(np.log(rates / 1e-2)) + np.maximum(np.log(rates), 0) * 3
    advice = suggestion(rates.tolist(), curve.tolist())
    assert advice["suggested_rate"] == pytest.approx(1e-2, rel=0.06)
    assert 0.3 < advice["lowest_rate"] <= 1.1
    assert suggestion(rates.tolist(), np.linspace(1, 2, 121).tolist()) == {}
    assert suggestion(rates.tolist(), [math.nan] * 121) == {}


def test_smoothing_starts_at_the_first_value() -> None:
    assert smoothed([3.0, 3.0, 3.0], 0.9) == pytest.approx([3.0] * 3)
    assert smoothed([1.0, 5.0], 0.0) == [1.0, 5.0]
    # The mean of the values with weights 0.5 and 1.
    assert smoothed([1.0, 4.0], 0.5)[1] == pytest.approx((0.5 * 1 + 4) / 1.5)


def test_seeds_stacked_are_those_one_by_one(tmp_path: Path) -> None:
    words = ("procedure.steps=20", "procedure.highest=0.5")
    stacked = found(trained(tmp_path / "stacked", *words, "replicas=2"))
    for seed in (0, 1):
        alone = found(trained(tmp_path / "alone", *words, f"seed={seed}"))
        for metric in ("rate", "loss", "smoothed"):
            assert np.allclose(stacked.loc[seed, metric], alone.loc[seed, metric], rtol=1e-4)


class Elsewhere(torch.Tensor):
    """A tensor as on a GPU: numpy takes it only from the CPU."""

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def cpu(self) -> torch.Tensor:  # type: ignore[override]
        return self.as_subclass(torch.Tensor)


def test_predictions_are_counted_on_any_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = found(trained(tmp_path / "here", "procedure.steps=12"))
    monkeypatch.setattr(loop, "counts", lambda _task, target: torch.tensor([target.shape[1]]).as_subclass(Elsewhere))
    pd.testing.assert_frame_equal(found(trained(tmp_path / "elsewhere", "procedure.steps=12")), here)


def test_what_it_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Said]) -> None:
    monkeypatch.chdir(tmp_path)
    said = cli("train", *FINDER, "procedure.steps=30")
    assert said.status == 0, said.err
    assert "lr finder suggested rate" in said.out
    (figure,) = tmp_path.rglob("lr_finder.png")
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert line("loss by rate", str(figure.relative_to(tmp_path))) in said.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("procedure.lowest=0",), "procedure.lowest"),
        (("procedure.lowest=1", "procedure.highest=0.1"), "procedure.highest"),
        (("procedure.steps=3",), "procedure.steps must be a whole number of 10 or more"),
        (("procedure.smoothing=1",), "procedure.smoothing"),
        (("procedure.stop=1",), "procedure.stop"),
        (("optimizer=lbfgs", "trainer.batch_size=null"), "take optimizer=sgd"),
        (("schedule=cosine",), "procedure=lr_finder takes no schedule"),
    ],
)
def test_mistakes(words: tuple[str, ...], says: str, cli: Callable[..., Said]) -> None:
    base = [w for w in FINDER if w.split("=")[0] not in {word.split("=")[0] for word in words}]
    assert says in cli("train", *base, *words).mistake
