"""GRU layers: equal to torch's where they are soft, to their equations in NumPy, the fast way equal to the slow one."""

from functools import partial

import numpy as np
import pytest
import torch
from test_cell import SETTINGS, value
from test_lstm import FUSED, PLAIN, SOFT, rng
from torch import Tensor, nn

from repro.config.build import build
from repro.config.groups import option_files
from repro.config.yaml_files import load
from repro.errors import UserError
from repro.model.activations import Activation, NoiseSource, attach_noise
from repro.model.architectures.gru import GRU, GRULayer
from repro.model.architectures.stack import Stack
from repro.model.backward import exact, linear
from repro.model.initialization import initialize, normal, orthogonal
from repro.model.layer_factory import LayerFactory
from repro.model.layers import Binary
from repro.model.normalization import none

STEPS, BATCH, INPUTS, UNITS = 6, 3, 7, 5


def layer(pair: Activation, reset: str = "after", make: LayerFactory | None = None) -> GRULayer:
    """A layer whose units saturate often, weights and biases drawn at random."""
    made = GRULayer(INPUTS, UNITS, make or LayerFactory(pair, exact, none), reset).double()
    initialize(made, partial(normal, std=1.5), rng(0))
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(generator=rng(3))
    return made


def inputs() -> tuple[Tensor, Tensor]:
    x = torch.randn(STEPS, BATCH, INPUTS, dtype=torch.float64, generator=rng(1)).requires_grad_()
    return x, torch.randn(BATCH, UNITS, dtype=torch.float64, generator=rng(2)).requires_grad_()


def values_and_gradients(net: GRULayer, fused: bool) -> list[Tensor]:
    net.fused = fused
    attach_noise(net, NoiseSource([rng(5)]))
    x, h = inputs()
    out, (last,) = net(x, (h,))
    loss = out.sin().sum() + (last * last).sum()
    wanted = [x, h, *net.parameters()]
    gradients = torch.autograd.grad(loss, wanted, allow_unused=True)
    return [out, last, *(torch.zeros_like(w) if g is None else g for w, g in zip(wanted, gradients, strict=True))]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", FUSED)
