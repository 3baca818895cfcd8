"""A polynomial unit: the one kind of non-linear unit with which one hidden layer approximates next to nothing."""

from torch import Tensor, nn


class Square(nn.Module):
    """f(x) = x²; a layer of such units makes quadratic functions, however many there are (Leshno et al. 1993)."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return x.square()
