"""`nn.LSTM` and `nn.GRU` with other activations in their gates and candidates, their weights kept."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
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
    """A stack of recurrent layers that is called as torch's own is, and has its weights.

    Args:
        layer: an `nn.LSTM` or `nn.GRU`; its weights are copied, with whether they are trained. Without biases it gets
            some of zeros, which are not.
        unit: what takes the place of tanh (the candidate, and the cell's output of an LSTM).
        gate: what takes the place of the logistic sigmoid.

    Raises:
        UserError: the layer projects its hidden state.
    """

    def __init__(self, layer: Recurrent, unit: Make, gate: Make) -> None:
        super().__init__()
        if layer.proj_size:
            raise UserError(f"an nn.LSTM with proj_size={layer.proj_size} has no counterpart here; leave proj_size out")
        self.lstm = isinstance(layer, nn.LSTM)
        self.batch_first, self.dropout, self.units = layer.batch_first, layer.dropout, layer.hidden_size
        self.directions = 2 if layer.bidirectional else 1
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
        self, x: Tensor, state: Tensor | tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor | tuple[Tensor, Tensor]]:
        """As `nn.LSTM` or `nn.GRU`: (steps, batch, inputs), batch first where it was so, or (steps, inputs).

        Raises:
            UserError: a packed sequence.
        """
        if isinstance(x, PackedSequence):
            raise UserError("other activations take padded batches only; unpack with nn.utils.rnn.pad_packed_sequence")
        alone = x.dim() == 2
        whole = x.unsqueeze(1) if alone else x.transpose(0, 1) if self.batch_first else x
        begun = self._states(whole, state, alone)
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

    def _states(self, x: Tensor, state: Tensor | tuple[Tensor, Tensor] | None, alone: bool) -> list[tuple[Tensor, ...]]:
        """Before the first step, of every layer and direction."""
        if state is None:
            zero = x.new_zeros(x.shape[1], self.units)
            return [(zero, zero) if self.lstm else (zero,)] * len(self.layers)
        given = state if isinstance(state, tuple) else (state,)
        return list(zip(*(part.unsqueeze(1) if alone else part for part in given), strict=True))


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
