"""A deep net whose hidden layers have one unit each, around which the input is carried on."""

import math

from torch import Tensor, nn

from repro.errors import UserError, whole
from repro.model.layer_factory import LayerFactory


class Block(nn.Module):
    """h + v · unit(u · h + b): one unit, and a vector that it is added by."""

    def __init__(self, features: int, make: LayerFactory) -> None:
        super().__init__()
        self.linear = make.weights.linear(features, 1)
        self.activation = make.unit(1)
        self.back = make.weights.linear(1, features, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        """(batch, features) to the same shape."""
        out: Tensor = h + self.back(self.activation(self.linear(h)))
        return out


class ResidualNeurons(nn.Module):
    """`depth` residual blocks of a single unit each and a linear output layer; inputs of any shape are flattened.

    With enough blocks it approximates any integrable function (Lin and Jegelka 2018), which the same chain of units
    without the way around them does not.

    Args:
        shape: of one input.
        outputs: units of the output layer.
        make: activation, backward rule and kind of weights; there is no normalization.
        depth: blocks, 1 or more.
    """

    def __init__(self, shape: tuple[int, ...], outputs: int, make: LayerFactory, depth: int) -> None:
        super().__init__()
        whole("architecture.depth", depth, 1)
        if not isinstance(make.normalize(1, 1), nn.Identity):
            raise UserError("normalization has no place in a layer of one unit; use normalization=none")
        features = math.prod(shape)
        self.blocks = nn.Sequential(*(Block(features, make) for _ in range(depth)))
        self.output = make.weights.linear(features, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, *shape) to (batch, outputs)."""
        out: Tensor = self.output(self.blocks(x.flatten(1)))
        return out
