"""LSTM layers: equal to torch's where they are soft, the fast way equal to the slow one (test_cell.py: every pair)."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from repro.config.compose import compose
from repro.config.run import resolve
from repro.errors import UserError
from repro.model.activations import Activation, NoiseSource, attach_noise
from repro.model.activations.elementwise import Esp, hard_sigmoid, hard_tanh
from repro.model.activations.noisy import noisy_sigmoid, noisy_tanh
from repro.model.architectures.lstm import LSTM, LSTMClassifier, LSTMLayer
from repro.model.architectures.stack import Stack
from repro.model.backward import exact, linear
from repro.model.initialization import initialize, uniform
from repro.model.layer_factory import LayerFactory
from repro.model.normalization import batch, none
from repro.training import prepare

STEPS, BATCH, INPUTS, UNITS = 6, 3, 7, 5

SOFT = Activation(nn.Tanh, nn.Sigmoid)
FUSED = {
    "soft": SOFT,
    "hard": Activation(hard_tanh, hard_sigmoid),
    "nan": noisy_tanh("nan", 1.15, 1.1, 0.5, 0.05),
    "nah": noisy_tanh("nah", 1.15, 1.1, 0.5, 0.05),
    "nan, alpha 1": noisy_tanh("nan", 1.0, 1.0, 0.5, 0.05),
    "nah, alpha 0.9, loud": noisy_tanh("nah", 0.9, 0.9, 8.0, 0.05),
    "leak": noisy_tanh("nan", 1.15, 1.1, 0.0, 0.05),
    "one function everywhere": noisy_sigmoid("nan", 1.1, 0.5, 0.05),
}
PLAIN = {
    "nani": noisy_tanh("nani", 1.0, 1.0, 0.5, 0.3),
    "nanis": noisy_tanh("nanis", 1.0, 1.0, 0.5, 0.3),
    "nanil": noisy_tanh("nanil", 1.0, 1.0, 3.0, 0.05),
    "nanil_softplus": noisy_tanh("nanil_softplus", 1.0, 1.0, 0.5, 0.05),
    "relu": Activation(nn.ReLU, nn.Sigmoid),
    "esp": Activation(partial(Esp, beta=None, beta_std=1.0), nn.Sigmoid),
}


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def layer(pair: Activation, rule: Any = exact, bound: float = 2.0) -> LSTMLayer:
    """A layer whose units saturate often."""
    made = LSTMLayer(INPUTS, UNITS, LayerFactory(pair, rule, none)).double()
    initialize(made, partial(uniform, bound=bound), rng(0))
    with torch.no_grad():
        for bias in (made.input.bias, made.recurrent.bias):
            bias.uniform_(-1, 1, generator=rng(3))
    return made


def inputs() -> tuple[Tensor, tuple[Tensor, Tensor]]:
    x = torch.randn(STEPS, BATCH, INPUTS, dtype=torch.float64, generator=rng(1)).requires_grad_()
    h, c = (torch.randn(BATCH, UNITS, dtype=torch.float64, generator=rng(i)).mul(1.5).requires_grad_() for i in (2, 4))
    return x, (h, c)


def values_and_gradients(net: LSTMLayer, fused: bool) -> list[Tensor]:
    net.fused = fused
    attach_noise(net, NoiseSource([rng(5)]))
    x, state = inputs()
    out, (h, c) = net(x, state)
    loss = out.sin().sum() + (h * h).sum() + c.cos().sum()
    wanted = [x, *state, *net.parameters()]
    gradients = torch.autograd.grad(loss, wanted, allow_unused=True)
    return [out, h, c, *(torch.zeros_like(w) if g is None else g for w, g in zip(wanted, gradients, strict=True))]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", FUSED)
def test_the_fast_twin_is_the_loop(name: str, training: bool) -> None:
    net = layer(FUSED[name]).train(training)
    assert net.fusable
    for fast, slow in zip(values_and_gradients(net, True), values_and_gradients(net, False), strict=True):
        torch.testing.assert_close(fast, slow, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["nan", "nah", "nah, alpha 0.9, loud"])
def test_the_noise_is_there_and_p_learns_from_it(name: str) -> None:
    net = layer(FUSED[name])
    noisy, *_ = values_and_gradients(net, True)
    again = values_and_gradients(net, True)
    assert torch.equal(noisy, again[0])  # same generator, same noise
    attach_noise(net, NoiseSource([rng(6)]))
    x, state = inputs()
    other, _ = net(x, state)
    assert not torch.allclose(noisy, other)
    gradients = dict(zip([n for n, _ in net.named_parameters()], again[-len(list(net.parameters())) :], strict=True))
    assert gradients["cell_output.function.p"].abs().sum() > 0
    assert gradients["input_gate.function.p"].abs().sum() > 0


def test_half_of_the_noise_is_fresh_for_every_step_sample_and_unit() -> None:
    net = LSTMLayer(1, 64, LayerFactory(noisy_tanh("nan", 1.0, 1.0, 0.5, 0.05), exact, none)).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(0)
        for nonlinearity in (*net.gates, net.cell_output):
            nonlinearity.function.p.fill_(3)
        net.input.bias[3 * 64 :] = 5.0  # the candidates saturate, all gates stay at a half
    attach_noise(net, NoiseSource([rng(0)]))
    state = (torch.zeros(8, 64, dtype=torch.float64),) * 2
    out, _ = net(torch.zeros(4, 8, 1, dtype=torch.float64), state)
    assert out[0].unique().numel() == 8 * 64
    assert out.unique().numel() > 3 * 8 * 64


@pytest.mark.parametrize("name", [*PLAIN, *FUSED, "linear backward"])
def test_which_pairs_and_rules_walk_the_loop(name: str) -> None:
    net = layer(SOFT, linear) if name == "linear backward" else layer({**PLAIN, **FUSED}[name])
    assert net.fusable == (name in FUSED)


def test_linear_backward_ignores_slopes() -> None:
    x, (h, c) = inputs()
    gradients = []
    for rule in (linear, exact):
        net = layer(SOFT, rule)
        out, _ = net(x[:1, :1], (h[:1], c[:1]))
        gradients.append(torch.autograd.grad(out.sum(), net.input.bias)[0][:UNITS])
    o = torch.sigmoid(net.input(x[0, :1]) + net.recurrent(h[:1]))[0, :UNITS]
    torch.testing.assert_close(gradients[1], gradients[0] * o * (1 - o))  # of the output gates, in a single step


def stack(depth: int, bound: float = 2.0) -> Stack:
    """Soft layers whose weights and biases are all drawn at random."""
    made, draws = Stack(LSTMLayer, INPUTS, UNITS, depth, 0.0, LayerFactory(SOFT, exact, none)).double(), rng(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.uniform_(-bound, bound, generator=draws)
    return made


def as_torch(ours: Stack) -> nn.LSTM:
    """torch's LSTM with the same weights."""
    twin = nn.LSTM(INPUTS, UNITS, len(ours.layers)).to(next(ours.parameters()).dtype)
    with torch.no_grad():
        for own, its in zip(weights(ours), twin.parameters(), strict=True):
            its.copy_(torch_s(own))
    return twin


