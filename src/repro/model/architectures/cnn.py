"""A small convolutional net."""

from itertools import pairwise

from torch import Tensor, nn

from repro.errors import UserError, whole
from repro.model.architectures.mlp import Hidden
from repro.model.layer_factory import LayerFactory, image_shape, whole_sizes


class Block(nn.Module):
    """Convolution → normalization → activation → 2×2 max-pooling if asked for, in this order, or pooling second."""

    def __init__(
        self,
        inputs: int,
        channels: int,
        kernel: int,
        bias: bool,
        pooled: bool,
        make: LayerFactory,
        stride: int = 1,
        pool_first: bool = False,
    ) -> None:
        super().__init__()
        self.convolution = make.weights.convolution(
            inputs, channels, kernel, padding=kernel // 2, bias=bias, stride=stride
        )
        self.normalization = make.normalize(channels, 2)
        self.activation = make.unit(channels)
        self.pool = nn.MaxPool2d(2) if pooled else nn.Identity()
        self.pool_first = pool_first

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, height, width) to (batch, channels, height, width), halved and rounded down if pooled."""
        a = self.convolution(x)
        a = self.normalization(self.pool(a) if self.pool_first else a)
        out: Tensor = self.activation(a)
        return out if self.pool_first else self.pool(out)


class CNN(nn.Module):
    """Convolutional blocks, fully connected hidden layers, a linear output layer, after LeNet-5 (LeCun et al. 1998).

    Args:
        shape: of one input, (channels, height, width).
        outputs: units of the output layer.
        make: activation, backward rule and normalization.
        channels: output channels of the blocks; each halves height and width, or divides them by `stride`.
        kernel: side of the square filters, odd.
        stride: of the convolutions, in the place of pooling; None = 1, with 2×2 max-pooling behind each.
        hidden: units of the fully connected layers.
        bias: biases in every layer.
        dropout: probability in [0, 1) that a fully connected unit is dropped in training.
        pool_first: pools before the normalization, not behind the activation; None = no.

    Raises:
        UserError: inputs are no images, or too small for so many poolings; there are none to come first.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        outputs: int,
        make: LayerFactory,
        channels: list[int],
        kernel: int,
        stride: int | None,
        hidden: list[int],
        bias: bool,
        dropout: float,
        pool_first: bool | None,
    ) -> None:
        super().__init__()
        inputs, height, width = image_shape("cnn", shape)
        if kernel < 1 or kernel % 2 == 0:
            raise UserError(f"architecture.kernel must be odd and 1 or more, not {kernel}")
        if stride is not None:
            whole("architecture.stride", stride, 1)
            if pool_first:
                raise UserError(
                    "architecture.pool_first is about poolings, and with architecture.stride there are none"
                )
        elif min(height, width) >> len(channels) < 1:
            raise UserError(
                f"architecture.channels has {len(channels)} blocks, each halving the image, but the images "
                f"are {height} × {width}; use fewer"
            )
        counts = [inputs, *whole_sizes("architecture.channels", channels)]
        step, pooled = stride or 1, stride is None
        self.blocks = nn.ModuleList(
            Block(a, b, kernel, bias, pooled, make, step, bool(pool_first)) for a, b in pairwise(counts)
        )
        for _ in channels:
            height, width = (n // 2 if pooled else -(-n // step) for n in (height, width))
        flat = counts[-1] * height * width
        sizes = [flat, *(whole_sizes("architecture.hidden", hidden) if hidden else [])]
        self.hidden = nn.ModuleList(Hidden(a, b, bias, dropout, make) for a, b in pairwise(sizes))
        self.output = make.output(sizes[-1], outputs, bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, outputs)."""
        for block in self.blocks:
            x = block(x)
        x = x.flatten(1)
        for layer in self.hidden:
            x = layer(x)
        out: Tensor = self.output(x)
        return out
