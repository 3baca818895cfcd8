"""`nn.LSTM` and `nn.GRU` with other activations in their gates and candidates, their weights kept."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.rnn import PackedSequence

from repro.errors import UserError
from repro.model.activations import Activation
from repro.model.architectures.gru import GRULayer
from repro.model.architectures.lstm import LSTMLayer
from repro.model.backward import exact
from repro.model.layer_factory import LayerFactory

Recurrent = nn.LSTM | nn.GRU
Make = Callable[[int], nn.Module]  # a function for so many units

# Where torch's blocks of rows (LSTM: i, f, g, o; GRU: r, z, n) stand in ours (o, i, f, g; r, z, n).
ORDER = {nn.LSTM: (3, 0, 1, 2), nn.GRU: (0, 1, 2)}


class WithActivations(nn.Module):
    """A stack of recurrent layers that is called as torch's own is, and has its weights and settings.

    Args:
        layer: an `nn.LSTM` or `nn.GRU`; its weights are copied, with whether they are trained. Without biases it gets
            some of zeros, which are not.
        unit: what takes the place of tanh (the candidate, and the cell's output of an LSTM).
        gate: what takes the place of the logistic sigmoid.

    Raises:
        UserError: the layer projects its hidden state, or has more to it than torch's own: a `forward`, hooks, or
            parametrizations such as weight norm.
    """

    def __init__(self, layer: Recurrent, unit: Make, gate: Make) -> None:
        super().__init__()
        if layer.proj_size:
            raise UserError(f"an nn.LSTM with proj_size={layer.proj_size} has no counterpart here; leave proj_size out")
        if more := _more(layer):
            raise UserError(f"{type(layer).__name__} has {more}, which other activations within it would lose")
        self.lstm = isinstance(layer, nn.LSTM)
        self.mode, self.bias, self.batch_first, self.dropout = layer.mode, layer.bias, layer.batch_first, layer.dropout
        self.input_size, self.hidden_size, self.num_layers = layer.input_size, layer.hidden_size, layer.num_layers
        self.bidirectional, self.directions = layer.bidirectional, 2 if layer.bidirectional else 1
        self.units = layer.hidden_size
        make = LayerFactory(Activation(unit, gate), exact, lambda *_: nn.Identity())
        self.layers = nn.ModuleList()
        for depth in range(layer.num_layers):
            inputs = layer.input_size if depth == 0 else self.units * self.directions
            for direction in range(self.directions):
                one = LSTMLayer(inputs, self.units, make) if self.lstm else GRULayer(inputs, self.units, make, "after")
                _copy(layer, f"l{depth}{'_reverse' if direction else ''}", one)
                self.layers.append(one)
        self.to(layer.all_weights[0][0]).train(layer.training)

    def forward(
        self, input: Tensor, hx: Tensor | tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor | tuple[Tensor, Tensor]]:
        """As `nn.LSTM` or `nn.GRU`: (steps, batch, inputs), batch first where it was so, or (steps, inputs).

        Raises:
            UserError: a packed sequence.
            ValueError, RuntimeError: an input or a state of another shape, as theirs.
        """
        if isinstance(input, PackedSequence):
            raise UserError("other activations take padded batches only; unpack with nn.utils.rnn.pad_packed_sequence")
        if input.dim() not in (2, 3):
            raise ValueError(f"{self.mode}: Expected input to be 2D or 3D, got {input.dim()}D instead")
        alone = input.dim() == 2
        whole = input.unsqueeze(1) if alone else input.transpose(0, 1) if self.batch_first else input
        begun = self._states(whole, hx, alone)
        ended: list[tuple[Tensor, ...]] = []
        for first in range(0, len(self.layers), self.directions):
            outs = []
            for i in range(first, first + self.directions):
                backward = i > first
                out, last = self.layers[i](whole.flip(0) if backward else whole, begun[i])
                outs.append(out.flip(0) if backward else out)
                ended.append(last)
            whole = torch.cat(outs, dim=-1)
            if first + self.directions < len(self.layers):
                whole = nn.functional.dropout(whole, self.dropout, self.training)
        out = whole.squeeze(1) if alone else whole.transpose(0, 1) if self.batch_first else whole
        states = [torch.stack(parts) for parts in zip(*ended, strict=True)]
        states = [part.squeeze(1) for part in states] if alone else states
        return out, ((states[0], states[1]) if self.lstm else states[0])

    def flatten_parameters(self) -> None:
        """Nothing: the weights lie as they are."""

    def _states(self, x: Tensor, state: Tensor | tuple[Tensor, Tensor] | None, alone: bool) -> list[tuple[Tensor, ...]]:
        """Before the first step, of every layer and direction."""
        if state is None:
            zero = x.new_zeros(x.shape[1], self.units)
            return [(zero, zero) if self.lstm else (zero,)] * len(self.layers)
        given = [part.unsqueeze(1) if alone else part for part in ((state,) if isinstance(state, Tensor) else state)]
        wanted = [(len(self.layers), x.shape[1], self.units)] * (2 if self.lstm else 1)
        if (got := [tuple(part.shape) for part in given]) != wanted:
            raise RuntimeError(f"Expected hidden sizes {wanted}, got {got}")
        return list(zip(*given, strict=True))


def _more(layer: Recurrent) -> str | None:
    """What a layer has that torch's own has not, in words."""
    if type(layer).forward not in (nn.LSTM.forward, nn.GRU.forward):
        return "a forward of its own"
    if is_parametrized(layer):
        return "parametrized weights"
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return "hooks" if any(getattr(layer, name) for name in hooks) else None


@torch.no_grad()
def _copy(layer: Recurrent, place: str, one: LSTMLayer | GRULayer) -> None:
    """Weights and biases of one layer and direction of torch's."""
    order = ORDER[nn.LSTM if isinstance(layer, nn.LSTM) else nn.GRU]
    for linear, name in ((one.input, "ih"), (one.recurrent, "hh")):
        for mine, kind in ((linear.weight, "weight"), (linear.bias, "bias")):
            theirs = getattr(layer, f"{kind}_{name}_{place}", None)  # no biases with bias=False
            mine.requires_grad = theirs is not None and theirs.requires_grad
            blocks = torch.zeros_like(mine) if theirs is None else theirs
            parts = blocks.chunk(len(order))
            mine.copy_(torch.cat([parts[i] for i in order]))