def test_the_fast_twin_is_the_loop(name: str, training: bool) -> None:
    net = layer(FUSED[name]).train(training)
    assert net.fusable
    for fast, slow in zip(values_and_gradients(net, True), values_and_gradients(net, False), strict=True):
        torch.testing.assert_close(fast, slow, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("fused", [True, False])
def test_soft_layers_are_torch_s(fused: bool, depth: int) -> None:
    """Values, states and all gradients; torch's blocks are in our order, and its reset gate acts where ours does."""
    make = LayerFactory(SOFT, exact, none)
    ours = Stack(partial(GRULayer, reset="after"), INPUTS, UNITS, depth, 0.0, make).double()
    theirs = nn.GRU(INPUTS, UNITS, depth).double()
    own = [
        getattr(part, kind) for one in ours.layers for kind in ("weight", "bias") for part in (one.input, one.recurrent)
    ]
    draws = rng(0)
    with torch.no_grad():
        for parameter, twin in zip(own, theirs.parameters(), strict=True):
            twin.copy_(parameter.uniform_(-1.5, 1.5, generator=draws))
    for one in ours.layers:
        one.fused = fused
    found = []
    for net, weights in ((ours, own), (theirs, list(theirs.parameters()))):
        x, h = inputs()
        start = h.expand(depth, -1, -1)
        out, last = net(x, (start,) if net is ours else start)
        end = last[0] if net is ours else last
        gradients = torch.autograd.grad(out.sin().sum() + end.cos().sum(), [x, h, *weights])
        found.append([out, end, *gradients])
    for one, twin in zip(*found, strict=True):
        torch.testing.assert_close(one, twin, rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("reset", ["after", "before"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_the_cell_is_its_equations(setting: str, reset: str, training: bool) -> None:
    """Under every option of conf/activation, noise included."""
    name, changes = SETTINGS[setting]
    net = layer(build({**load(option_files("activation")[name]), **changes}, "activation"), reset).train(training)
    x, h = (v.detach() for v in inputs())
    attach_noise(net, NoiseSource([rng(5)]))
    found, _ = net(x, (h,))
    source, n = NoiseSource([rng(5)]), UNITS
    xi_gates = source.normal(torch.empty(STEPS, BATCH, 2 * n, dtype=torch.float64)).numpy()
    xi = source.normal(torch.empty(STEPS, BATCH, n, dtype=torch.float64)).numpy()
    w, b = (v.detach().numpy() for v in (net.input.weight, net.input.bias))
    u, d = (v.detach().numpy() for v in (net.recurrent.weight, net.recurrent.bias))
    if reset == "before":
        other = net.recurrent_candidate
        u, d = (np.concatenate([v, o.detach().numpy()]) for v, o in ((u, other.weight), (d, other.bias)))
    h = h.numpy()
    for t in range(STEPS):
        a = x[t].numpy() @ w.T + b
        before = h @ u[: 2 * n].T + d[: 2 * n]
        r, z = (
            value(gate, name, changes, True, a[:, own] + before[:, own], xi_gates[t][:, own], training)
            for gate, own in ((net.reset_gate, slice(0, n)), (net.update_gate, slice(n, 2 * n)))
        )
        inner = r * (h @ u[2 * n :].T + d[2 * n :]) if reset == "after" else (r * h) @ u[2 * n :].T + d[2 * n :]
        g = value(net.candidate, name, changes, False, a[:, 2 * n :] + inner, xi[t], training)
        h = z * h + (1 - z) * g
        np.testing.assert_allclose(found[t].detach().numpy(), h, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ["nan", "nah", "nah, alpha 0.9, loud"])
def test_the_noise_is_there_and_p_learns_from_it(name: str) -> None:
    net = layer(FUSED[name])
    noisy, again = values_and_gradients(net, True), values_and_gradients(net, True)
    assert torch.equal(noisy[0], again[0])
    attach_noise(net, NoiseSource([rng(6)]))
    x, h = inputs()
    assert not torch.allclose(noisy[0], net(x, (h,))[0])
    gradients = dict(zip([n for n, _ in net.named_parameters()], noisy[4:], strict=True))
    for site in ("reset_gate", "update_gate", "candidate"):
        assert gradients[f"{site}.function.p"].abs().sum() > 0, site


@pytest.mark.parametrize("name", [*PLAIN, *FUSED])
def test_which_pairs_walk_the_loop(name: str) -> None:
    pair = {**PLAIN, **FUSED}[name]
    assert layer(pair).fusable == (name in FUSED)
    assert not layer(pair, "before").fusable
    assert not layer(pair, make=LayerFactory(pair, linear, none)).fusable
    assert not layer(pair, make=LayerFactory(pair, exact, none, Binary(None))).fusable


def test_every_gate_starts_by_itself() -> None:
    net = GRULayer(UNITS, UNITS, LayerFactory(SOFT, exact, none), "after").double()
    initialize(net, partial(orthogonal, gain=1.0), rng(0))
    for part in (net.input, net.recurrent):
        for block in part.weight.chunk(3):
            torch.testing.assert_close(block @ block.T, torch.eye(UNITS, dtype=torch.float64))


def test_a_window_in_two_halves_is_the_window() -> None:
    net = layer(FUSED["leak"])
    x, h = inputs()
    whole, (end,) = net(x, (h,))
    first, middle = net(x[:2], (h,))
    second, (last,) = net(x[2:], middle)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(last, end)


def test_it_predicts_at_every_step() -> None:
    net = GRU((), 11, LayerFactory(SOFT, exact, none), depth=2, width=8, dropout=0.0, reset="before", tokens=7)
    out, (h,) = net(torch.randint(7, (4, 9), generator=rng(2)), net.initial_state(4))
    assert (out.shape, h.shape) == ((4, 9, 11), (2, 4, 8))


def test_an_unknown_place_of_the_reset_gate() -> None:
    with pytest.raises(UserError, match=r"unknown place in architecture.reset 'behind'; known: after, before"):
        GRULayer(INPUTS, UNITS, LayerFactory(SOFT, exact, none), "behind")
