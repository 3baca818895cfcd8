"""A net without non-linear units is the product of its matrices."""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

from repro.errors import UserError, unknown, whole
from repro.training.work import Measured, from_rows

UNITS = {"identity": nn.Identity, "relu": nn.ReLU}


@from_rows
def linear_map(data: None, rng: torch.Generator, *, widths: list[int], units: str, samples: int) -> Iterator[Measured]:
    """Hold a net with weights from N(0, 1/n), n the fan-in, without biases, against the product of its matrices.

    Args:
        data: none.
        rng: of weights and inputs.
        widths: inputs, units of each layer, outputs; two numbers or more.
        units: identity or relu, between the layers.
        samples: normal inputs.

    Yields:
        difference: the greatest between an output of the net and of the product, in double precision; rank: of the
        product.

    Raises:
        UserError: an option is not allowed.
    """
    del data
    if len(widths) < 2:
        raise UserError(f"procedure.widths needs inputs and outputs at least, e.g. [20, 5], not {widths}")
    for width in widths:
        whole("each of procedure.widths", width, 1)
    if units not in UNITS:
        raise unknown("units in procedure.units", units, UNITS)
    x = torch.randn(whole("procedure.samples", samples, 1), widths[0], generator=rng, dtype=torch.float64)
    matrices = [
        torch.randn(outputs, inputs, generator=rng, dtype=torch.float64) / math.sqrt(inputs)
        for inputs, outputs in pairwise(widths)
    ]
    product = multiplied(matrices)
    yield Measured("difference", float((through(x, matrices, UNITS[units]()) - x @ product.T).abs().max()))
    yield Measured("rank", float(torch.linalg.matrix_rank(product)))


def multiplied(matrices: list[Tensor]) -> Tensor:
    """The last matrix times ... times the first, (outputs, inputs)."""
    product = matrices[0]
    for matrix in matrices[1:]:
        product = matrix @ product
    return product


def through(x: Tensor, matrices: list[Tensor], unit: nn.Module) -> Tensor:
    """Outputs of the net for inputs (samples, inputs); none of its units stands behind the last matrix."""
    for matrix in matrices[:-1]:
        x = unit(x @ matrix.T)
    return x @ matrices[-1].T
