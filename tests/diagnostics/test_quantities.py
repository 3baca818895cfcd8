"""What is measured in the layers, held against slow twins in float64, and that measuring changes nothing."""

import math
import re
import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from conftest import equal
from repro.config.compose import compose
from repro.config.run import resolve
from repro.datasets.memory import Data, Split
from repro.diagnostics.measure import of_layers
from repro.diagnostics.probe import call_order, layers_of
from repro.diagnostics.quantities import REGISTRY, WANTED, update_ratio
from repro.diagnostics.schedule import measured_steps
from repro.paths import CLONE
from repro.training.prepare import components, models, prepare
from repro.training.replicas import learner
from repro.training.run import train
from twin import BINS, Twin

SAMPLES, CLASSES = 7, 3


@dataclass(frozen=True)
class Case:
    """Nets of several seeds with a batch, all in float64."""

    modules: list[nn.Module]
    seeds: tuple[int, ...]
    task: Any
    x: Tensor
    y: Tensor

    def measured(self) -> dict[tuple[str, str], list[float]]:
        """By layer and quantity the values of all seeds, as the program measures them."""
        taught = learner(self.modules, self.seeds, self.task, torch.device("cpu"))
        parameters = taught.parameters if taught.stacked else {k: v[None] for k, v in taught.parameters.items()}
        traces = taught.probe(self.x, self.y)
        rows = of_layers(taught.layers, traces, parameters, WANTED, BINS, self.x, self.y)
        return {(layer, quantity): values.tolist() for layer, _, quantity, values in rows}


def case(*words: str, shape: tuple[int, ...] = (6,), seeds: int = 1) -> Case:
    size = [] if "architecture=cnn" in words else ["architecture.width=5", "architecture.depth=3"]
    run = resolve(compose([*size, *words]))
    run = replace(run, settings=run.settings | {"replicas": seeds})
    rng = torch.Generator().manual_seed(1)
    x = 1.5 * torch.randn(SAMPLES, *shape, generator=rng, dtype=torch.float64)
    y = torch.randint(CLASSES, (SAMPLES,), generator=rng)
    parts = components(run)
    made = models(run, parts, Data(*[Split(x, y)] * 3, outputs=CLASSES, name="random"))
    return Case([module.double() for module in made], run.seeds, parts.task, x, y)


NETS = {
    "mlp-tanh": ((), (6,)),
    "mlp-tanh-saturated": (("initialization=normal", "initialization.std=3"), (6,)),
    "mlp-tanh-biases": (("initialization=uniform_everywhere", "initialization.bound=1"), (6,)),
    "mlp-relu": (("activation=relu", "initialization=normal", "initialization.std=1.5"), (6,)),
    "mlp-sigmoid-layer": (("activation=sigmoid", "normalization=layer"), (6,)),
    "mlp-esp": (("activation=esp", "activation.beta_std=1"), (6,)),
    "mlp-swish": (("activation=swish",), (6,)),
    "cnn-tanh": (("architecture=cnn", "architecture.channels=[3,4]", "architecture.hidden=[5]"), (2, 5, 6)),
    "cnn-relu": (
        (
            "architecture=cnn",
            "architecture.channels=[3]",
            "architecture.hidden=[6,5]",
            "activation=relu",
            "architecture.bias=false",
            "initialization=normal",
            "initialization.std=1",
        ),
        (1, 4, 4),
    ),
}


def compare(found: dict[tuple[str, str], list[float]], twins: list[dict[tuple[str, str], float]]) -> None:
    assert set(found) == set(twins[0])
    for key, values in found.items():
        for value, twin in zip(values, twins, strict=True):
            assert value == pytest.approx(twin[key], rel=1e-9, abs=1e-12), key


@pytest.mark.parametrize("seeds", [1, 3], ids=["single", "stacked"])
@pytest.mark.parametrize("net", NETS)
def test_quantities_equal_a_slow_twin(net: str, seeds: int) -> None:
    words, shape = NETS[net]
    it = case(*words, shape=shape, seeds=seeds)
    twins = [Twin(module, it.x, it.y).quantities() for module in it.modules]
    compare(it.measured(), twins)


