"""What is measured inside a recurrent net, against a slow twin that walks through time by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from repro.config.compose import compose
from repro.config.run import resolve
from repro.datasets.protocol import Order
from repro.datasets.text import Text
from repro.diagnostics.measure import of_layers
from repro.diagnostics.probe import layers_of
from repro.diagnostics.quantities import WANTED
from repro.model.activations.noisy import noisy_sigmoid
from repro.training import prepare
from repro.training.replicas import learner

STEPS, BATCH, TOKENS, UNITS = 5, 4, 9, 3
SITES = ("output_gate", "input_gate", "forget_gate", "candidate", "cell_output")


def net(*words: str) -> tuple[Any, Any, list[torch.nn.Module], Tensor, Tensor]:
    run = resolve(
        compose(
            [
                "task=language_model",
                "architecture=lstm",
                f"architecture.width={UNITS}",
                "dataset=penn_treebank",
                "initialization=uniform_everywhere",
                "initialization.bound=2.5",
                *words,
            ]
        )
    )
    parts = prepare.components(run)
    rng = torch.Generator().manual_seed(1)
    splits = {name: torch.randint(TOKENS, (60,), generator=rng) for name in ("train", "valid", "test")}
    data = Text("made_up", splits, TOKENS, STEPS)
    made = [m.double() for m in prepare.models(run, parts, data)]
    probe = data.feed(Order(run.seeds, BATCH)).probe(100)
    return run, parts, made, probe.x, probe.y


def measured(run: Any, parts: Any, made: list[torch.nn.Module], x: Tensor, y: Tensor) -> dict[tuple[str, str], list]:
    taught = learner(made, run.seeds, parts.task, torch.device("cpu"))
    parameters = taught.parameters if taught.stacked else {k: v[None] for k, v in taught.parameters.items()}
    rows = of_layers(taught.layers, taught.probe(x, y), parameters, WANTED, 0)
    return {(layer, quantity): values.tolist() for layer, _, quantity, values in rows}


def twin(module: Any, x: Tensor, y: Tensor) -> dict[tuple[str, str], float]:
    """One sample at a time, every step written out."""
    found: dict[tuple[str, str], list[Any]] = {}
    through: dict[tuple[int, int], list[float]] = {}
    for row, target in zip(x, y, strict=True):
        hs = [torch.zeros(UNITS, dtype=torch.float64) for _ in range(2)]
        cs = [torch.zeros(UNITS, dtype=torch.float64) for _ in range(2)]
        pres: list[tuple[int, str, Tensor, Tensor]] = []
        states: dict[tuple[int, int], Tensor] = {}
        losses = []
        for t, token in enumerate(row):
            up = module.embedding.weight[token]
            for depth, layer in enumerate(module.stack.layers):
                all_four = layer.input(up) + layer.recurrent(hs[depth])
                values = []
                for name, a in zip(SITES, all_four.view(4, UNITS), strict=False):
                    a.retain_grad()
                    values.append(getattr(layer, name).function(a))
                    pres.append((depth, name, a, values[-1]))
                o, i, f, g = values
                cs[depth] = f * cs[depth] + i * g
                # The cell is read by the next step too; only the way through its output counts here.
                shadow = cs[depth] + torch.zeros(UNITS, dtype=torch.float64, requires_grad=True)
                shadow.retain_grad()
                cell = layer.cell_output.function(shadow)
                pres.append((depth, "cell_output", shadow, cell))
                hs[depth] = o * cell
                states[depth, t] = hs[depth]
                up = hs[depth]
            losses.append(functional.cross_entropy(module.output(up), target[t]))
        followed = torch.autograd.grad(losses[-1], list(states.values()), retain_graph=True)
        for key, gradient in zip(states, followed, strict=True):
            through.setdefault(key, []).append(gradient.norm().item())
        module.zero_grad()
        for _, _, a, _ in pres:
            a.grad = None  # the last loss has left its own there
        torch.stack(losses).mean().backward()
        for depth, name, a, out in pres:
            found.setdefault((depth, name), []).append((a.detach(), out.detach(), a.grad))
    numbers: dict[tuple[str, str], float] = {}
    for (depth, name), calls in found.items():
        key = f"stack.layers.{depth}.{name}"
        outs = torch.stack([out for _, out, _ in calls])
        numbers[key, "activation_mean"] = outs.mean().item()
        numbers[key, "activation_std"] = outs.std(correction=0).item()
        rows = [calls[i : i + STEPS] for i in range(0, len(calls), STEPS)]
        norms = [torch.stack([g for _, _, g in row]).norm().item() for row in rows]
        numbers[key, "gradient_norm"] = sum(norms) / len(norms)
    for (depth, t), norms in through.items():
        numbers[f"stack.layers.{depth}.hidden", f"gradient_through_time_{t:02d}"] = sum(norms) / len(norms)
    return numbers


@pytest.mark.parametrize("activation", ["tanh", "hard_tanh", "esp"])
@pytest.mark.parametrize("replicas", [1, 2])
def test_quantities_equal_a_slow_twin(activation: str, replicas: int) -> None:
    run, parts, made, x, y = net(f"activation={activation}", f"replicas={replicas}")
    ours = measured(run, parts, made, x, y)
    for seed, module in enumerate(made):
        for key, value in twin(module, x, y).items():
            assert ours[key][seed] == pytest.approx(value, rel=1e-9, abs=1e-12), key


def test_the_ratio_compares_the_first_step_with_the_last() -> None:
    run, parts, made, x, y = net()
    ours = measured(run, parts, made, x, y)
    top = "stack.layers.1.hidden"
    expected = ours[top, "gradient_through_time_00"][0] / ours[top, f"gradient_through_time_{STEPS - 1:02d}"][0]
    assert ours["model", "vanishing_ratio"] == [pytest.approx(expected)]


def test_noise_and_p_of_every_gate() -> None:
    run, parts, made, x, y = net("activation=noisy_tanh", "activation.c=2")
    ours = measured(run, parts, made, x, y)
    for depth, layer in enumerate(made[0].stack.layers):
        for name in SITES:
            key = f"stack.layers.{depth}.{name}"
            assert ours[key, "noise_p"] == [pytest.approx(getattr(layer, name).function.p.abs().mean().item())]
            assert 0 <= ours[key, "noise_std"][0] < 2 / 4
            assert ours[key, "noise_std"][0] > 0 or ours[key, "saturated_share"][0] == 0
            assert 0 <= ours[key, "saturated_share"][0] <= 1


@pytest.mark.parametrize("noise", ["nan", "nah", "nanil", "nani", "nanis", "nanil_softplus"])
def test_noise_std_is_that_of_many_draws(noise: str) -> None:
    unit = noisy_sigmoid(noise, 1.0, 3.0, 0.4).unit(units=4)
    with torch.no_grad():
        if hasattr(unit, "p"):
            unit.p.copy_(torch.tensor([0.3, -0.9, 2.0, 0.0]))
    x = torch.tensor([5.0, -4.0, 2.5, 1.0])
    std = unit.noise_std(x)
    rng = np.random.default_rng(0)
    xi = torch.from_numpy(rng.standard_normal((200_000, 4)).astype(np.float32))
    if noise in ("nan", "nah"):
        drawn = unit(x.expand_as(xi), torch.where(xi > 0, 1, -1) * xi.abs())
        middle = unit(x.expand_as(xi), torch.zeros_like(xi))
        found = (drawn - middle).square().mean(0).sqrt()
        torch.testing.assert_close(std, found, rtol=0.02, atol=1e-6)
    elif noise in ("nanil", "nani", "nanis"):
        found = (unit._moved(x.expand_as(xi), xi) - x).std(0)
        torch.testing.assert_close(std, found, rtol=0.02, atol=1e-6)
    else:  # the authors' form, for |ξ| = 1
        torch.testing.assert_close(std, (unit._moved(x, torch.ones(4)) - x).abs())


def test_layers_of_an_lstm_tell_every_part_at_its_depth() -> None:
    *_, made, _, _ = net("activation=noisy_tanh")
    layers = {layer.name: layer for layer in layers_of(made[0])}
    assert len(layers) == 2 * (2 + 5 + 1) + 1
    assert layers["stack.layers.1.candidate"].depth == 2
    assert layers["stack.layers.1.candidate"].p == "stack.layers.1.candidate.function.p"
    assert layers["stack.layers.0.recurrent"].weight == "stack.layers.0.recurrent.weight"
    assert layers["output"].depth == 3
