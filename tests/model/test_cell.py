"""The LSTM cell under every option of conf/activation, against its equations written down in NumPy.

The twin shares no function with the package: the options' formulas are those at the head of their files, the noisy
ones Eq. 11 to 15 of Gulcehre et al. (2016) with σ of Eq. 9. It is given the noise that the cell draws.
"""

import math
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from scipy.special import expit

from repro.config.build import build
from repro.config.groups import option_files
from repro.model.activations import NoiseSource, Nonlinearity, attach_noise
from repro.model.activations.noisy import Noisy
from repro.model.architectures.lstm import LSTMLayer
from repro.model.backward import exact
from repro.model.initialization import initialize, normal
from repro.model.layer_factory import LayerFactory
from repro.model.normalization import none
from twins import collected

STEPS, BATCH, INPUTS, UNITS = 4, 3, 3, 2
OPTIONS = sorted(option_files("activation"))
LOUD: dict[str, Any] = {"c": 8.0, "sigma": 0.7}  # so that noise forgotten or drawn twice would show
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, LOUD if name.startswith("noisy") else {}) for name in OPTIONS},
    "esp, β = 1.5": ("esp", {"beta": 1.5}),
    "hard, alpha 1, without noise": ("noisy_tanh", {"alpha": 1.0, "gate_alpha": 1.0, "c": 0.0}),
    **{
        f"{noise}, alpha {alpha}": ("noisy_tanh", {**LOUD, "noise": noise, "alpha": alpha, "gate_alpha": alpha})
        for noise in ("nan", "nah")
        for alpha in (0.9, 1.0, 1.15)
    },
    **{noise: ("noisy_tanh", {**LOUD, "noise": noise}) for noise in ("nani", "nanis", "nanil", "nanil_softplus")},
}

Array = np.ndarray
PLAIN = collected("ACTIVATIONS")
GATES = {"sign": "step", "hard_tanh": "hard_sigmoid", "hard_sigmoid": "hard_sigmoid"}


def noisy_value(
    x: Array, xi: Array, p: Array | None, gate: bool, noise: str, alpha: float, c: float, sigma: float, training: bool
) -> Array:
    """φ of a noisy hard sigmoid or hard tanh."""
    h, u, knee = (PLAIN["hard_sigmoid"], x / 4 + 0.5, 2) if gate else (PLAIN["hard_tanh"], x, 1)
    delta = h(x) - u
    sized = c * (expit(delta * (0 if p is None else p)) - 0.5) ** 2
    if noise in ("nan", "nah"):
        mean = 0.0 if noise == "nan" else math.sqrt(2 / math.pi)
        epsilon = (xi if noise == "nan" else np.abs(xi)) if training else mean
        d = -np.where(x >= 0, 1, -1) * (1 if 1 - alpha >= 0 else -1)
        return alpha * h(x) + (1 - alpha) * u + d * sized * epsilon
    if not training:
        return h(x)
    if noise == "nanil_softplus":
        assert p is not None
        return h(x + c * np.log1p(np.exp(p * np.abs(delta) / np.abs(xi))) * xi)
    return h(x + {"nani": sigma, "nanis": sigma * (np.abs(x) >= knee), "nanil": sized}[noise] * xi)


def value(
    nonlinearity: Nonlinearity, name: str, changes: dict[str, Any], gate: bool, x: Array, xi: Array, training: bool
) -> Array:
    """What a place of the cell makes of x."""
    function: Any = nonlinearity.function
    if isinstance(function, Noisy):
        given = OmegaConf.to_container(OmegaConf.load(option_files("activation")[name]))
        given = {**given, **changes}  # type: ignore[dict-item]
        alpha = given["gate_alpha"] if gate and name == "noisy_tanh" else given["alpha"]
        p = function.p.detach().numpy() if hasattr(function, "p") else None
        return noisy_value(
            x, xi, p, gate or name == "noisy_sigmoid", given["noise"], alpha, given["c"], given["sigma"], training
        )
    if gate:
        return PLAIN[GATES.get(name, "sigmoid")](x)
    if name == "esp":
        return x * expit(function.beta.detach().numpy() * x)
    return PLAIN[name](x)


