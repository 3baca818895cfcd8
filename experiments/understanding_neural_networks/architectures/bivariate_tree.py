"""A function of three numbers made of functions of two."""

import math

import torch
from torch import Tensor, nn

from repro.errors import UserError, whole
from repro.model.architectures.mlp import Hidden
from repro.model.layer_factory import LayerFactory

INPUTS = 3


class Pair(nn.Module):
    """A function of two numbers: one hidden layer and a linear output.

    Args:
        width: hidden units.
        outputs: numbers that it gives.
        make: activation, backward rule, normalization and kind of weights.
    """

    def __init__(self, width: int, outputs: int, make: LayerFactory) -> None:
        super().__init__()
        self.hidden = Hidden(2, width, True, 0.0, make)
        self.output = make.weights.linear(width, outputs)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Twice (batch,) to (batch, outputs)."""
        out: Tensor = self.output(self.hidden(torch.stack([one, other], dim=-1)))
        return out


class BivariateTree(nn.Module):
    """f(a, b, c) = g(h(a, b), k(b, c)), each of the three a net of two inputs.

    Kolmogorov (1956) and Arnold (1957) showed that functions of three numbers are made of functions of two.

    Args:
        shape: of one input, which has three numbers.
        outputs: of g.
        make: activation, backward rule, normalization and kind of weights.
        width: hidden units of each of the three nets, 1 or more.

    Raises:
        UserError: inputs have not three numbers, or the width is out of range.
    """

    def __init__(self, shape: tuple[int, ...], outputs: int, make: LayerFactory, width: int) -> None:
        super().__init__()
        whole("architecture.width", width, 1)
        if math.prod(shape) != INPUTS:
            raise UserError(
                f"architecture=bivariate_tree is a function of {INPUTS} numbers, and an input has {math.prod(shape)}; "
                "take dataset=formulas dataset.formula=septic_root, or another architecture"
            )
        self.h, self.k = Pair(width, 1, make), Pair(width, 1, make)
        self.g = Pair(width, outputs, make)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, *shape) to (batch, outputs)."""
        a, b, c = x.flatten(1).unbind(-1)
        out: Tensor = self.g(self.h(a, b).squeeze(-1), self.k(b, c).squeeze(-1))
        return out
