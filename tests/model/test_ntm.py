"""The neural Turing machine: addressing against a slow twin, a memory steered by hand, gradients, seeds and noise."""

import math
from functools import partial
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from repro.config.compose import compose
from repro.config.run import resolve
from repro.diagnostics.probe import layers_of
from repro.errors import UserError
from repro.experiments.noisy_activations.tasks.recall import Recall
from repro.model.activations import Activation, NoiseSource, attach_noise
from repro.model.activations.noisy import noisy_tanh
from repro.model.architectures.ntm import NTM
from repro.model.architectures.ntm_memory import EMPTY, step
from repro.model.architectures.recurrence import call
from repro.model.backward import exact
from repro.model.initialization import initialize, uniform
from repro.model.layer_factory import LayerFactory
from repro.model.normalization import layer, none
from repro.training import prepare
from repro.training.run import train

BATCH, ROWS, FEATURES = 3, 5, 4
SOFT = Activation(nn.Tanh, nn.Sigmoid)
NAN = noisy_tanh("nan", 1.0, 1.0, 30.0, 0.05)
CONTROLLERS = {"feedforward": {"controller": "feedforward", "depth": 2}, "lstm": {"controller": "lstm", "depth": 2}}


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=rng(seed))


def net(pair: Activation = SOFT, controller: str = "feedforward", bound: float = 0.7, outputs: int = 6) -> NTM:
    made = NTM(
        (8,), outputs, LayerFactory(pair, exact, none), **CONTROLLERS[controller], width=7, rows=ROWS, features=FEATURES
    ).double()
    initialize(made, partial(uniform, bound=bound), rng(0))
    return made


def inputs(steps: int = 6) -> Tensor:
    return torch.randint(2, (BATCH, steps, 8), generator=rng(1)).double()


# ---- gradients ----


def test_gradients_are_finite_from_the_first_state_on() -> None:
    machine = net(NAN, bound=3.0).float()
    attach_noise(machine, NoiseSource([rng(5)]))
    out, _ = call(machine, inputs().float())
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in machine.parameters())
    assert all(p.grad.abs().sum() > 0 for p in machine.parameters())


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_gradients_of_a_whole_net(controller: str) -> None:
    machine = net(controller=controller, outputs=2)
    names, values = zip(*machine.named_parameters(), strict=True)

    def run(*given: Tensor) -> Tensor:
        tensors = dict(zip(names, given, strict=True))
        out: Tensor = torch.func.functional_call(machine, tensors, (x, machine.initial_state(BATCH)))[0]
        return out.sum(0)

    x = inputs(3)
    assert torch.autograd.gradcheck(run, tuple(v.detach().requires_grad_() for v in values), fast_mode=True)


# ---- the net ----


def slow_net(machine: NTM, x: Tensor) -> Tensor:
    """A feed-forward net over one sequence (steps, inputs), steps and samples one by one."""
    memory = torch.full((ROWS, FEATURES), EMPTY, dtype=torch.float64)
    weights = torch.eye(ROWS, dtype=torch.float64)[[0, 0]]
    read = torch.zeros(FEATURES, dtype=torch.float64)
    out = []
    for now in x:
        h = torch.cat([now, read])
        for part in machine.controller:
            h = torch.tanh(part.linear.weight @ h + part.linear.bias)
        said = machine.heads.weight @ h + machine.heads.bias
        found = step(memory[None], weights[None], said[None])  # has a twin of its own
        read, weights, memory = (v[0] for v in found)
        out.append(machine.output.weight @ torch.cat([h, read]) + machine.output.bias)
    return torch.stack(out)


def test_a_net_is_its_slow_twin() -> None:
    machine, x = net(), inputs()
    out, _ = call(machine, x)
    torch.testing.assert_close(out, torch.stack([slow_net(machine, one) for one in x]))


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_shapes_of_the_state(controller: str) -> None:
    machine = net(controller=controller)
    start = machine.initial_state(BATCH)
    shapes = [(BATCH, ROWS, FEATURES), (BATCH, FEATURES), (BATCH, 2, ROWS)]
    shapes += [(BATCH, 7)] * 4 if controller == "lstm" else []
    assert [tuple(v.shape) for v in start] == shapes
    assert not any(v.requires_grad for v in start)
    out, end = machine(inputs(), start)
    assert out.shape == (BATCH, 6, 6)
    assert [tuple(v.shape) for v in end] == shapes
    memory, read, weights = start[:3]
    assert (memory == EMPTY).all()
    assert (read == 0).all()
    assert weights[:, :, 0].unique().tolist() == [1]
    assert (weights.sum(-1) == 1).all()


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_a_sequence_in_two_halves_is_the_sequence(controller: str) -> None:
    machine, x = net(controller=controller), inputs()
    whole, last = call(machine, x)
    first, middle = call(machine, x[:, :2])
    second, end = call(machine, x[:, 2:], middle)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    torch.testing.assert_close(end, last)


def test_controllers_are_told_apart_by_what_they_hold() -> None:
    names, depths, nonlinearities = zip(
        *((found.name, found.depth, found.nonlinearity) for found in layers_of(net())), strict=True
    )
    assert names == ("controller.0", "controller.1", "heads", "output")
    assert depths == (1, 2, 3, 4)
    assert nonlinearities == ("controller.0.activation", "controller.1.activation", None, None)
    names = [found.name for found in layers_of(net(controller="lstm"))]
    assert {"controller.0.input_gate", "controller.1.cell_output", "controller.1.hidden", "heads"} <= set(names)


