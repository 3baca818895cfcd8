"""The LSTM cell: equal to torch's where it is soft, to its own slow twin for every pair, right gradients for all."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from repro.activations import Activation, NoiseSource, attach_noise
from repro.activations.elementwise import Esp, hard_sigmoid, hard_tanh
from repro.activations.noisy import noisy_sigmoid, noisy_tanh
from repro.architectures.kit import Kit
from repro.architectures.lstm import LSTM, LSTMClassifier, LSTMLayer
from repro.backward import exact, linear
from repro.composition import compose
from repro.config import resolve
from repro.errors import UserError
from repro.initialization import initialize, uniform
from repro.normalization import batch, none
from repro.training import assemble

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
    made = LSTMLayer(INPUTS, UNITS, Kit(pair, rule, none)).double()
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
    net = LSTMLayer(1, 64, Kit(noisy_tanh("nan", 1.0, 1.0, 0.5, 0.05), exact, none)).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(0)
        for site in (*net.gates, net.cell_output):
            site.function.p.fill_(3)
        net.input.bias[3 * 64 :] = 5.0  # the candidates saturate, all gates stay at a half
    attach_noise(net, NoiseSource([rng(0)]))
    state = (torch.zeros(8, 64, dtype=torch.float64),) * 2
    out, _ = net(torch.zeros(4, 8, 1, dtype=torch.float64), state)
    assert out[0].unique().numel() == 8 * 64
    assert out.unique().numel() > 3 * 8 * 64


@pytest.mark.parametrize("name", [*PLAIN, "soft", "linear backward"])
def test_every_other_pair_and_rule_walks_the_loop(name: str) -> None:
    net = layer(SOFT, linear) if name == "linear backward" else layer({**PLAIN, **FUSED}[name])
    assert net.fusable == (name == "soft")
    found = values_and_gradients(net, True)
    assert all(value.isfinite().all() for value in found)
    assert found[3].abs().sum() > 0


def test_linear_backward_ignores_slopes() -> None:
    x, (h, c) = inputs()
    gradients = []
    for rule in (linear, exact):
        net = layer(SOFT, rule)
        out, _ = net(x[:1, :1], (h[:1], c[:1]))
        gradients.append(torch.autograd.grad(out.sum(), net.input.bias)[0][:UNITS])
    o = torch.sigmoid(net.input(x[0, :1]) + net.recurrent(h[:1]))[0, :UNITS]
    torch.testing.assert_close(gradients[1], gradients[0] * o * (1 - o))  # of the output gates, in a single step


@pytest.mark.parametrize("name", FUSED)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    net = layer(FUSED[name])
    named = dict(net.named_parameters())

    def run(x: Tensor, h: Tensor, c: Tensor, *values: Tensor) -> tuple[Tensor, Tensor]:
        attach_noise(net, NoiseSource([rng(5)]))
        out, (_, last) = torch.func.functional_call(net, dict(zip(named, values, strict=True)), (x, (h, c)))
        return out, last

    x, (h, c) = inputs()
    parameters = [p.detach().clone().requires_grad_() for p in named.values()]
    assert torch.autograd.gradcheck(run, (x, h, c, *parameters), eps=1e-7, atol=1e-4, rtol=1e-4)


def as_torch(net: LSTMLayer) -> nn.LSTM:
    """torch's LSTM with the same weights; its columns are input, forget, candidate, output."""
    twin = nn.LSTM(INPUTS, UNITS).double()
    with torch.no_grad():
        for ours, name in ((net.input, "ih"), (net.recurrent, "hh")):
            for kind in ("weight", "bias"):
                o, i, f, g = getattr(ours, kind).chunk(4)
                getattr(twin, f"{kind}_{name}_l0").copy_(torch.cat([i, f, g, o]))
    return twin


@pytest.mark.parametrize("fused", [True, False])
def test_the_soft_cell_is_torch_s(fused: bool) -> None:
    net = layer(SOFT)
    net.fused = fused
    twin = as_torch(net)
    results = []
    for run in (net, twin):
        x, (h, c) = inputs()
        state = (h, c) if run is net else (h[None], c[None])
        out, (last_h, last_c) = run(x, state)
        gradients = torch.autograd.grad(out.sin().sum() + last_h.sum() + last_c.cos().sum(), [x, h, c])
        results.append([out, last_h.view(BATCH, UNITS), last_c.view(BATCH, UNITS), *gradients])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    weights = []
    for run in (net, twin):
        run.zero_grad()
        x, (h, c) = inputs()
        run(x, (h, c) if run is net else (h[None], c[None]))[0].sin().sum().backward()
        weights.append(run.recurrent.weight.grad if run is net else run.weight_hh_l0.grad)
    o, i, f, g = weights[0].chunk(4)
    torch.testing.assert_close(torch.cat([i, f, g, o]), weights[1], rtol=0, atol=1e-12)


def test_float32_is_torch_s_to_a_millionth() -> None:
    net, x = layer(SOFT, bound=0.5).float(), inputs()[0].detach().float()
    twin = as_torch(net).float()
    state = torch.zeros(BATCH, UNITS), torch.zeros(BATCH, UNITS)
    ours, theirs = net(x, state)[0], twin(x)[0]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    (mine,) = torch.autograd.grad(ours.sin().sum(), net.recurrent.weight)
    (its,) = torch.autograd.grad(theirs.sin().sum(), twin.weight_hh_l0)
    o, i, f, g = mine.chunk(4)
    torch.testing.assert_close(torch.cat([i, f, g, o]), its, rtol=0, atol=1e-5)


def test_a_window_in_two_halves_is_the_window() -> None:
    net = layer(SOFT)
    x, state = inputs()
    whole, last = net(x, state)
    first, middle = net(x[:2], state)
    second, end = net(x[2:], middle)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(end, last)


def test_stack_drops_what_goes_up_and_nothing_in_time() -> None:
    net = LSTM((), 11, Kit(SOFT, exact, none), depth=2, width=8, dropout=0.5, tokens=11)
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
    net = LSTMClassifier((), 3, Kit(SOFT, exact, none), depth=1, width=6, embedding=4, hidden=5, dropout=0.0, tokens=7)
    x = torch.randint(7, (2, 9), generator=rng(2))
    out, state = net(x, net.initial_state(2))
    hidden, _ = net.stack(net.embedding(x.t()), net.initial_state(2))
    expected = net.output(torch.relu(net.hidden(hidden.mean(0))))
    torch.testing.assert_close(out, expected)
    assert state[0].shape == (1, 2, 6)


def test_normalization_is_refused() -> None:
    with pytest.raises(UserError, match="normalization=none"):
        LSTM((), 11, Kit(SOFT, exact, partial(batch, momentum=0.1, eps=1e-5)), depth=1, width=8, dropout=0.0, tokens=11)


@pytest.mark.parametrize(("words", "says"), [
    (["architecture=lstm"], "reads sequences, and dataset=digits has none"),
    (["dataset=penn_treebank", "task=language_model"], "has sequences, which architecture=mlp cannot read"),
])  # fmt: skip
def test_nets_and_data_that_do_not_go_together(words: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        assemble.check_targets(resolve(compose(words)))
