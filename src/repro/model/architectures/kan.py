"""The Kolmogorov-Arnold network: functions on the edges are learnt, nodes add up (Liu et al. 2024)."""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

from repro.errors import UserError, number, whole
from repro.model import splines
from repro.model.layer_factory import LayerFactory, whole_sizes


class Edges(nn.Module):
    """All edges from one layer of nodes to the next: y_j = Σ_i φ_ji(x_i), φ(x) = w·b(x) + Σ_g c_g·B_g(x).

    Args:
        inputs: nodes before.
        outputs: nodes behind.
        grid: intervals of the splines.
        degree: of the splines.
        domain: where they begin and end.
        spline_std: standard deviation of the coefficients c at the start, over √inputs.
        make: the function b, and the kind of weights.

    """

    side_by_side = True  # both kinds of weights belong to one layer

    def __init__(
        self,
        inputs: int,
        outputs: int,
        grid: int,
        degree: int,
        domain: tuple[float, float],
        spline_std: float,
        make: LayerFactory,
    ) -> None:
        super().__init__()
        self.degree, self.spline_std = degree, spline_std
        self.activation = make.unit(inputs)
        self.base = make.weights.linear(inputs, outputs, False)
        self.spline = make.weights.linear(inputs * (grid + degree), outputs, False)
        low, high = (torch.full((inputs,), float(end)) for end in domain)
        self.spline.register_buffer("knots", splines.uniform(low, high, grid, degree))

    def reset(self, rng: torch.Generator) -> None:
        """Draw the coefficients: curves that are nearly 0, beside w·b(x), whose w starts as `initialization` says."""
        with torch.no_grad():
            self.spline.weight.normal_(0, self.spline_std / math.sqrt(len(self.knots)), generator=rng)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs) to (batch, outputs)."""
        values = splines.bases(x, self.knots, self.degree).flatten(-2)  # (batch, inputs · splines)
        out: Tensor = self.base(self.activation(x)) + self.spline(values)
        return out

    def curves(self, x: Tensor) -> Tensor:
        """The splines of all edges at points (samples, inputs), without w·b(x): (samples, inputs, outputs)."""
        return torch.einsum("sig,oig->sio", splines.bases(x, self.knots, self.degree), self.coefficients)

    @property
    def knots(self) -> Tensor:
        """Of each input's splines, shape (inputs, grid + 2 degree + 1)."""
        return self.spline.get_buffer("knots")

    @property
    def coefficients(self) -> Tensor:
        """c, shape (outputs, inputs, splines)."""
        weight: Tensor = self.spline.weight
        return weight.view(len(weight), len(self.knots), -1)

    def lay(self, x: Tensor, grid: int, adaptive: float) -> None:
        """Lay new knots over inputs and fit the splines to what they were there, in place.

        Args:
            x: shape (samples, inputs).
            grid: intervals of the new splines.
            adaptive: see `repro.model.splines.over`.
        """
        with torch.no_grad():
            x = x.nan_to_num()  # a net that diverged is not to stop those beside it
            knots = splines.over(x, grid, self.degree, adaptive)
            found = splines.fitted(x, self.curves(x).nan_to_num(), knots, self.degree)
            self.resize(grid)
            self.knots.copy_(knots)
            self.spline.weight.copy_(found.permute(2, 0, 1).flatten(1))

    def resize(self, grid: int) -> None:
        """Make room for splines of so many intervals, whose knots and coefficients are still to be set."""
        old, inputs = self.spline.weight, len(self.knots)
        self.spline.in_features = inputs * (grid + self.degree)
        self.spline.weight = nn.Parameter(old.new_zeros(len(old), self.spline.in_features))
        self.spline.knots = self.knots.new_zeros(inputs, grid + 2 * self.degree + 1)


class KAN(nn.Module):
    """`depth` layers of `width` hidden nodes; inputs of any shape are flattened.

    The normalization, if there is one, acts on hidden nodes and keeps them where the splines are.

    Args:
        shape: of one input.
        outputs: nodes of the last layer.
        make: the function b beside the splines (`activation`), backward rule, normalization and kind of weights.
        depth: hidden layers, 0 or more (0: a sum of functions of one input each).
        width: nodes of each hidden layer, or one number a layer.
        grid: intervals of the splines, 1 or more.
        degree: of the splines, 1 or more; 3 makes them cubic.
        domain: two numbers, where the splines begin and end; they fall to 0 within `degree` intervals beyond.
        spline_std: standard deviation of the splines' coefficients at the start, times the root of the layer's inputs.

    Raises:
        UserError: an option is out of its range.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        outputs: int,
        make: LayerFactory,
        depth: int,
        width: int | list[int],
        grid: int,
        degree: int,
        domain: list[float],
        spline_std: float,
    ) -> None:
        super().__init__()
        for name, value, least in (("depth", depth, 0), ("grid", grid, 1), ("degree", degree, 1)):
            whole(f"architecture.{name}", value, least)
        number("architecture.spline_std", spline_std, 0)
        if len(domain) != 2 or not domain[0] < domain[1]:
            raise UserError(f"architecture.domain must be two rising numbers, e.g. [-1, 1], not {domain}")
        hidden = whole_sizes("architecture.width", width, depth) if depth else []
        sizes = [math.prod(shape), *hidden, outputs]
        ends = (float(domain[0]), float(domain[1]))
        self.layers = nn.ModuleList(Edges(a, b, grid, degree, ends, spline_std, make) for a, b in pairwise(sizes))
        self.normalizations = nn.ModuleList(make.normalize(units, 1) for units in hidden)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, *shape) to (batch, outputs)."""
        x = x.flatten(1)
        for i, layer in enumerate(self.layers):
            x = layer(self.normalizations[i - 1](x) if i else x)
        return x

    def refine(self, x: Tensor, grid: int, adaptive: float) -> None:
        """Give all splines so many intervals, laid over what inputs make of each layer; nearly the same function.

        Args:
            x: inputs, shape (samples, *shape), best those that the net is trained on.
            grid: intervals, 1 or more.
            adaptive: 0 spaces knots evenly, towards 1 as the data are spread; in [0, 1).
        """
        training = self.training
        self.eval()
        with torch.no_grad():
            x = x.flatten(1)
            for i, layer in enumerate(self.edges()):
                x = self.normalizations[i - 1](x) if i else x
                layer.lay(x, grid, adaptive)
                x = layer(x)
        self.train(training)

    def resize(self, grid: int) -> None:
        """Make room for splines of so many intervals, whose knots and coefficients are still to be loaded."""
        for layer in self.edges():
            layer.resize(grid)

    def edges(self) -> Iterator[Edges]:
        """The layers of edges, from the input to the output."""
        return (layer for layer in self.layers if isinstance(layer, Edges))
