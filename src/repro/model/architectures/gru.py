"""Gated recurrent unit: one cell whose gates and candidate take any activation pair."""

from functools import partial

import torch
from torch import Tensor, nn

from repro.errors import unknown
from repro.model.architectures.columns import fusable
from repro.model.architectures.gru_kernel import recur
from repro.model.architectures.recurrence import applied, window_noise
from repro.model.architectures.stack import Predictor
from repro.model.layer_factory import LayerFactory

RESETS = ("after", "before")

State = tuple[Tensor]


class GRULayer(nn.Module):
    """One layer over a window of time (Cho et al. 2014).

        r, z = gate(W x_t + U h_(t-1) + b)               each block of columns its own
        g    = unit(W x_t + b + r · (U h_(t-1) + d))     reset "after" the recurrent product, as torch has it
        g    = unit(W x_t + b + U (r · h_(t-1)) + d)     reset "before" it
        h_t  = z · h_(t-1) + (1 - z) · g

    Three nonlinearities, each with parameters of its own where the activation has any; noise is drawn afresh for
    every unit, sample and step. With `fused` set to False, and always with reset "before", the window is walked one
    nonlinearity after the other, which is slower and what hooks and `torch.func` transforms need.

    Args:
        inputs: features of x_t.
        units: of the cell.
        make: activation pair and backward rule.
        reset: where the reset gate acts, "after" or "before" the recurrent product.
    """

    states = 1

    def __init__(self, inputs: int, units: int, make: LayerFactory, reset: str) -> None:
        super().__init__()
        if reset not in RESETS:
            raise unknown("place in architecture.reset", str(reset), RESETS)
        self.input = make.weights.linear(inputs, 3 * units)
        self.recurrent = make.weights.linear(units, (3 if reset == "after" else 2) * units)
        self.recurrent_candidate = None if reset == "after" else make.weights.linear(units, units)
        for part in (self.input, self.recurrent):
            part.blocks = part.out_features // units  # type: ignore[assignment]  # initialized one by one
        self.reset_gate = make.gate(units)
        self.update_gate = make.gate(units)
        self.candidate = make.unit(units)
        self.hidden = nn.Identity()  # where diagnostics look at h_t
        self.units = units
        self.fused = True

    @property
    def fusable(self) -> bool:
        """Whether the kernel knows the functions as they are now."""
        known = self.recurrent_candidate is None and type(self.recurrent) is nn.Linear
        return known and fusable((self.reset_gate, self.update_gate), (self.candidate,))

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(steps, batch, inputs) and h before them, (batch, units), to every h_t and the last h."""
        out = self.walk(self.input(x), state[0])
        return out, (out[-1],)

    def walk(self, projected: Tensor, h: Tensor) -> Tensor:
        """Every h_t of a window whose inputs have gone through `input`, (steps, batch, units)."""
        gates, n = (self.reset_gate, self.update_gate), self.units
        noise = window_noise(self.training, (*gates, self.candidate), projected[..., : 2 * n], projected[..., 2 * n :])
        if self.fused and self.fusable and not torch.is_autocast_enabled(h.device.type):
            return recur(projected, self.recurrent, h, gates, self.candidate, noise)
        steps = []
        for t, x in enumerate(projected):
            h = self.hidden(self._step(x, h, *(None if xi is None else xi[t] for xi in noise)))
            steps.append(h)
        return torch.stack(steps)

    def _step(self, x: Tensor, h: Tensor, xi: Tensor | None, xi_candidate: Tensor | None) -> Tensor:
        n = self.units
        u = self.recurrent(h)
        columns = (x[..., : 2 * n] + u[..., : 2 * n]).chunk(2, -1)
        drawn = (None, None) if xi is None else xi.chunk(2, -1)
        r, z = (applied(*one) for one in zip((self.reset_gate, self.update_gate), columns, drawn, strict=True))
        a = r * u[..., 2 * n :] if self.recurrent_candidate is None else self.recurrent_candidate(r * h)
        g = applied(self.candidate, x[..., 2 * n :] + a, xi_candidate)
        return z * h + (1 - z) * g


class GRU(Predictor):
    """Tokens to a prediction at every step: embedding, GRU layers, a linear output layer.

    Args:
        shape: of a step of input: () for tokens, (features,) for vectors.
        outputs: classes of a step.
        make: activation pair and backward rule; there is no normalization.
        depth: GRU layers.
        width: units of each, and numbers of an embedding.
        dropout: probability in [0, 1) that a connection between layers is dropped in training; never one in time.
        reset: where the reset gate acts, "after" or "before" the recurrent product.
        tokens: size of the vocabulary; None where inputs are vectors, which need no embedding.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        outputs: int,
        make: LayerFactory,
        depth: int,
        width: int,
        dropout: float,
        reset: str,
        tokens: int | None,
    ) -> None:
        super().__init__(partial(GRULayer, reset=reset), shape, outputs, make, depth, width, dropout, tokens)