def test_the_nets_above_have_something_to_find() -> None:
    # Twins that agree on 0 everywhere would show nothing.
    saturated = case(*NETS["mlp-tanh-saturated"][0]).measured()
    assert 0.2 < saturated["hidden.1", "saturated_share"][0] < 1
    dead = case(*NETS["mlp-relu"][0], seeds=3).measured()
    assert 0 < np.mean([dead[f"hidden.{i}", "dead_share"] for i in range(3)]) < 1
    shares = case(*NETS["mlp-relu"][0], seeds=3).measured()
    assert shares["hidden.1", "single_sign_share"] == [1, 1, 1]  # what comes out of ReLU units is never negative
    assert 0 < np.mean(case(*NETS["mlp-tanh"][0], seeds=9).measured()["hidden.1", "single_sign_share"]) < 1
    channels = case(*NETS["cnn-relu"][0], shape=NETS["cnn-relu"][1], seeds=3).measured()
    assert 0 < np.mean([channels[f"hidden.{i}", "dead_share"] for i in range(2)]) < 1


@pytest.mark.parametrize("seeds", [1, 2], ids=["single", "stacked"])
@pytest.mark.parametrize(
    ("words", "shape"),
    [((), (6,)), (("architecture=cnn", "architecture.channels=[3]", "architecture.hidden=[5]"), (1, 4, 4))],
    ids=["mlp", "cnn"],
)
def test_batch_norm_takes_the_samples_together(words: tuple[str, ...], shape: tuple[int, ...], seeds: int) -> None:
    it = case("normalization=batch", *words, shape=shape, seeds=seeds)
    found = it.measured()  # first: the twin moves the running averages
    compare(found, [Twin(module, it.x, it.y, together=True).quantities() for module in it.modules])


def test_hard_units_are_saturated_at_and_beyond_the_knee() -> None:
    it = case("activation=hard_tanh", "initialization=normal", "initialization.std=1")
    (module,) = it.modules
    pre: list[Tensor] = []
    module.hidden[1].activation.register_forward_pre_hook(lambda _, args: pre.append(args[0]))
    module(it.x)
    share = sum(abs(a) >= 1 for a in pre[0].flatten().tolist()) / pre[0].numel()
    assert 0 < share < 1
    assert it.measured()["hidden.1", "saturated_share"] == [share]


def test_weight_gradient_norm_is_that_of_finite_differences() -> None:
    it = case()
    (module,) = it.modules
    weight, step, squares = module.hidden[1].linear.weight, 1e-6, 0.0
    with torch.no_grad():
        for flat in range(weight.numel()):
            place = divmod(flat, weight.shape[1])
            losses = []
            for sign in (1, -1):
                weight[place] += sign * step
                losses.append(functional.cross_entropy(module(it.x), it.y).item())
                weight[place] -= sign * step
            squares += ((losses[0] - losses[1]) / (2 * step)) ** 2
    assert it.measured()["hidden.1", "weight_gradient_norm"][0] == pytest.approx(math.sqrt(squares), rel=1e-6)


def test_linear_backward_rule_is_what_the_gradients_show() -> None:
    it = case("backward=linear")
    (module,) = it.modules
    # As if every activation were the identity: the gradient is carried back by the weights alone.
    error = functional.softmax(module(it.x), 1) - functional.one_hot(it.y, CLASSES)
    for layer, weight in (("hidden.2", module.output.weight), ("hidden.1", module.hidden[2].linear.weight)):
        error = error @ weight
        assert it.measured()[layer, "gradient_norm"][0] == pytest.approx(error.norm(dim=1).mean().item(), rel=1e-9)


@pytest.mark.parametrize("seeds", [1, 3], ids=["single", "stacked"])
def test_update_ratio_equals_a_slow_twin(seeds: int, trained: Callable) -> None:
    words = ["optimizer.lr=0.3", f"replicas={seeds}", "diagnostics.every=1", "trainer.steps=2"]
    one = trained(*words[:3], "trainer.steps=1")
    two = trained(*words)
    ratios = pd.read_csv(two.folder / "layers.csv").query("quantity == 'update_ratio' and step == 2")
    assert len(ratios) == 3 * seeds
    for row in ratios.itertuples():
        name = "output.weight" if row.layer == "output" else f"{row.layer}.linear.weight"
        before, after = (run.state["parameters"][name].double() for run in (one, two))
        if seeds > 1:
            before, after = before[row.seed], after[row.seed]
        change = math.sqrt(sum(d**2 for d in (after - before).flatten().tolist()))
        assert row.value == pytest.approx(change / math.sqrt(sum(w**2 for w in before.flatten().tolist())), rel=1e-6)


