"""Starts of this paper's nets."""

import torch
from torch import Tensor, nn

from repro.errors import number
from repro.model.initialization import lecun


class DrawnBiases:
    """N(0, 1/n) for the weights of a unit with n inputs, N(0, std²) for biases (Nielsen, network2.py's default).

    Args:
        std: of the biases, above 0.
    """

    def __init__(self, std: float) -> None:
        self.std = number("initialization.std", std, 0, ends="(]")

    def __call__(self, weight: Tensor, rng: torch.Generator) -> None:
        """Fill a weight in place."""
        lecun(weight, rng, "normal")

    def bias(self, bias: Tensor, weight: Tensor, rng: torch.Generator) -> None:
        """Fill a bias in place."""
        del weight
        nn.init.normal_(bias, 0, self.std, generator=rng)