def layer(setting: str) -> LSTMLayer:
    """A layer whose units lie on both sides of their knees, with what each unit learns drawn at random."""
    name, changes = SETTINGS[setting]
    pair = build({**OmegaConf.load(option_files("activation")[name]), **changes}, "activation")
    net = LSTMLayer(INPUTS, UNITS, LayerFactory(pair, exact, none)).double()
    initialize(net, lambda weight, rng: normal(weight, rng, std=1.5), torch.Generator().manual_seed(0))
    with torch.no_grad():
        for bias in (net.input.bias, net.recurrent.bias):
            bias.normal_(generator=torch.Generator().manual_seed(3))
    return net


def inputs() -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    shapes = ((STEPS, BATCH, INPUTS), (BATCH, UNITS), (BATCH, UNITS))
    return [torch.randn(shape, dtype=torch.float64, generator=rng) for shape in shapes]


def listened(net: LSTMLayer) -> None:
    """Every window sees the same noise."""
    attach_noise(net, NoiseSource([torch.Generator().manual_seed(5)]))


def test_every_activation_has_a_twin() -> None:
    missing = sorted(set(OPTIONS) - set(PLAIN) - {"esp", "noisy_tanh", "noisy_sigmoid"})
    assert not missing, (
        f"no twin of {', '.join(missing)}: write its formula in NumPy into a new file tests/twins/NAME.py, "
        "ACTIVATIONS = {'NAME': lambda x: ...}"
    )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("setting", SETTINGS)
def test_the_cell_is_its_equations(setting: str, training: bool) -> None:
    name, changes = SETTINGS[setting]
    net = layer(setting).train(training)
    x, h, c = inputs()
    listened(net)
    found = net(x, (h, c))
    source = NoiseSource([torch.Generator().manual_seed(5)])
    xi = source.normal(torch.empty(STEPS, BATCH, 4 * UNITS, dtype=torch.float64)).numpy()
    xi_out = source.normal(torch.empty(STEPS, BATCH, UNITS, dtype=torch.float64)).numpy()
    (w, b), (u, d) = ([v.detach().numpy() for v in (part.weight, part.bias)] for part in (net.input, net.recurrent))
    h, c, steps = h.numpy(), c.numpy(), []
    for t in range(STEPS):
        columns = np.split(x[t].numpy() @ w.T + b + h @ u.T + d, 4, axis=1)
        o, i, f, g = (
            value(nonlinearity, name, changes, nonlinearity is not net.candidate, a, noise, training)
            for nonlinearity, a, noise in zip(net.gates, columns, np.split(xi[t], 4, axis=1), strict=True)
        )
        c = f * c + i * g
        h = o * value(net.cell_output, name, changes, False, c, xi_out[t], training)
        steps.append(h)
    for ours, twin in zip((found[0], *found[1]), (np.stack(steps), h, c), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), twin, rtol=1e-9, atol=1e-9)


# Without what has slope 0 by definition, and what overflows within a few steps.
@pytest.mark.parametrize("setting", sorted(set(SETTINGS) - {"sign", "square"}))
def test_gradients_are_those_of_finite_differences(setting: str) -> None:
    net = layer(setting)
    named = dict(net.named_parameters())

    def run(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        listened(net)
        x, h, c, *parameters = values
        out, last = torch.func.functional_call(net, dict(zip(named, parameters, strict=True)), (x, (h, c)))
        return out, *last

    values = [v.detach().clone().requires_grad_() for v in (*inputs(), *named.values())]
    assert torch.autograd.gradcheck(run, values, eps=1e-7, atol=1e-4, rtol=1e-4)


def test_a_step_has_no_slope() -> None:
    net = layer("sign")
    x, h, c = inputs()
    (gradient,) = torch.autograd.grad(net(x, (h, c))[0].sum(), net.input.weight, allow_unused=True)
    assert gradient is None or not gradient.any()
