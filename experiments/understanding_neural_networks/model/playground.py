"""How the nets of TensorFlow Playground start."""

import torch
from torch import Tensor, nn

from repro.errors import number


class Playground:
    """U(-bound, bound) for weights whatever the layer, one value for all biases (src/nn.ts, Link and Node).

    Args:
        bound: above 0.
        biases: any finite number.

    Raises:
        UserError: one of them is no such number.
    """

    def __init__(self, bound: float, biases: float) -> None:
        self.bound = number("initialization.bound", bound, 0, ends="(]")
        self.biases = number("initialization.biases", biases)

    def __call__(self, weight: Tensor, rng: torch.Generator) -> None:
        """Fill a weight in place."""
        nn.init.uniform_(weight, -self.bound, self.bound, generator=rng)

    def bias(self, bias: Tensor, weight: Tensor, rng: torch.Generator) -> None:
        """Fill a bias in place."""
        del weight, rng
        nn.init.constant_(bias, self.biases)
