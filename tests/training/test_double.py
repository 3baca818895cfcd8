"""Runs in double precision, `trainer.precision=float64`."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

from conftest import Trained, check_resuming, equal
from repro.config.compose import compose
from repro.config.run import Run, resolve
from repro.procedures.train import Train
from repro.training import prepare
from repro.training.loop import Loop

DOUBLE = "trainer.precision=float64"
EVERYTHING = ("activation=noisy_tanh", "normalization=batch", "architecture.dropout=0.2", "optimizer=adam")


def start(*words: str) -> Loop:
    run = resolve(compose(list(words)))
    parts, device = prepare.components(run), torch.device("cpu")
    return Train()(prepare.Prepared(run, device, parts, *prepare.read_data(run, parts, device)))


def types(state: object) -> set[torch.dtype]:
    """Of all real tensors in nested containers, but counters of steps."""
    if isinstance(state, Tensor):
        return {state.dtype} if state.is_floating_point() and state.dim() else set()
    inside = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    return set().union(*map(types, inside))


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize(
    "words",
    [
        (),
        EVERYTHING,
        (
            "dataset=digits",
            "dataset.subset=40",
            "architecture=cnn",
            "architecture.channels=[2]",
            "architecture.hidden=[4]",
        ),
    ],
    ids=["plain", "everything", "cnn"],
)
def test_everything_is_double(words: tuple[str, ...], replicas: int, tiny: tuple[str, ...]) -> None:
    kept = [word for word in tiny if "cnn" not in " ".join(words) or not word.startswith(("dataset", "architecture"))]
    loop = start(*kept, *words, DOUBLE, f"replicas={replicas}")
    loop.start()
    assert loop.feed.batch(0).x.dtype == loop.probe.x.dtype == torch.float64
    assert {batch.x.dtype for split in ("train", "valid", "test") for batch in loop.feed.batches(split)} == {
        torch.float64
    }
    while not loop.finished:
        loop.advance()
    state = loop.state()
    for part in ("parameters", "buffers", "optimizer", "sums"):
        assert types(state[part]) <= {torch.float64}, part
    assert types(state["parameters"]) == {torch.float64}
    if words == EVERYTHING:
        assert types(state["buffers"]) == types(state["optimizer"]) == {torch.float64}


def test_numbers_that_are_to_be_predicted_are_double(tiny: tuple[str, ...]) -> None:
    loop = start(*tiny[-1:], "dataset=five_points", "task=regression", DOUBLE, "architecture.width=4")
    assert loop.feed.batch(0).y.dtype == torch.float64
    loop.advance()


def test_checkpoints_are_double_and_single_precision_stays_what_it_was(trained: Callable[..., Trained]) -> None:
    double, single = trained(DOUBLE), trained()
    assert types(double.state["parameters"]) == {torch.float64}
    assert types(single.state["parameters"]) == {torch.float32}
    # Both start from the same numbers and part by rounding.
    first, second = (pd.read_csv(run.folder / "curves.csv")["value"] for run in (double, single))
    assert not equal(first.tolist(), second.tolist())
    assert first.tolist() == pytest.approx(second.tolist(), abs=1e-5)
    assert double.run.id != single.run.id


# Without what draws noise: a stacked net draws in another order.
@pytest.mark.parametrize(
    "words",
    [
        (),
        ("activation=esp", "optimizer=adam", "normalization=layer"),
        ("activation=noisy_tanh", "architecture.dropout=0.2"),
    ],
    ids=" ".join,
)
def test_stacked_is_single_to_twelve_digits(words: tuple[str, ...], trained: Callable[..., Trained]) -> None:
    stacked = trained(*words, DOUBLE, "replicas=3", "seed=2", "trainer.steps=6").state["parameters"]
    for i, seed in enumerate((2, 3, 4)):
        single = trained(*words, DOUBLE, f"seed={seed}", "trainer.steps=6").state["parameters"]
        for name, value in single.items():
            torch.testing.assert_close(stacked[name][i], value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("replicas", [1, 2])
def test_resuming_is_exact(
    replicas: int, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(folder: Path, *more: str) -> Run:
        return resolve(compose([*tiny, DOUBLE, f"results_dir={folder}", *more]))

    words = (*EVERYTHING, f"replicas={replicas}", "trainer.steps=7", "trainer.checkpoint_seconds=0")
    check_resuming(run, words, 4, tmp_path, monkeypatch)
