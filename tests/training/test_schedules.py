"""Schedules that go by the update: warm-up and one cycle, beside torch's own."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from repro.config.compose import compose
from repro.config.run import resolve
from repro.errors import UserError
from repro.schedules.rate import OneCycle, Plateau, WarmUp, linear, step, up_and_down
from repro.training.run import train


def of_torch(make: object, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0, momentum=0.9)
    schedule = make(optimizer)  # type: ignore[operator]
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_one_cycle_is_that_of_torch() -> None:
    """Whose phases end an update before ours."""
    total = 1001
    theirs = of_torch(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 1.0, total_steps=total, div_factor=25, final_div_factor=1e4),
        total,
    )
    own = OneCycle(rising=0.3, start=0.04, floor=4e-6)
    assert [own(step, total - 1) for step in range(total)] == pytest.approx(theirs, abs=0.006)
    assert own(0, 7) == pytest.approx(0.04)
    assert own(0.3 * 7, 7) == pytest.approx(1)
    assert own(7, 7) == pytest.approx(4e-6)


def test_warm_up_is_that_of_torch() -> None:
    theirs = of_torch(lambda o: torch.optim.lr_scheduler.LinearLR(o, start_factor=0.01, total_iters=10), 20)
    own = WarmUp(after=2.5, start=0.01)  # of 4 updates each
    assert [own(step / 4, 5) for step in range(20)] == pytest.approx(theirs)


def test_a_run_warms_up_within_an_epoch(tmp_path: Path) -> None:
    words = ("dataset=xor", "dataset.train_size=64", "trainer.batch_size=16", "schedule=warm_up", "optimizer.lr=0.4")
    short = ("schedule.after=2", "trainer.epochs=3", "architecture.width=4", f"results_dir={tmp_path}")
    curves = pd.read_csv(train(resolve(compose([*words, *short]))).folder / "curves.csv")
    rates = curves.loc[curves["metric"] == "learning_rate"].set_index("step")["value"]
    assert rates[4] == pytest.approx(0.4 * WarmUp(2, 0.01)(3 / 4, 3))  # of the last update before the evaluation
    assert rates[12] == pytest.approx(0.4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: WarmUp(0, 0.1),
        lambda: WarmUp(1, 0),
        lambda: OneCycle(1, 0.1, 0),
        lambda: OneCycle(0.3, 2, 0),
        lambda: OneCycle(0.3, 0.1, -1),
        lambda: Plateau(1, 1),
        lambda: Plateau(0.5, 0),
        lambda: WarmUp(10**400, 0.1),
        lambda: step(0, 9, 0, 0.5),
        lambda: linear(0, 9, 1.5),
        lambda: up_and_down(0, 9, -1, 0),
    ],
)
def test_mistakes(make: object) -> None:
    with pytest.raises(UserError, match=r"^schedule\."):
        make()  # type: ignore[operator]
