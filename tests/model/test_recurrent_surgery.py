"""Other activations within torch's own recurrent layers: with the usual ones nothing changes."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

import repro
from repro.activations import NoisySigmoid, NoisyTanh
from repro.errors import UserError
from repro.model.recurrent import WithActivations

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "deep": {"num_layers": 3, "dropout": 0.5},
    "both ways": {"num_layers": 2, "bidirectional": True},
    "batch first, no biases": {"batch_first": True, "bias": False},
}


class Net(nn.Module):
    """A recurrent layer and one behind it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *given: Any) -> Any:
        return self.layer(*given)


def pair(kind: type[nn.LSTM] | type[nn.GRU], **settings: Any) -> tuple[nn.Module, Net]:
    """Torch's layer, and the same with its activations exchanged for themselves; in evaluation mode."""
    torch.manual_seed(0)
    layer = kind(4, 5, **settings).double().eval()
    ours = Net(kind(4, 5, **settings).double().eval())
    ours.load_state_dict({f"layer.{key}": value for key, value in layer.state_dict().items()})
    assert isinstance(repro.replace(ours, {"tanh": nn.Tanh}).layer, WithActivations)
    return layer, ours


def flat(found: Any) -> list[Tensor]:
    """Output and states, one behind the other."""
    out, state = found
    return [out, *(state if isinstance(state, tuple) else (state,))]


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_with_the_usual_activations_it_is_torchs_layer(kind: Any, settings: dict[str, Any]) -> None:
    layer, ours = pair(kind, **settings)
    x = torch.randn(3, 7, 4, dtype=torch.float64)
    theirs, found = flat(layer(x)), flat(ours(x))
    assert [part.shape for part in found] == [part.shape for part in theirs]
    for mine, wanted in zip(found, theirs, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=0, atol=1e-12)
    for parts in (theirs, found):
        sum((part * part.detach().cos()).sum() for part in parts).backward()
    wanted_norm = sum(p.grad.square().sum() for p in layer.parameters())
    own = [p.grad for p in ours.parameters() if p.grad is not None]
    torch.testing.assert_close(sum(g.square().sum() for g in own), wanted_norm, rtol=1e-10, atol=0)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_from_a_given_state_and_without_a_batch(kind: Any) -> None:
    layer, ours = pair(kind, num_layers=2, bidirectional=True)
    x, h = torch.randn(7, 3, 4, dtype=torch.float64), torch.randn(4, 3, 5, dtype=torch.float64)
    state = (h, h.sin()) if kind is nn.LSTM else h
    alone = tuple(part[:, 0] for part in state) if kind is nn.LSTM else h[:, 0]
    for given in ((x, state), (x[:, 0], alone), (x[:, 0],)):
        for mine, wanted in zip(flat(ours(*given)), flat(layer(*given)), strict=True):
            torch.testing.assert_close(mine, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("kind", "sites"), [(nn.LSTM, 5), (nn.GRU, 3)])
def test_noisy_units_in_every_gate(kind: Any, sites: int) -> None:
    net = Net(kind(4, 5, num_layers=2))
    repro.replace(net, {"tanh": NoisyTanh(noise="nah"), "sigmoid": NoisySigmoid(noise="nah")})
    learnt = {name: p for name, p in net.named_parameters() if name.endswith(".p")}
    assert len(learnt) == 2 * sites
    assert {tuple(p.shape) for p in learnt.values()} == {(5,)}
    x = 30 * torch.randn(9, 6, 4)
    one, two = (flat(net(x))[0] for _ in range(2))
    assert not torch.equal(one, two)
    flat(net(x))[0].sum().backward()
    # So large inputs saturate what takes them; elsewhere p has nothing to scale.
    taking = [p.grad for name, p in learnt.items() if ".layers.0." in name and "cell_output" not in name]
    assert len(taking) == sites - (kind is nn.LSTM)
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in taking)
    net.eval()
    assert torch.equal(flat(net(x))[0], flat(net(x))[0])


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_it_is_called_as_before(kind: Any) -> None:
    layer, ours = (net if isinstance(net, nn.LSTM | nn.GRU) else net.layer for net in pair(kind, num_layers=2))
    x = torch.randn(7, 3, 4, dtype=torch.float64)
    ours.flatten_parameters()
    for found in (ours(x, hx=None), ours(input=x), ours(x, hx=ours(x)[1])):
        assert flat(found)[0].shape == (7, 3, 5)
    for name in ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "mode"):
        assert getattr(ours, name) == getattr(layer, name)