def test_update_ratio_of_nothing_is_nothing() -> None:
    zeros, ones = torch.zeros(2, 3, 3), torch.ones(2, 3, 3)
    assert update_ratio(zeros, zeros).tolist() == [0, 0]
    assert update_ratio(zeros, ones).tolist() == [math.inf, math.inf]
    assert update_ratio(2 * ones, 3 * ones).tolist() == [0.5, 0.5]


def test_vanishing_ratio_is_first_over_last(trained: Callable) -> None:
    layers = pd.read_csv(trained("architecture.depth=4").folder / "layers.csv").set_index(["step", "layer", "quantity"])
    for step in {step for step, _, _ in layers.index}:
        first, last = (layers.loc[(step, f"hidden.{i}", "gradient_norm"), "value"].item() for i in (0, 3))
        assert layers.loc[(step, "model", "vanishing_ratio"), "value"].item() == pytest.approx(first / last)
        assert layers.loc[(step, "model", "vanishing_ratio"), "depth"].item() == 0


def test_histogram_of_equal_values_is_one_full_bin(trained: Callable) -> None:
    folder = trained("initialization=zeros", "trainer.epochs=0", "diagnostics.histogram=4").folder
    shares = pd.read_csv(folder / "layers.csv").query("quantity.str.startswith('histogram') and layer == 'hidden.0'")
    assert dict(zip(shares["quantity"], shares["value"], strict=True)) == {
        "histogram_low": 0,
        "histogram_high": 0,
        "histogram_share_00": 1,
        "histogram_share_01": 0,
        "histogram_share_02": 0,
        "histogram_share_03": 0,
    }


HARMLESS = {
    "plain": [],
    "noisy": ["activation=noisy_tanh"],
    "batch_norm": ["normalization=batch"],
    "dropout": ["architecture.dropout=0.3"],
    "all_at_once": [
        "activation=noisy_tanh",
        "normalization=batch",
        "architecture.dropout=0.3",
        "optimizer=adam",
        "activation.noise=nah",
    ],
    "cnn": ["dataset=digits", "architecture=cnn", "architecture.dropout=0.3", "activation=noisy_tanh"],
}


@pytest.mark.parametrize("seeds", [1, 3], ids=["single", "stacked"])
@pytest.mark.parametrize("name", HARMLESS)
def test_measuring_does_not_change_training(name: str, seeds: int, tmp_path: Path) -> None:
    base = ["dataset=xor", "dataset.train_size=48", "architecture.width=6", "architecture.depth=2"]
    if name == "cnn":
        base = ["dataset.subset=48", "architecture.channels=[3]", "architecture.hidden=[6]"]
    words = [*HARMLESS[name], *base, "trainer.batch_size=16", "trainer.epochs=2", f"replicas={seeds}"]

    def run(*more: str) -> Any:
        outcome = train(resolve(compose([*words, *more, f"results_dir={tmp_path}"])))
        state = torch.load(outcome.folder / "checkpoint.pt", weights_only=True)["state"]
        curves = pd.read_csv(outcome.folder / "curves.csv").drop(columns="run")
        return state, curves, len(pd.read_csv(outcome.folder / "layers.csv"))

    (without, curves, none), (with_, same_curves, some) = run("diagnostics=none"), run("diagnostics.every=1")
    assert none == 0
    assert some > 0
    for part in ("parameters", "buffers", "optimizer", "noise"):
        assert equal(without[part], with_[part]), part
    pd.testing.assert_frame_equal(curves, same_curves, check_exact=True)


@pytest.mark.parametrize(
    ("total", "every", "log_spaced", "expected"),
    [
        (0, None, 12, {0}),
        (0, 3, 0, {0}),
        (1, None, 12, {0, 1}),
        (10, 3, 12, {0, 3, 6, 9, 10}),
        (9, 3, 0, {0, 3, 6, 9}),
        (10, 1, 0, set(range(11))),
        (10, 100, 0, {0, 10}),
        (10, None, 0, {0, 10}),
        (1000, None, 4, {0, 1, 10, 100, 1000}),
        (5, None, 12, {0, 1, 2, 3, 4, 5}),
    ],
)
def test_schedule(total: int, every: int | None, log_spaced: int, expected: set[int]) -> None:
    assert measured_steps(total, every, log_spaced) == expected


def measured_in(folder: Path) -> Iterator[tuple[str, set[int]]]:
    for quantity, rows in pd.read_csv(folder / "layers.csv").groupby("quantity"):
        yield str(quantity), set(rows["step"])


