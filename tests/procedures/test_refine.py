"""Training in stages of finer grids: exact across interruptions, the same stacked and alone."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from conftest import TINY, check_resuming
from repro.config.compose import compose
from repro.config.run import Run, resolve
from repro.model.activations.noise import GaussianNoise
from repro.model.architectures.kan import KAN
from repro.storage.schema import SPECTRUM
from repro.training.diagnosis import diagnose

WORDS = [
    "procedure=refine",
    "procedure.grids=[4,6]",
    "architecture=kan",
    "architecture.grid=2",
    "activation=swish",
    "trainer.precision=float64",
    "trainer.batch_size=null",
    "trainer.steps=9",
    "trainer.eval_every=1",
    "diagnostics.probe=8",
]


def curve(run: object, metric: str) -> pd.Series:
    rows = pd.read_csv(run.folder / "curves.csv")  # type: ignore[attr-defined]
    split, _, name = metric.partition("_")
    return rows[(rows["split"] == split) & (rows["metric"] == name)].set_index(["seed", "step"])["value"]


def test_grids_follow_each_other_in_equal_stages(trained: Callable) -> None:
    run = trained(*WORDS)
    grids, sizes = curve(run, "schedule_grid").loc[0], curve(run, "schedule_parameters").loc[0]
    assert grids.loc[1:].tolist() == [2.0] * 3 + [4.0] * 3 + [6.0] * 3
    edges = 2 * 8 + 8 * 8 + 8 * 2
    assert sizes.loc[9] == edges * (6 + 4) == run.summary["parameters"]
    assert sizes.loc[3] == edges * (2 + 4)
    loss = curve(run, "train_loss").loc[0]
    assert loss.loc[9] < loss.loc[0]


def test_stages_end_with_an_evaluation_whatever_is_asked_for(trained: Callable) -> None:
    run = trained(*WORDS, "trainer.eval_every=0")
    assert curve(run, "schedule_grid").loc[0].to_dict() == {0: 2.0, 3: 2.0, 6: 4.0, 9: 6.0}


def test_stacked_seeds_equal_single_ones(trained: Callable) -> None:
    together = curve(trained(*WORDS, "replicas=2", "optimizer=adam"), "test_loss")
    for seed in (0, 1):
        alone = curve(trained(*WORDS, f"seed={seed}", "optimizer=adam"), "test_loss")
        pd.testing.assert_series_equal(together.loc[[seed]], alone, rtol=1e-9)


def test_a_net_may_have_buffers_that_are_not_saved(trained: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    make = KAN.__init__

    @wraps(make)
    def noisy(self: KAN, *args: Any, **settings: Any) -> None:
        make(self, *args, **settings)
        self.noise = GaussianNoise(0.1)

    monkeypatch.setattr(KAN, "__init__", noisy)
    assert curve(trained(*WORDS), "schedule_grid").loc[0].loc[9] == 6


def test_a_line_search_goes_on_after_each_refinement(trained: Callable) -> None:
    loss = curve(trained(*WORDS, "optimizer=lbfgs"), "train_loss").loc[0]
    assert loss.loc[9] < loss.loc[4] < loss.loc[1]


def composed(folder: Path, *words: str) -> Run:
    return resolve(compose([*TINY, f"results_dir={folder}", *words]))


@pytest.mark.parametrize("step", [1, 2, 3, 7])
@pytest.mark.parametrize("more", [["optimizer=lbfgs"], ["optimizer=adam", "replicas=2"]])
def test_a_killed_run_ends_as_if_nothing_had_been(
    step: int, more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, at and after the update at which grids change; 2 saves the run between the two."""
    check_resuming(composed, [*WORDS, *more], step, tmp_path, monkeypatch)


def test_bad_input(cli: Callable) -> None:
    def mistake(*words: str, base: list[str] = WORDS) -> str:
        says: str = cli("train", *TINY, *base, *words).mistake
        return says

    assert mistake(base=["procedure=refine"]) == (
        "procedure=refine makes the grids of splines finer, and this net has none; "
        "take architecture=kan, or leave it out"
    )
    assert mistake("procedure.grids=[4,0]") == "procedure.grids: each must be a whole number of 1 or more, not 0"
    assert (
        mistake("procedure.adaptive=1") == "procedure.adaptive must be a finite number of at least 0 and below 1, not 1"
    )
    assert "procedure.grids lists 2 grids, each a stage after the first, for 2 updates in all" in mistake(
        "trainer.steps=2"
    )
    assert "trainer.keep_best could not take an earlier one up again" in mistake("trainer.keep_best=true")
    assert mistake("architecture.grid=0") == "architecture.grid must be a whole number of 1 or more, not 0"


def test_the_hessian_of_a_finished_run_is_that_of_its_last_net(trained: Callable) -> None:
    run = trained(*WORDS, "architecture.width=2", "architecture.depth=1", "hessian=exact")
    before = pd.read_csv(run.folder / "spectrum.csv")
    count = run.summary["parameters"]
    assert (before[before["step"] == 9]["index"].dropna().nunique() or count) == count
    lines = diagnose(run.folder, run.run.settings["hessian"])
    again = pd.DataFrame(lines, columns=SPECTRUM)
    last = before[before["step"] == 9]
    assert len(again) == len(last)
    assert again["value"].tolist() == pytest.approx(last["value"].tolist(), rel=1e-6, abs=1e-9)
