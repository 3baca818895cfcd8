"""The neural Turing machine: a controller with an outside memory that it reads and writes by attention."""

import math

import torch
from torch import Tensor, nn

from repro.errors import UserError, unknown, whole
from repro.model.architectures.lstm import LSTMLayer
from repro.model.architectures.mlp import Hidden
from repro.model.architectures.ntm_memory import EMPTY, HEADS, blocks, step
from repro.model.architectures.recurrence import State
from repro.model.layer_factory import LayerFactory


class NTM(nn.Module):
    """Graves, Wayne and Danihelka (2014): vectors to a prediction at every step, with one reading and one writing head.

    At each step the controller sees the input and what was read the step before; both heads are addressed by the
    memory as it is, the memory is read, and then written to. The output layer sees the controller and what was read.

    The activation pair takes the place of the controller's nonlinearities, as in section 6.6 of Gulcehre et al.
    (2016): the tanh of feed-forward layers, everything in an LSTM. What the heads do with the controller's words is
    arithmetic of the memory and stays as it is: tanh for keys and for what is written, logistic gates and erasure.

    The memory starts at a small constant and both heads at its first row, so that no row is like another.

    Args:
        shape: of a step of input, (features,).
        outputs: numbers predicted at a step.
        make: activation pair and backward rule; there is no normalization.
        controller: feedforward or lstm.
        depth: layers of the controller, 1 or more.
        width: units of each.
        rows: of the memory, 3 or more, so that the three shifts differ.
        features: numbers in a row.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        outputs: int,
        make: LayerFactory,
        controller: str,
        depth: int,
        width: int,
        rows: int,
        features: int,
    ) -> None:
        super().__init__()
        if not shape:
            raise UserError("architecture=ntm reads vectors, and these data are tokens; take architecture=lstm")
        kinds: dict[str, type[FeedForward] | type[Recurrent]] = {"feedforward": FeedForward, "lstm": Recurrent}
        if controller not in kinds:
            raise unknown("controller in architecture.controller", str(controller), kinds)
        whole("architecture.depth", depth, 1)
        whole("architecture.width", width, 1)
        self.rows = whole("architecture.rows", rows, 3)
        self.features = whole("architecture.features", features, 1)
        if not isinstance(make.normalize(width, 1), nn.Identity):
            raise UserError("normalization has no place in a neural Turing machine here; use normalization=none")
        self.controller: FeedForward | Recurrent = kinds[controller](math.prod(shape) + features, width, depth, make)
        self.heads = make.weights.linear(width, sum(blocks(features)))
        self.output = make.weights.linear(width + features, outputs)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(batch, steps, inputs) to (batch, steps, outputs), and the state."""
        memory, read, weights, *rest = state
        carried, controls, reads = tuple(rest), [], []
        for now in x.unbind(1):
            h, carried = self.controller(torch.cat((now, read), -1), carried)
            read, weights, memory = step(memory, weights, self.heads(h))
            controls.append(h)
            reads.append(read)
        seen = torch.cat((torch.stack(controls, 1), torch.stack(reads, 1)), -1)
        return self.output(seen), (memory, read, weights, *carried)

    def initial_state(self, batch: int) -> State:
        """Before the first step.

        Returns:
            Memory (batch, rows, features), what was read (batch, features), weightings (batch, 2, rows), and what an
            LSTM carries: h and c of every layer in turn, each (batch, width).
        """
        like = self.heads.weight
        memory = like.new_full((batch, self.rows, self.features), EMPTY)
        weights = like.new_zeros(batch, HEADS, self.rows)
        weights[:, :, 0] = 1
        return memory, like.new_zeros(batch, self.features), weights, *self.controller.initial_state(batch)


class FeedForward(nn.ModuleList):
    """Layers without a memory of their own, each linear → activation."""

    def __init__(self, inputs: int, units: int, depth: int, make: LayerFactory) -> None:
        super().__init__(Hidden(units if i else inputs, units, True, 0.0, make) for i in range(depth))

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(batch, inputs) to (batch, units); the state is empty."""
        for layer in self:
            x = layer(x)
        return x, state

    def initial_state(self, batch: int) -> State:
        """Nothing."""
        del batch
        return ()


class Recurrent(nn.ModuleList):
    """LSTM layers on top of each other, walked one step at a time."""

    def __init__(self, inputs: int, units: int, depth: int, make: LayerFactory) -> None:
        super().__init__(LSTMLayer(units if i else inputs, units, make) for i in range(depth))
        self.units = units

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(batch, inputs) to (batch, units), and h and c of every layer in turn, each (batch, units)."""
        after: State = ()
        for i, layer in enumerate(self):
            steps, own = layer(x.unsqueeze(0), state[2 * i : 2 * i + 2])
            x, after = steps[0], (*after, *own)
        return x, after

    def initial_state(self, batch: int) -> State:
        """Zeros, on the device of the weights."""
        zeros = next(self.parameters()).new_zeros(batch, self.units)
        return (zeros,) * (2 * len(self))