@pytest.mark.parametrize("items", [2, 4, 16])
@pytest.mark.parametrize("activation", ["tanh", "noisy_tanh"])
def test_the_cost_starts_at_chance(items: int, activation: str) -> None:
    run = resolve(
        compose(
            [
                "experiment=noisy_activations/associative_recall",
                f"activation={activation}",
                f"dataset.eval_items=[{items}]",
                "dataset.item_length=3",
            ]
        )
    )
    parts = prepare.components(run)
    data, feed = prepare.read_data(run, parts, torch.device("cpu"))
    (machine,) = prepare.models(run, parts, data)
    batch = next(iter(feed.batches("valid")))
    cost = Recall().measure(call(machine.eval(), batch.x)[0], batch.y)["loss"].item()
    assert cost == pytest.approx(3 * math.log(2), rel=0.01)


# ---- noise ----


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_noise_is_drawn_in_training_only(controller: str) -> None:
    machine, x = net(NAN, controller, bound=3.0), inputs()
    attach_noise(machine, NoiseSource([rng(5)]))
    once, twice = call(machine, x)[0], call(machine, x)[0]
    assert not torch.allclose(once, twice)
    attach_noise(machine, NoiseSource([rng(5)]))
    assert torch.equal(call(machine, x)[0], once)
    source = NoiseSource([rng(6)])
    attach_noise(machine.eval(), source)
    before = source.generators[0].get_state()
    assert torch.equal(call(machine, x)[0], call(machine, x)[0])
    assert torch.equal(source.generators[0].get_state(), before)


def test_every_nonlinearity_of_the_controller_is_replaced_and_no_other() -> None:
    kinds = [type(m.function).__name__ for m in net(NAN).modules() if type(m).__name__ == "Nonlinearity"]
    assert kinds == ["OutputNoise"] * 2
    lstm = [type(m.function).__name__ for m in net(NAN, "lstm").modules() if type(m).__name__ == "Nonlinearity"]
    assert lstm == ["OutputNoise"] * 10


# ---- whole runs ----

WORDS = [
    "dataset=associative_recall",
    "dataset.max_items=3",
    "dataset.item_length=2",
    "dataset.bits=3",
    "dataset.eval_items=[2]",
    "dataset.valid_size=4",
    "dataset.test_size=0",
    "dataset.epoch_steps=4",
    "task=recall",
    "architecture=ntm",
    "architecture.width=6",
    "architecture.rows=5",
    "architecture.features=4",
    "initialization=uniform",
    "initialization.bound=0.8",
    "optimizer=adam",
    "trainer.batch_size=6",
    "trainer.steps=3",
    "trainer.eval_steps=2",
]


def trained(tmp_path: Any, *more: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder = train(resolve(compose([*WORDS, f"results_dir={tmp_path}", *more]))).folder
    return pd.read_csv(folder / "curves.csv"), pd.read_csv(folder / "layers.csv")


@pytest.mark.parametrize("diagnostics", ["gates", "layers"])
@pytest.mark.parametrize("controller", CONTROLLERS)
def test_layers_are_measured(controller: str, diagnostics: str, tmp_path: Any) -> None:
    _, layers = trained(
        tmp_path,
        f"diagnostics={diagnostics}",
        f"architecture.controller={controller}",
        "activation=noisy_tanh",
        "activation.c=20",
    )
    nonlinearities = ["controller.0", "controller.1"] if controller == "feedforward" else ["controller.1.forget_gate"]
    wanted = {"activation_mean", "activation_std", "saturated_share", "gradient_norm"}
    for nonlinearity in nonlinearities:
        own = layers[layers["layer"] == nonlinearity]
        assert wanted <= set(own["quantity"])
        assert ("noise_std" in set(own["quantity"])) == (diagnostics == "gates")
        assert (own[own["quantity"] == "gradient_norm"]["value"] > 0).all()
    assert layers["value"].notna().all()
    assert "vanishing_ratio" in set(layers["quantity"]) or (controller, diagnostics) == ("lstm", "layers")
    assert (layers[(layers["quantity"] == "update_ratio") & (layers["layer"] == "heads")]["value"] > 0).all()


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_stacked_seeds_are_the_seeds_one_by_one(controller: str, tmp_path: Any) -> None:
    more = [
        f"architecture.controller={controller}",
        "activation=noisy_tanh",
        "activation.c=5",
        "trainer.clip_norm=1",
        "diagnostics=gates",
        "diagnostics.histogram=0",
    ]
    stacked = trained(tmp_path, *more, "replicas=2")
    for seed in (0, 1):
        for together, alone in zip(stacked, trained(tmp_path, *more, f"seed={seed}"), strict=True):
            own = together[together["seed"] == seed].reset_index(drop=True)
            keys = [key for key in own if key not in ("run", "value")]
            assert own[keys].equals(alone[keys])
            assert own["value"].tolist() == pytest.approx(alone["value"].tolist(), rel=2e-3, abs=1e-4)


# ---- wrong options ----


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"controller": "gru"}, r"unknown controller in architecture.controller 'gru'; known: feedforward, lstm"),
        ({"depth": 0}, "architecture.depth must be a whole number of 1 or more"),
        ({"width": 0}, "architecture.width must be a whole number of 1 or more"),
        ({"rows": 2}, "architecture.rows must be a whole number of 3 or more"),
        ({"features": 0}, "architecture.features must be a whole number of 1 or more"),
        ({"shape": ()}, "architecture=ntm reads vectors, and these data are tokens"),
        ({"make": LayerFactory(SOFT, exact, partial(layer, eps=1e-5))}, "normalization=none"),
    ],
)
def test_wrong_options(changes: dict, says: str) -> None:
    right = {
        "shape": (8,),
        "outputs": 6,
        "make": LayerFactory(SOFT, exact, none),
        "controller": "feedforward",
        "depth": 1,
        "width": 4,
        "rows": 5,
        "features": 3,
    }
    NTM(**right)
    with pytest.raises(UserError, match=says):
        NTM(**{**right, **changes})