@pytest.mark.parametrize("shape", [(1, 1, 5), (3, 7, 5), (1, 7, 4), (1, 5), (7, 5)], ids=str)
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_states_of_other_shapes_are_refused_as_torch_does(kind: Any, shape: tuple[int, ...]) -> None:
    x, h = torch.randn(6, 7, 4, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
    for net in pair(kind):
        with pytest.raises(RuntimeError, match=r"xpected hidden|hx"):
            net(x, (h, h) if kind is nn.LSTM else h)
        with pytest.raises(ValueError, match="Expected input to be 2D or 3D, got 1D instead"):
            net(x[0, 0])


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_what_a_layer_was_given_is_not_thrown_away(kind: Any) -> None:
    class Own(kind):  # type: ignore[misc]
        def forward(self, input: Tensor, hx: Any = None) -> Any:
            return super().forward(2 * input, hx)

    hooked, normed = kind(4, 5), weight_norm(kind(4, 5), "weight_hh_l0")
    hooked.register_forward_hook(lambda *_: None)
    for layer, what in (
        (Own(4, 5), "Own has a forward of its own"),
        (hooked, f"{kind.__name__} has hooks"),
        (normed, "has parametrized weights"),
    ):
        net = Net(layer)
        with pytest.raises(UserError, match=f"{what}, which other activations within it would lose"):
            repro.replace(net, {"tanh": nn.Tanh})
        assert net.layer is layer


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="proj_size=2 has no counterpart"):
        repro.replace(Net(nn.LSTM(4, 5, proj_size=2)), {"tanh": nn.Tanh})
    net = repro.replace(Net(nn.LSTM(4, 5)), {"sigmoid": nn.Hardsigmoid})
    with pytest.raises(UserError, match="padded batches only"):
        net(nn.utils.rnn.pack_padded_sequence(torch.zeros(3, 2, 4), torch.tensor([3, 1])))
    with pytest.raises(UserError, match="the net has no relu module; its activation modules: sigmoid, tanh"):
        repro.replace(Net(nn.GRU(4, 5)), {"relu": nn.Tanh})


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_a_rule_given_later_acts_in_the_cell(kind: Any) -> None:
    _, ours = pair(kind)
    x = torch.randn(4, 3, 4, dtype=torch.float64)

    def slope() -> Tensor:
        ours.zero_grad()
        flat(ours(x))[0].sum().backward()
        return ours.layer.layers[0].input.weight.grad.clone()

    exact, linear = slope(), (repro.backward.linear(ours), slope())[1]
    assert not torch.allclose(linear, exact, rtol=0.1)
    ours.layer.layers[0].fused = False
    torch.testing.assert_close(slope(), linear)
    repro.backward.exact(ours)
    ours.layer.layers[0].fused = True
    assert torch.equal(slope(), exact)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_functions_exchanged_twice_act(kind: Any) -> None:
    _, ours = pair(kind)
    x = torch.randn(4, 3, 4, dtype=torch.float64)
    repro.replace(ours, {"tanh": NoisyTanh(noise="nan", c=0, alpha=1.0), "sigmoid": nn.Hardsigmoid()})
    found = flat(ours(x))[0]
    _, fresh = pair(kind)
    hard = flat(repro.replace(fresh, {"tanh": nn.Hardtanh(), "sigmoid": nn.Hardsigmoid()})(x))[0]
    torch.testing.assert_close(found, hard)
    assert {p.numel() for name, p in ours.named_parameters() if name.endswith(".p")} == {5}


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_what_is_frozen_stays_so(kind: Any) -> None:
    layer = kind(4, 5, bias=False)
    layer.weight_hh_l0.requires_grad = False
    own = dict(repro.replace(Net(layer), {"tanh": nn.Tanh}).named_parameters())
    assert [name for name, p in own.items() if p.requires_grad] == ["layer.layers.0.input.weight"]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("unit", [nn.Tanh(), NoisyTanh()])
def test_it_runs_in_mixed_precision(kind: Any, unit: nn.Module) -> None:
    net = repro.replace(Net(kind(4, 5)), {"tanh": unit})
    x = torch.randn(4, 3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        out = flat(net(x))[0]
    out.float().sum().backward()
    assert torch.isfinite(out).all()
    torch.testing.assert_close(out.float(), flat(net.eval()(x))[0], rtol=0.1, atol=0.3)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_second_derivatives_are_right_or_refused(kind: Any) -> None:
    layer, ours = pair(kind)

    def penalty(net: nn.Module) -> Tensor:
        x = torch.linspace(-1, 1, 84, dtype=torch.float64).view(7, 3, 4).requires_grad_()
        (slope,) = torch.autograd.grad(flat(net(x))[0].sum(), x, create_graph=True)
        return slope.square().sum()

    with pytest.raises(UserError, match="no second derivatives; set fused = False on each LSTMLayer"):
        penalty(ours)
    ours.layer.layers[0].fused = False
    penalty(layer).backward()
    penalty(ours).backward()
    wanted, own = (sum(p.grad.square().sum() for p in net.parameters()) for net in (layer, ours))
    torch.testing.assert_close(own, wanted)
