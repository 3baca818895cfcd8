"""Long short-term memory: one cell whose gates, candidate and output take any activation pair."""

import math

import torch
from torch import Tensor, nn

from repro.errors import whole
from repro.model.architectures.columns import fusable
from repro.model.architectures.lstm_kernel import recur
from repro.model.architectures.recurrence import applied, window_noise
from repro.model.architectures.stack import Predictor, Stack
from repro.model.layer_factory import LayerFactory

State = tuple[Tensor, Tensor]


class LSTMLayer(nn.Module):
    """One layer over a window of time (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000; no peepholes).

        o, i, f = gate(W x_t + U h_(t-1) + b)       each block of columns its own
        c_t = f · c_(t-1) + i · unit(W x_t + U h_(t-1) + b)
        h_t = o · unit(c_t)

    Five nonlinearities, each with parameters of its own where the activation has any; noise is drawn afresh for
    every unit, sample and step. With `fused` set to False the window is walked one nonlinearity after the other,
    which is slower and what hooks and `torch.func` transforms need.

    Args:
        inputs: features of x_t.
        units: of the cell.
        make: activation pair and backward rule.
    """

    states = 2  # tensors

    def __init__(self, inputs: int, units: int, make: LayerFactory) -> None:
        super().__init__()
        self.input = make.weights.linear(inputs, 4 * units)
        self.recurrent = make.weights.linear(units, 4 * units)
        self.output_gate = make.gate(units)
        self.input_gate = make.gate(units)
        self.forget_gate = make.gate(units)
        self.candidate = make.unit(units)
        self.cell_output = make.unit(units)
        self.hidden = nn.Identity()  # where diagnostics look at h_t
        self.units = units
        self.gates = (self.output_gate, self.input_gate, self.forget_gate, self.candidate)
        self.fused = True

    @property
    def fusable(self) -> bool:
        """Whether the kernel knows the functions as they are now."""
        return type(self.recurrent) is nn.Linear and fusable(self.gates[:3], (self.candidate, self.cell_output))

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(steps, batch, inputs) and (h, c) before them, each (batch, units), to every h_t and the last (h, c)."""
        if not (self.fused and self.fusable) or torch.is_autocast_enabled(x.device.type):
            projected = self.input(x)
            return self._plain(projected, state, self._noise(projected))
        projected = nn.functional.linear(x, self.input.weight, self.input.bias + self.recurrent.bias)
        weight = self.recurrent.weight
        return recur(projected, weight, state, self.gates, self.cell_output, self._noise(projected))

    def _noise(self, projected: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Of gates and cell output, for a window."""
        return window_noise(self.training, (*self.gates, self.cell_output), projected, projected[..., : self.units])

    def _plain(
        self, projected: Tensor, state: State, noise: tuple[Tensor | None, Tensor | None]
    ) -> tuple[Tensor, State]:
        """The straightforward loop."""
        h, c = state
        steps = []
        for t, x in enumerate(projected):
            columns = (x + self.recurrent(h)).chunk(4, dim=-1)
            xi = [None] * 4 if noise[0] is None else noise[0][t].chunk(4, dim=-1)
            o, i, f, g = (applied(s, a, n) for s, a, n in zip(self.gates, columns, xi, strict=True))
            c = f * c + i * g
            h = self.hidden(o * applied(self.cell_output, c, None if noise[1] is None else noise[1][t]))
            steps.append(h)
        return torch.stack(steps), (h, c)


class LSTM(Predictor):
    """Tokens to a prediction at every step: embedding, LSTM layers, a linear output layer.

    Args:
        shape: of a step of input: () for tokens, (features,) for vectors.
        outputs: classes of a step.
        make: activation pair and backward rule; there is no normalization.
        tokens: size of the vocabulary; None where inputs are vectors, which need no embedding.
        depth: LSTM layers.
        width: units of each, and numbers of an embedding.
        dropout: probability in [0, 1) that a connection between layers is dropped in training; never one in time.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        outputs: int,
        make: LayerFactory,
        depth: int,
        width: int,
        dropout: float,
        tokens: int | None,
    ) -> None:
        super().__init__(LSTMLayer, shape, outputs, make, depth, width, dropout, tokens)


class LSTMClassifier(nn.Module):
    """A sequence to one prediction: embedding, LSTM, mean of h_t over time, ReLU layer, linear output layer.

    Args:
        shape: of a step of input: () for tokens, (features,) for vectors.
        outputs: classes.
        make: activation pair and backward rule of the LSTM; the layer behind it stays as it is.
        tokens: size of the vocabulary; None where inputs are vectors.
        depth: LSTM layers.
        width: units of each.
        embedding: numbers of an embedding.
        hidden: units of the ReLU layer.
        dropout: as in `LSTM`.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        outputs: int,
        make: LayerFactory,
        depth: int,
        width: int,
        embedding: int,
        hidden: int,
        dropout: float,
        tokens: int | None,
    ) -> None:
        super().__init__()
        whole("architecture.embedding", embedding, 1)
        whole("architecture.hidden", hidden, 1)
        self.embedding = nn.Embedding(tokens, embedding) if tokens else nn.Identity()
        self.stack = Stack(LSTMLayer, embedding if tokens else math.prod(shape), width, depth, dropout, make)
        self.hidden = make.weights.linear(width, hidden)
        self.output = make.weights.linear(hidden, outputs)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(batch, steps) or (batch, steps, features) to logits (batch, outputs), and the state."""
        out, (h, c) = self.stack(self.embedding(x.transpose(0, 1)), state)
        return self.output(torch.relu(self.hidden(out.mean(0)))), (h, c)

    def initial_state(self, batch: int) -> State:
        """The state before the first step."""
        h, c = self.stack.initial_state(batch)
        return h, c
