"""L-BFGS: it reaches stationary points, goes on where it was, and is refused where it would compare two functions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import Said, Trained, check_resuming
from loading import load
from repro.config.compose import compose
from repro.config.run import Run, resolve
from repro.training.run import train

SEARCH = ("optimizer=lbfgs", "trainer.batch_size=null", "trainer.precision=float64")
LINEAR = ("dataset=five_points", "task=regression", "architecture.depth=0")


@pytest.fixture
def searched(tmp_path: Path) -> Callable[..., Trained]:
    """Trains a run of L-BFGS."""

    def run(*words: str) -> Trained:
        resolved = resolve(compose([*SEARCH, *words, f"results_dir={tmp_path}"]))
        return Trained(resolved, train(resolved))

    return run


def gradient_norm(run: Trained) -> float:
    rows = pd.read_csv(run.folder / "curves.csv").query("split == 'hessian' and metric == 'gradient_norm'")
    return rows["value"].iloc[-1]


def test_reaches_the_least_squares_solution(searched: Callable[..., Trained]) -> None:
    run = searched(*LINEAR, "trainer.steps=3", "hessian=exact", "diagnostics.log_spaced=0")
    assert gradient_norm(run) < 1e-8
    data = load("five_points").train
    x, y = data.x.flatten(1).double().numpy(), data.y.double().numpy()
    solution = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0]
    found = run.state["parameters"]
    weights = np.concatenate([found["output.weight"].numpy().T, found["output.bias"].numpy()[None]])
    np.testing.assert_allclose(weights, solution, rtol=1e-6, atol=1e-8)


def test_reaches_the_least_loss_of_logistic_regression(searched: Callable[..., Trained]) -> None:
    # Labels that no line tells apart keep the minimum from running away to infinity.
    run = searched(
        "dataset=boundary",
        "task=sigmoids",
        "architecture.depth=0",
        "dataset.kind=nonlinear",
        "dataset.noisy_labels=0.3",
        "trainer.steps=5",
        "hessian=exact",
        "diagnostics.log_spaced=0",
    )
    assert gradient_norm(run) < 1e-8
    losses = pd.read_csv(run.folder / "curves.csv").query("split == 'train' and metric == 'loss'")["value"]
    assert losses.is_monotonic_decreasing
    rows = pd.read_csv(run.folder / "spectrum.csv").query("step == 5 and quantity == 'eigenvalue'")
    assert (rows["value"] > 0).all()


def test_a_step_is_torch_s_own(searched: Callable[..., Trained]) -> None:
    run = searched(*LINEAR, "trainer.steps=2", "optimizer.max_iter=3")
    begin = searched(*LINEAR, "trainer.epochs=0").state["parameters"]
    data = load("five_points").train
    x, y = data.x.flatten(1).double(), data.y.double()
    weight, bias = (begin[name].clone().requires_grad_() for name in ("output.weight", "output.bias"))
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        lr=1,
        max_iter=3,
        tolerance_grad=1e-12,
        tolerance_change=1e-16,
        history_size=20,
        line_search_fn="strong_wolfe",
    )
    losses = []

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = (x @ weight.T + bias - y).square().mean()
        value.backward()
        losses.append(value.item())
        return value

    firsts = []
    for _ in range(2):
        firsts.append(len(losses))
        optimizer.step(loss)
    torch.testing.assert_close(run.state["parameters"]["output.weight"], weight.detach())
    # The training loss of a step is that before it, as with other optimizers.
    curves = pd.read_csv(run.folder / "curves.csv").query("split == 'train' and metric == 'loss'").set_index("step")
    assert curves.loc[1:, "value"].tolist() == pytest.approx([losses[i] for i in firsts])


@pytest.mark.parametrize("precision", ["float64", "null"])
def test_resuming_is_exact(
    precision: str, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(folder: Path, *more: str) -> Run:
        return resolve(compose([*tiny, *SEARCH, f"trainer.precision={precision}", f"results_dir={folder}", *more]))

    words = (
        "trainer.steps=6",
        "optimizer.max_iter=3",
        "trainer.checkpoint_seconds=0",
        "hessian=exact",
        "diagnostics.every=2",
    )
    check_resuming(run, words, 3, tmp_path, monkeypatch)


WITH = "train optimizer=lbfgs trainer.batch_size=null "
MISTAKES = {
    "replicas": (WITH + "replicas=2", ["does not go with replicas=2", "-m seed=range(2)"]),
    "batches": ("train optimizer=lbfgs", ["needs the whole training split", "set trainer.batch_size=null"]),
    "l1": (WITH + "trainer.l1=0.1", ["trainer.l1 changes gradients", "leave it out"]),
    "l2": (WITH + "trainer.l2=0.1", ["trainer.l2 changes gradients", "leave it out"]),
    "clip_norm": (WITH + "trainer.clip_norm=1", ["trainer.clip_norm changes"]),
    "clip_value": (WITH + "trainer.clip_value=1", ["trainer.clip_value changes"]),
    "clip_weights": (WITH + "trainer.clip_weights=1", ["trainer.clip_weights changes"]),
    "dropout": (WITH + "architecture.dropout=0.1", ["noisy units and dropout draw anew", "another optimizer"]),
    "noisy tanh": (WITH + "activation=noisy_tanh", ["noisy units and dropout draw anew"]),
    "noisy sigmoid": (WITH + "activation=noisy_sigmoid", ["noisy units and dropout draw anew"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, cli: Callable[..., Said], tmp_path: Path) -> None:
    words, parts = MISTAKES[name]
    said = cli(*words.split(), "dataset=xor").mistake
    assert all(part in said for part in parts), said
    assert list(tmp_path.iterdir()) == []