def weights(net: Stack) -> list[Tensor]:
    """Weights and biases in torch's order."""
    pairs = [(layer.input, layer.recurrent) for layer in net.layers]
    return [getattr(part, kind) for pair in pairs for kind in ("weight", "bias") for part in pair]


def torch_s(columns: Tensor) -> Tensor:
    """A weight or bias whose blocks are in torch's order: input, forget, candidate, output."""
    o, i, f, g = columns.chunk(4)
    return torch.cat([i, f, g, o])


def found(net: Stack | nn.LSTM) -> list[Tensor]:
    """Every output, the last state, and the gradients of inputs, state and weights, these in torch's order."""
    own = list(net.parameters()) if isinstance(net, nn.LSTM) else weights(net)
    x, (h, c) = inputs()
    layers = len(own) // 4
    state = tuple(v.to(own[0].dtype).expand(layers, -1, -1) for v in (h, c))
    out, (last_h, last_c) = net(x.to(own[0].dtype), state)
    loss = out.sin().sum() + last_h.sum() + last_c.cos().sum()
    towards_x, *others = torch.autograd.grad(loss, [x, h, c, *own])
    of_weights = others[2:] if isinstance(net, nn.LSTM) else [torch_s(g) for g in others[2:]]
    return [out, last_h, last_c, towards_x, *others[:2], *of_weights]


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("fused", [True, False])
def test_soft_layers_are_torch_s(fused: bool, depth: int) -> None:
    net = stack(depth)
    for part in net.layers:
        part.fused = fused
    for ours, theirs in zip(found(net), found(as_torch(net)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_float32_is_torch_s_to_a_millionth() -> None:
    net = stack(2, bound=0.5).float()
    for ours, theirs in zip(found(net), found(as_torch(net)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_a_window_in_two_halves_is_the_window() -> None:
    net = layer(SOFT)
    x, state = inputs()
    whole, last = net(x, state)
    first, middle = net(x[:2], state)
    second, end = net(x[2:], middle)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(end, last)


def test_stack_drops_what_goes_up_and_nothing_in_time() -> None:
    net = LSTM((), 11, LayerFactory(SOFT, exact, none), depth=2, width=8, dropout=0.5, tokens=11)
    initialize(net, partial(uniform, bound=0.5), rng(0))
    attach_noise(net, NoiseSource([rng(1)]))
    x = torch.randint(11, (4, 9), generator=rng(2))
    seen: list[Tensor] = []
    for part in net.stack.layers:
        part.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    out, (h, c) = net(x, net.initial_state(4))
    assert out.shape == (4, 9, 11)
    assert h.shape == c.shape == (2, 4, 8)
    assert all(0.3 < (value == 0).double().mean() < 0.7 for value in seen)  # about half of it is dropped
    net.eval()
    assert torch.equal(net(x, net.initial_state(4))[0], net(x, net.initial_state(4))[0])


def test_classifier_takes_the_mean_over_time() -> None:
    net = LSTMClassifier(
        (), 3, LayerFactory(SOFT, exact, none), depth=1, width=6, embedding=4, hidden=5, dropout=0.0, tokens=7
    )
    x = torch.randint(7, (2, 9), generator=rng(2))
    out, state = net(x, net.initial_state(2))
    hidden, _ = net.stack(net.embedding(x.t()), net.initial_state(2))
    expected = net.output(torch.relu(net.hidden(hidden.mean(0))))
    torch.testing.assert_close(out, expected)
    assert state[0].shape == (1, 2, 6)


def test_normalization_is_refused() -> None:
    with pytest.raises(UserError, match="normalization=none"):
        LSTM(
            (),
            11,
            LayerFactory(SOFT, exact, partial(batch, momentum=0.1, eps=1e-5)),
            depth=1,
            width=8,
            dropout=0.0,
            tokens=11,
        )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["architecture=lstm"], "reads sequences, and dataset=digits has none"),
        (["dataset=penn_treebank", "task=language_model"], "has sequences, which architecture=mlp cannot read"),
    ],
)
def test_nets_and_data_that_do_not_go_together(words: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        prepare.check_targets(resolve(compose(words)))
