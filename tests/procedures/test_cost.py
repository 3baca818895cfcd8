"""Measuring what activation derivatives cost: that it leaves out what it says, and tells what it found."""

import statistics

import pandas as pd
import pytest
import torch
from torch import nn

from repro.config.compose import compose
from repro.config.run import resolve
from repro.errors import UserError
from repro.model import backward
from repro.model.activations import Nonlinearity
from repro.model.activations.nonlinearity import under
from repro.procedures.cost import Cost, Turns, passing
from repro.training.prepare import prepare
from repro.training.run import train

SMALL = [
    "procedure=cost",
    "dataset=gaussian_noise",
    "dataset.train_size=8",
    "dataset.valid_size=0",
    "dataset.test_size=0",
    "dataset.features=6",
    "trainer.batch_size=8",
    "architecture.width=5",
    "architecture.depth=3",
    "procedure.repeats=4",
    "procedure.warm_up=1",
]


def work(*words: str) -> Turns:
    prepared = prepare(resolve(compose([*SMALL, *words])))
    found = prepared.components.procedure(prepared)
    assert isinstance(found, Turns)
    return found


def test_passing_is_linear_backprop() -> None:
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = []
    for rule in (passing, backward.linear):
        torch.manual_seed(1)
        net = nn.Sequential(nn.Linear(4, 3), Nonlinearity(nn.Sigmoid(), rule), nn.Linear(3, 1)).double()
        net(x).square().mean().backward()
        found.append([net(x).detach(), *(p.grad for p in net.parameters())])
    for one, two in zip(*found, strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize(
    ("activation", "with_slopes"),
    # What is kept besides for each of three layers of 8 × 5 numbers: the outputs are the next layer's inputs, which it
    # keeps for its weight; GELU's slope needs the input of the unit as well.
    [("tanh", 0), ("sigmoid", 0), ("relu", 0), ("gelu", 3 * 8 * 5)],
)
def test_memory_by_hand(activation: str, with_slopes: int) -> None:
    turns = work(f"activation={activation}")
    kept = [turns._kept(rule) for rule in (passing, backward.exact)]
    inputs = 8 * 6 + 3 * 8 * 5  # of the four weights
    loss = kept[0] - 4 * inputs  # log-probabilities and targets, whatever the rule
    assert 4 * 8 * 10 <= loss <= 4 * 8 * 10 + 8 * 8 + 16
    assert kept[1] - kept[0] == 4 * with_slopes


def test_tables_and_resuming() -> None:
    turns, other = work(), work()
    turns.start()
    assert [(row[3], row[4]) for row in turns.rows.curves] == [("cost", "memory_ratio"), ("cost", "kept_megabytes")]
    assert turns.advance() is None
    assert turns.advance() is None
    other.restore(turns.state())
    while not other.finished:
        scored = other.advance()
    assert scored is not None
    assert (other.step, len(other.turns)) == (4, 4)
    backward_ratio = statistics.median(turn[3] / turn[1] for turn in other.turns)
    assert scored["cost", "backward_ratio"][0] == pytest.approx(backward_ratio)
    step_ratio = statistics.median((turn[2] + turn[3]) / (turn[0] + turn[1]) for turn in other.turns)
    assert scored["cost", "step_ratio"][0] == pytest.approx(step_ratio)
    assert all(seconds > 0 for turn in other.turns for seconds in turn)


def test_rules_are_put_back() -> None:
    module = work().learner.module
    nonlinearities = [nonlinearity for nonlinearity in module.modules() if isinstance(nonlinearity, Nonlinearity)]
    before = [nonlinearity.rule for nonlinearity in nonlinearities]
    with under(module, passing):
        assert all(nonlinearity.rule is passing for nonlinearity in nonlinearities)
    assert [nonlinearity.rule for nonlinearity in nonlinearities] == before


def test_a_run_of_it(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    run = resolve(compose([*SMALL, f"results_dir={tmp_path}"]))
    assert train(run).status == "done"
    curves = pd.read_csv(run.folder / "curves.csv")
    assert set(curves["split"]) == {"cost"}
    assert not (run.folder / "failed.json").exists()
    from repro.verbs.show import present

    present(run.folder)
    said = capsys.readouterr().out
    assert "cost memory ratio" in said
    assert "overview" not in said


def test_what_it_refuses() -> None:
    with pytest.raises(UserError, match="procedure=cost measures one net at a time; take replicas=1"):
        work("replicas=2")
    with pytest.raises(
        UserError, match="procedure=cost takes no backward, so that backward=linear has no meaning; leave it out"
    ):
        work("backward=linear")
    with pytest.raises(
        UserError, match=r"takes no diagnostics, so that diagnostics\.predictions=\['test'\] has no meaning"
    ):
        work("diagnostics.predictions=[test]")
    prepared = prepare(resolve(compose(["procedure=cost", "dataset=unique_numbers", "architecture=lstm_classifier"])))
    with pytest.raises(UserError, match="procedure=cost is for nets without a state; take architecture=mlp, say"):
        prepared.components.procedure(prepared)
    with pytest.raises(UserError, match=r"procedure\.repeats must be a whole number of 1 or more, not 0"):
        Cost(0, 0)
