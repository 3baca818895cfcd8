"""Recurrent layers on top of each other, and the net that predicts at every step: the same for every kind of layer."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from repro.errors import UserError, whole
from repro.model.activations.noise import Dropout
from repro.model.architectures.recurrence import State
from repro.model.layer_factory import LayerFactory

Layer = Callable[[int, int, LayerFactory], nn.Module]
"""Inputs, units and parts to a layer: (steps, batch, inputs) and its state to (steps, batch, units) and its state."""


class Stack(nn.Module):
    """Layers on top of each other, with dropout on what goes up but not on what goes on in time.

    After Zaremba, Sutskever and Vinyals (2014): the input of each layer and the output of the last are dropped.

    Args:
        layer: makes one; it says in `states` how many tensors (batch, units) its state has.
        inputs: features of a step.
        units: of each layer.
        depth: layers, 1 or more.
        dropout: probability in [0, 1).
        make: activation pair and backward rule.
    """

    def __init__(self, layer: Layer, inputs: int, units: int, depth: int, dropout: float, make: LayerFactory) -> None:
        super().__init__()
        whole("architecture.depth", depth, 1)
        whole("architecture.width", units, 1)
        if not isinstance(make.normalize(units, 1), nn.Identity):
            raise UserError("normalization has no place in a recurrent net here; use normalization=none")
        self.layers = nn.ModuleList(layer(units if i else inputs, units, make) for i in range(depth))
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        self.units = units

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(steps, batch, inputs), and a state of tensors (layers, batch, units), to (steps, batch, units) and state."""
        after = []
        for layer, *own in zip(self.layers, *state, strict=True):
            x, last = layer(self.dropout(x), tuple(own))
            after.append(last)
        return self.dropout(x), tuple(map(torch.stack, zip(*after, strict=True)))

    def initial_state(self, batch: int) -> State:
        """Zeros, on the device of the weights."""
        like, first = next(self.parameters()), self.layers[0]
        states: Any = first.states
        return (like.new_zeros(len(self.layers), batch, self.units),) * int(states)


class Predictor(nn.Module):
    """Tokens to a prediction at every step: embedding, recurrent layers, a linear output layer.

    Args:
        layer: see `Stack`.
        shape: of a step of input: () for tokens, (features,) for vectors.
        outputs: classes of a step.
        make: activation pair and backward rule; there is no normalization.
        depth: recurrent layers.
        width: units of each, and numbers of an embedding.
        dropout: probability in [0, 1) that a connection between layers is dropped in training; never one in time.
        tokens: size of the vocabulary; None where inputs are vectors, which need no embedding.
    """

    def __init__(
        self,
        layer: Layer,
        shape: tuple[int, ...],
        outputs: int,
        make: LayerFactory,
        depth: int,
        width: int,
        dropout: float,
        tokens: int | None,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width) if tokens else nn.Identity()
        self.stack = Stack(layer, width if tokens else math.prod(shape), width, depth, dropout, make)
        self.output = make.weights.linear(width, outputs)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(batch, steps) or (batch, steps, features) to logits (batch, steps, outputs), and the state."""
        out, state = self.stack(self.embedding(x.transpose(0, 1)), state)
        return self.output(out.transpose(0, 1)), state  # transposed while it is small

    def initial_state(self, batch: int) -> State:
        """The state before the first step."""
        return self.stack.initial_state(batch)
