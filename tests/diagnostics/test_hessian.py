"""The dense Hessian against closed forms, finite differences and a loop over parameters, all in float64."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from conftest import Trained
from curvature import ESP, ONE_LAYER, Case, case, random_data
from repro.datasets.protocol import Batch
from repro.diagnostics import hessian as dense
from repro.diagnostics import objective
from repro.diagnostics.hessian import hessian
from repro.diagnostics.objective import Objective
from repro.tasks import Classification

CLOSE = {"rtol": 1e-9, "atol": 1e-11}
SMALL = ["architecture.depth=2", "architecture.width=[5,4]"]
NETS = {
    "relu": ["activation=relu"],
    "esp": ["activation=esp", "activation.beta_std=0.7"],
    "esp, one β a layer": ["activation=esp", "activation.beta=0.5", "activation.per_layer=true"],
    "esp, β fixed": ["activation=esp", "activation.beta=0.5", "activation.fixed=true"],
    "sigmoid": ["activation=sigmoid"],
    "tanh": ["activation=tanh"],
    "β of outputs": ["activation=esp", "architecture.output_beta=1", "architecture.output_beta_std=0.3"],
    "activated output": ["architecture.activate_output=true"],
    "layer norm": ["normalization=layer"],
    "batch norm": ["normalization=batch"],
    "no biases": ["architecture.bias=false", "activation=esp"],
    "no hidden layer": ["architecture.depth=0"],
    "dropout": ["architecture.dropout=0.5"],
    "noisy": ["activation=noisy_tanh"],
    "sigmoid outputs": ["task=sigmoids"],
    "cnn": ["architecture=cnn", "architecture.channels=[2]", "architecture.hidden=[3]", "activation=tanh"],
}


def net(*words: str) -> Case:
    cnn = "architecture=cnn" in words
    data = random_data(shape=(1, 4, 4)) if cnn else random_data()
    return case(*([] if cnn else SMALL), *words, data=data, shaken=0.4)


def assert_symmetric(matrix: Tensor) -> None:
    assert torch.equal(matrix, matrix.T)


@pytest.mark.parametrize("name", NETS)
def test_equals_a_loop_over_parameters(name: str) -> None:
    slow = net(*NETS[name])
    expected = slow.looped_hessian()
    assert expected.abs().max() > 1e-3
    for cuts in (1, 4):
        found = hessian(slow.objective(cuts))
        assert_symmetric(found)
        torch.testing.assert_close(found, expected, **CLOSE)


@pytest.mark.parametrize("name", ["esp", "β of outputs", "layer norm", "no biases", "cnn"])
def test_products_and_gradient_equal_the_loop(name: str) -> None:
    slow = net(*NETS[name])
    ours, vectors = slow.objective(3), torch.randn(5, slow.objective().count, dtype=torch.float64)
    torch.testing.assert_close(ours.products(vectors), vectors @ slow.looped_hessian(), **CLOSE)
    torch.testing.assert_close(ours.gradient(), slow.gradient(), **CLOSE)
    singles = torch.cat(list(ours.sample_gradients()))
    assert singles.shape == (11, ours.count)
    torch.testing.assert_close(singles.mean(0), slow.gradient(), **CLOSE)
    single = Case(slow.module, slow.task, Batch(slow.batch.x[6:7], slow.batch.y[6:7]))
    torch.testing.assert_close(singles[6], single.gradient(), **CLOSE)


def test_of_a_few_digits_by_a_cnn() -> None:
    slow = case("dataset=digits", "dataset.subset=12", *NETS["cnn"], shaken=0.2)
    found = hessian(slow.objective(2))
    assert_symmetric(found)
    torch.testing.assert_close(found, slow.looped_hessian(), **CLOSE)


def test_of_linear_regression() -> None:
    data = random_data(outputs=2, numbers=True)
    found = hessian(case("architecture.depth=0", "task=regression", data=data, shaken=1).objective(3))
    x = torch.cat([data.train.x, torch.ones(11, 1, dtype=torch.float64)], 1)
    block = 2 / (11 * 2) * x.T @ x  # the mean is over samples and both columns
    expected = torch.zeros(10, 10, dtype=torch.float64)
    for places in ([0, 1, 2, 3, 8], [4, 5, 6, 7, 9]):  # weights of an output, then its bias
        expected[torch.tensor(places)[:, None], torch.tensor(places)] = block
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-14)


def test_of_logistic_regression() -> None:
    one = case("architecture.depth=0", "task=sigmoids", data=random_data(outputs=2), shaken=1)
    p = torch.sigmoid(one.module(one.batch.x))
    assert p.shape == (11, 1)
    x = torch.cat([one.batch.x, torch.ones(11, 1, dtype=torch.float64)], 1)
    expected = x.T @ (p * (1 - p) * x) / 11
    torch.testing.assert_close(hessian(one.objective()), expected.detach(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("activation", ["esp", "sigmoid", "tanh", "relu"])
def test_of_2_3_1_equals_differences_of_gradients(activation: str) -> None:
    one = case(*ONE_LAYER, "architecture.width=3", f"activation={activation}", "architecture.output_beta=1", shaken=0.3)
    columns, step = [], 1e-5
    for p in one.module.parameters():
        for i in range(p.numel()):
            sides = []
            for change in (step, -2 * step):
                with torch.no_grad():
                    p.view(-1)[i] += change
                sides.append(one.gradient())
            with torch.no_grad():
                p.view(-1)[i] += step
            columns.append((sides[0] - sides[1]) / (2 * step))
    assert len(columns) == (17 if activation == "esp" else 14)
    torch.testing.assert_close(hessian(one.objective()), torch.stack(columns, 1), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("rule", ["linear", "feedback_alignment"])
def test_the_backward_rule_does_not_matter(rule: str) -> None:
    exact, other = (net("activation=relu", f"backward={name}") for name in ("exact", rule))
    assert not torch.allclose(exact.gradient(), other.gradient())
    torch.testing.assert_close(hessian(other.objective()), exact.looped_hessian(), **CLOSE)
    torch.testing.assert_close(other.objective().gradient(), exact.gradient(), **CLOSE)
    # The net that is trained keeps its rule.
    assert not torch.allclose(exact.gradient(), other.gradient())


@pytest.mark.parametrize("name", ["esp", "no biases", "cnn"])
def test_little_memory_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = net(*NETS[name]).objective()
    at_once = hessian(one)
    assert one.block(one.batches[0]) > one.count
    for module in (objective, dense):
        monkeypatch.setattr(module, "MEMORY", 5_000)
    assert one.block(one.batches[0]) == 1
    found = hessian(one)
    assert_symmetric(found)
    torch.testing.assert_close(found, at_once, rtol=1e-12, atol=1e-14)
    gradients = list(one.sample_gradients())
    assert max(map(len, gradients)) < sum(map(len, gradients)) == 11


class Twice(nn.Module):
    """A layer that is used twice, as in nets with tied weights."""

    def __init__(self, tied: bool) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4) if tied else self.first
        if tied:
            self.second.weight = self.first.weight
        self.output = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(torch.tanh(self.second(torch.tanh(self.first(x)))))


class Pairs(nn.Module):
    """A layer that is used on pairs of inputs, (samples, 2, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.output = nn.Linear(2, 3), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(torch.tanh(self.first(x.unflatten(1, (2, 2)))).flatten(1))


class Branches(nn.Module):
    """Two layers side by side, and one of them around the other."""

    def __init__(self) -> None:
        super().__init__()
        self.output, self.left, self.right = nn.Linear(4, 3), nn.Linear(4, 4), nn.Linear(4, 4)
        self.unused = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(x + torch.tanh(self.left(x)) * torch.sigmoid(self.right(x)))


@pytest.mark.parametrize(
    "make",
    [lambda: Twice(False), lambda: Twice(True), Pairs, Branches],
    ids=["used twice", "tied", "on pairs", "branches"],
)
def test_of_nets_of_other_builds(make: Callable[[], nn.Module]) -> None:
    data = random_data().train
    module = make().double()
    slow = Case(module, Classification(), Batch(data.x, data.y))
    found = hessian(Objective(module, slow.task, [slow.batch]))
    torch.testing.assert_close(found, slow.looped_hessian(), **CLOSE)


def test_parameters_of_another_replica_take_the_place_of_the_net_s_own() -> None:
    one, other = (net("activation=esp", "normalization=batch", f"seed={seed}") for seed in (0, 1))
    other.module.hidden[0].normalization.running_mean += 0.3
    assert not torch.allclose(one.looped_hessian(), other.looped_hessian())
    moved = one.objective().at(dict(other.module.named_parameters()), dict(other.module.named_buffers()))
    torch.testing.assert_close(hessian(moved), other.looped_hessian(), **CLOSE)
    torch.testing.assert_close(hessian(one.objective()), one.looped_hessian(), **CLOSE)


def test_scores_are_those_of_the_whole_split() -> None:
    one = net("task=sigmoids")
    for cuts in (1, 4):
        expected = {k: v.item() for k, v in one.task.measure(one.module(one.batch.x), one.batch.y).items()}
        assert one.objective(cuts).scores() == pytest.approx(expected)


def indices(folder: Path, seed: int) -> pd.Series:
    """All but the one that counts rounding."""
    rows = pd.read_csv(folder / "curves.csv")
    rows = rows[(rows["split"] == "hessian") & (rows["seed"] == seed) & (rows["metric"] != "alpha_raw")]
    return rows.set_index(["step", "metric"])["value"]


@pytest.mark.parametrize("words", [ESP, ("activation=relu", "normalization=batch")], ids=["esp", "batch norm"])
def test_of_stacked_seeds_equals_those_one_by_one(words: tuple[str, ...], trained: Callable[..., Trained]) -> None:
    words = (
        *words,
        "hessian=exact",
        "trainer.precision=float64",
        "diagnostics.every=2",
        "trainer.steps=4",
        "optimizer.lr=0.1",
    )
    stacked = trained(*words, "replicas=3", "seed=4").folder
    for seed in (4, 5, 6):
        ours, alone = indices(stacked, seed), indices(trained(*words, f"seed={seed}").folder, seed)
        assert set(alone.index.get_level_values("step")) == {0, 2, 4}
        pd.testing.assert_series_equal(ours, alone, rtol=1e-6, atol=1e-9)
