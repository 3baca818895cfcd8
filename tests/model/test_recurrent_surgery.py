"""Other activations within torch's own recurrent layers: with the usual ones nothing changes."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

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
    if settings.get("bias", True):  # one without has some here, which start at 0
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


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="proj_size=2 has no counterpart"):
        repro.replace(Net(nn.LSTM(4, 5, proj_size=2)), {"tanh": nn.Tanh})
    net = repro.replace(Net(nn.LSTM(4, 5)), {"sigmoid": nn.Hardsigmoid})
    with pytest.raises(UserError, match="padded batches only"):
        net(nn.utils.rnn.pack_padded_sequence(torch.zeros(3, 2, 4), torch.tensor([3, 1])))
    with pytest.raises(UserError, match="the net has no relu module; its activation modules: sigmoid, tanh"):
        repro.replace(Net(nn.GRU(4, 5)), {"relu": nn.Tanh})
