"""The fully connected net."""

import math
from itertools import pairwise

from torch import Tensor, nn

from repro.errors import UserError, whole
from repro.model.activations import Nonlinearity
from repro.model.activations.elementwise import Scaled
from repro.model.activations.noise import Dropout, GaussianNoise
from repro.model.backward import exact
from repro.model.layer_factory import LayerFactory, whole_sizes


class Hidden(nn.Module):
    """One hidden layer: linear → normalization → activation → dropout."""

    def __init__(self, inputs: int, units: int, bias: bool, dropout: float, make: LayerFactory) -> None:
        super().__init__()
        self.linear = make.weights.linear(inputs, units, bias)
        self.normalization = make.normalize(units, 1)
        self.activation = make.unit(units)
        self.dropout = Dropout(dropout) if dropout else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs) to (batch, units)."""
        out: Tensor = self.dropout(self.activation(self.normalization(self.linear(x))))
        return out


class MLP(nn.Module):
    """`depth` hidden layers of `width` units and a linear output layer; inputs of any shape are flattened.

    Args:
        shape: of one input.
        outputs: units of the output layer.
        make: activation, backward rule, normalization and kind of weights.
        depth: hidden layers, 0 or more (0: a linear model).
        width: units of each hidden layer, or one number a layer.
        bias: biases in every linear layer.
        dropout: probability in [0, 1) that a hidden unit is dropped in training.
        input_noise: standard deviation of normal noise added to every input in training, 0 or more; None = none.
        activate_output: puts the activation behind the output layer as well.
        exact_output: differentiates that one exactly, whatever the backward rule.
        output_beta: a trainable factor on every output that starts there; None = none.
        output_beta_std: standard deviation of the normal distribution around it that the factor is drawn from.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        outputs: int,
        make: LayerFactory,
        depth: int,
        width: int | list[int],
        bias: bool,
        dropout: float,
        input_noise: float | None,
        activate_output: bool,
        exact_output: bool | None,
        output_beta: float | None,
        output_beta_std: float | None,
    ) -> None:
        super().__init__()
        whole("architecture.depth", depth, 0)
        sizes = [math.prod(shape), *(whole_sizes("architecture.width", width, depth) if depth else [])]
        self.input_noise = GaussianNoise(input_noise) if input_noise is not None else nn.Identity()
        self.hidden = nn.ModuleList(Hidden(inputs, units, bias, dropout, make) for inputs, units in pairwise(sizes))
        self.output = make.output(sizes[-1], outputs, bias)
        self.activation = make.unit(outputs) if activate_output else nn.Identity()
        if exact_output:
            if not isinstance(self.activation, Nonlinearity):
                raise UserError(
                    "architecture.exact_output is about the activation behind the output layer; "
                    "it needs architecture.activate_output=true"
                )
            self.activation.rule = exact
        if output_beta is None and output_beta_std is not None:
            raise UserError(
                "architecture.output_beta_std is about architecture.output_beta, which is null; "
                "give that a number, e.g. 0"
            )
        if output_beta is not None:
            if activate_output:
                raise UserError(
                    "architecture.output_beta and architecture.activate_output=true are two things behind "
                    "the output layer; leave one of them out"
                )
            # A constant factor, whatever the backward rule makes of units.
            self.activation = Nonlinearity(Scaled(outputs, output_beta, output_beta_std or 0.0), exact)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, *shape) to (batch, outputs)."""
        x = self.input_noise(x.flatten(1))
        for layer in self.hidden:
            x = layer(x)
        out: Tensor = self.activation(self.output(x))
        return out
