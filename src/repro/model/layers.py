"""Layers with weights that are not used as they stand: forward (binary weights) or backward (random feedback)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from repro.model.activations.elementwise import sign
from repro.model.backward import FeedbackAlignment, linear

Product = Callable[[Tensor, Tensor, Tensor | None], Tensor]  # of input, weight and bias


class Plain:
    """Weights as they are; makes torch's own layers."""

    def linear(self, inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
        """(n, inputs) to (n, outputs)."""
        return nn.Linear(inputs, outputs, bias)

    def convolution(self, inputs: int, channels: int, kernel: int, **options: Any) -> nn.Conv2d:
        """(n, inputs, height, width) to (n, channels, ...); options as `torch.nn.Conv2d` takes them."""
        return nn.Conv2d(inputs, channels, kernel, **options)


class Binary:
    """Weights count by their sign, -1 or +1, and learn as if they counted as they are (Hubara et al. 2016).

    The gradient towards a weight passes the sign unchanged; biases stay real.

    Args:
        normalize_output: puts normalization behind the output layer too, as the authors' code does: sums of n signs are
            as large as √n, and a softmax of such numbers is sure of what it says from the start. None = no.
    """

    def __init__(self, normalize_output: bool | None) -> None:
        self.normalize_output = bool(normalize_output)

    def linear(self, inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
        """As `Plain.linear`."""
        return BinaryLinear(inputs, outputs, bias)

    def convolution(self, inputs: int, channels: int, kernel: int, **options: Any) -> nn.Conv2d:
        """As `Plain.convolution`."""
        return BinaryConvolution(inputs, channels, kernel, **options)


class Feedback:
    """Weights as they are, with random feedback behind them; see `repro.model.backward.FeedbackAlignment`."""

    def __init__(self, rule: FeedbackAlignment) -> None:
        self.rule = rule

    def linear(self, inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
        """As `Plain.linear`."""
        return FeedbackLinear(self.rule, inputs, outputs, bias)

    def convolution(self, inputs: int, channels: int, kernel: int, **options: Any) -> nn.Conv2d:
        """As `Plain.convolution`."""
        return FeedbackConvolution(self.rule, inputs, channels, kernel, **options)


Weights = Plain | Binary | Feedback


class BinaryLinear(nn.Linear):
    """A linear layer of signs."""

    def forward(self, input: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        return functional.linear(input, linear(sign, self.weight), self.bias)


class BinaryConvolution(nn.Conv2d):
    """A convolution with signs."""

    def forward(self, input: Tensor) -> Tensor:
        """As `torch.nn.Conv2d`."""
        out: Tensor = self._conv_forward(input, linear(sign, self.weight), self.bias)
        return out


class FeedbackLinear(nn.Linear):
    """A linear layer whose input gets its gradient through a fixed random matrix, as long as `aligned` is False."""

    feedback: Tensor

    def __init__(self, rule: FeedbackAlignment, inputs: int, outputs: int, bias: bool) -> None:
        super().__init__(inputs, outputs, bias)
        self.rule, self.aligned = rule, False
        self.register_buffer("feedback", torch.zeros_like(self.weight))

    def reset_feedback(self, rng: torch.Generator) -> None:
        """Draw the matrix."""
        self.rule.matrix(self.feedback, rng)

    def forward(self, input: Tensor) -> Tensor:
        """(..., inputs) to (..., outputs)."""
        return _fed_back(functional.linear, input, self)


class FeedbackConvolution(nn.Conv2d):
    """A convolution likewise."""

    feedback: Tensor

    def __init__(self, rule: FeedbackAlignment, inputs: int, channels: int, kernel: int, **options: Any) -> None:
        super().__init__(inputs, channels, kernel, **options)
        self.rule, self.aligned = rule, False
        self.register_buffer("feedback", torch.zeros_like(self.weight))

    def reset_feedback(self, rng: torch.Generator) -> None:
        """Draw the filters."""
        self.rule.matrix(self.feedback, rng)

    def forward(self, input: Tensor) -> Tensor:
        """As `torch.nn.Conv2d`."""
        return _fed_back(self._conv_forward, input, self)


def _fed_back(product: Product, x: Tensor, layer: FeedbackLinear | FeedbackConvolution) -> Tensor:
    if layer.aligned:
        return product(x, layer.weight, layer.bias)
    detour = product(x, layer.feedback, None)
    # As in `repro.model.backward.with_gradient_of`, the difference is exactly zero.
    return product(x.detach(), layer.weight, layer.bias) + (detour - detour.detach())