def test_first_and_last_step_are_measured(trained: Callable) -> None:
    for words in (["diagnostics.every=2"], ["diagnostics.log_spaced=0"], []):
        run = trained("trainer.steps=5", *words)
        expected = measured_steps(5, run.run.diagnostics.every, run.run.diagnostics.log_spaced)
        assert {0, 5} <= expected
        for quantity, steps in measured_in(run.folder):
            # Before the first update there is none to take the size of.
            assert steps == expected - ({0} if quantity == "update_ratio" else set()), quantity


def test_only_what_is_asked_for_is_measured(trained: Callable) -> None:
    run = trained("diagnostics.quantities=[activation_std]", "diagnostics.histogram=0")
    assert [quantity for quantity, _ in measured_in(run.folder)] == ["activation_std"]
    rows = pd.read_csv(run.folder / "layers.csv")
    assert list(rows.columns) == ["run", "seed", "step", "epoch", "layer", "depth", "quantity", "value"]
    assert set(zip(rows["layer"], rows["depth"], strict=True)) == {("hidden.0", 1), ("hidden.1", 2)}


# Quantities that the twin above has not, and the tests that hold them against a slow computation of their own.
ELSEWHERE = {
    "knots": "test_runs_write_down_knots_and_every_coefficient",
    "noise_std": "test_noise_std_is_that_of_many_draws",
    "noise_p": "test_every_p_is_written_down",
    "noise_p_units": "test_every_p_is_written_down",
    "gradient_through_time": "test_quantities_equal_a_slow_twin",
    "update_ratio": "test_update_ratio_equals_a_slow_twin",
    "neighbour_correlation": "test_neighbour_correlation_is_that_of_pairs_of_pixels",
    "gradient_cosine": "test_the_diagnostic_compares_with_exact_gradients",
    "gradient_norm_ratio": "test_golden_cosines_and_norms",
}


def test_every_quantity_has_a_twin() -> None:
    """Its rows are among those of `Twin`, which the first tests here compare one by one, or a test of its own is."""
    words, shape = NETS["mlp-esp"]  # whose units have parameters of their own
    it = case(*words, shape=shape)
    rows = {row for _, row in Twin(it.modules[0], it.x, it.y).quantities()}
    tests = {
        name
        for file in Path(__file__).parents[1].rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    missing = [
        q.name
        for q in REGISTRY.values()
        if not any(row.startswith(q.column.rstrip("_0")) for row in rows) and ELSEWHERE.get(q.name) not in tests
    ]
    assert not missing, (
        f"no twin of {', '.join(missing)}: write it slowly into a new file tests/twins/NAME.py, "
        "QUANTITIES = {'NAME': lambda outs: ...}, or name a test that holds it against one in ELSEWHERE"
    )


def test_the_page_on_quantities_has_the_table_that_they_make() -> None:
    page = (CLONE / "docs/quantities.md").read_text()
    table = page.partition("<!-- layers -->\n")[2].partition("\n<!-- /layers -->")[0]
    assert table == runpy.run_path(str(CLONE / "tools/write_quantities.py"))["markdown"](), (
        "run: python tools/write_quantities.py"
    )


class Held(nn.Module):
    """Layers held in another order than they are called in; one of them is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.output, self.unused, self.down, self.up = (
            nn.Linear(3, 2),
            nn.Linear(4, 4),
            nn.Linear(5, 3),
            nn.Linear(4, 5),
        )
        self.normalization = nn.BatchNorm1d(5)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.down(self.normalization(self.up(x))))


def test_depth_is_the_order_of_calls() -> None:
    net, x = Held(), torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    order = call_order(net, x)
    assert order == ["up", "down", "output"]
    assert [(layer.name, layer.depth) for layer in layers_of(net, order)] == [("up", 1), ("down", 2), ("output", 3)]
    assert equal(before, dict(net.state_dict()))  # running averages too
    assert net.training
    held = {(layer.name, layer.depth) for layer in layers_of(net)}
    assert held == {("output", 1), ("unused", 2), ("down", 3), ("up", 4)}


def test_a_shortcut_comes_where_it_is_called() -> None:
    words = (
        "dataset=digits",
        "dataset.subset=24",
        "architecture=resnet18",
        "architecture.blocks=[1,1]",
        "architecture.width=4",
        "trainer.steps=1",
        "trainer.batch_size=8",
        "diagnostics.probe=8",
    )
    prepared = prepare(resolve(compose(list(words))))
    names = [layer.name for layer in prepared.learner().layers]
    assert names[3:6] == ["hidden.2.first", "hidden.2.shortcut", "hidden.2.second"]
