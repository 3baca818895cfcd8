"""Residual nets for small images."""

from torch import Tensor, nn
from torch.nn import functional

from repro.errors import unknown, whole
from repro.model.layer_factory import LayerFactory, image_shape, whole_sizes

SHORTCUTS = ("pad", "projection")


class Unit(nn.Module):
    """3×3 convolution → normalization → what a shortcut brings is added → activation, in this order."""

    def __init__(self, inputs: int, channels: int, stride: int, bias: bool, make: LayerFactory) -> None:
        super().__init__()
        self.convolution = make.weights.convolution(inputs, channels, 3, stride=stride, padding=1, bias=bias)
        self.normalization = make.normalize(channels, 2)
        self.activation = make.unit(channels)

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """(batch, inputs, height, width) to (batch, channels, ...), sides divided by the stride and rounded up."""
        a = self.normalization(self.convolution(x))
        out: Tensor = self.activation(a if shortcut is None else a + shortcut)
        return out


class Pad(nn.Module):
    """A shortcut without parameters: every stride-th pixel of every stride-th row, channels of zeros added."""

    def __init__(self, stride: int, added: int) -> None:
        super().__init__()
        self.stride, self.added = stride, added

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, height, width) to (batch, inputs + added, ...), sides as in `Unit`."""
        return functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.added))


class Projection(nn.Module):
    """A shortcut with weights: 1×1 convolution → normalization."""

    def __init__(self, inputs: int, channels: int, stride: int, bias: bool, make: LayerFactory) -> None:
        super().__init__()
        self.convolution = make.weights.convolution(inputs, channels, 1, stride=stride, bias=bias)
        self.normalization = make.normalize(channels, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, height, width) to (batch, channels, ...), sides as in `Unit`."""
        out: Tensor = self.normalization(self.convolution(x))
        return out


class Block(nn.Module):
    """Two units; the input is added before the second one's activation."""

    def __init__(self, inputs: int, channels: int, stride: int, shortcut: str, bias: bool, make: LayerFactory) -> None:
        super().__init__()
        self.shortcut: nn.Module
        if stride == 1 and inputs == channels:
            self.shortcut = nn.Identity()
        elif shortcut == "pad":
            self.shortcut = Pad(stride, channels - inputs)
        else:
            self.shortcut = Projection(inputs, channels, stride, bias, make)
        self.first = Unit(inputs, channels, stride, bias, make)
        self.second = Unit(channels, channels, 1, bias, make)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, height, width) to (batch, channels, ...), sides as in `Unit`."""
        out: Tensor = self.second(self.first(x), self.shortcut(x))
        return out


class ResNet(nn.Module):
    """Residual net (He et al. 2016) for small images: a unit, stages of blocks, the mean over places, a linear layer.

    A block is two 3×3 convolutions, each with normalization and activation; its input is added before the second
    activation. Each stage after the first halves height and width (rounded up) and doubles the channels in its first
    block. Images of any size do. Projections count as layers of their own, in the order in which they are called:
    each between the two units of the block that it leads around.

    Args:
        shape: of one input, (channels, height, width).
        outputs: units of the output layer.
        make: activation, backward rule, normalization and kind of weights.
        blocks: blocks of each stage; [n, n, n] is the net of 6n + 2 layers in section 4.2 of the paper.
        width: channels of the first stage, 1 or more.
        shortcut: what leads around a block that changes the shape: pad (every other pixel, channels of zeros; option A
            of the paper) or projection (1×1 convolution and normalization; option B). Around others, the identity.
        bias: biases in every convolution; the output layer has them always.

    Raises:
        UserError: inputs are no images, or an option is not allowed.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        outputs: int,
        make: LayerFactory,
        blocks: list[int],
        width: int,
        shortcut: str,
        bias: bool,
    ) -> None:
        super().__init__()
        inputs, _, _ = image_shape("resnet", shape)
        if shortcut not in SHORTCUTS:
            raise unknown("kind in architecture.shortcut", shortcut, SHORTCUTS)
        channels = whole("architecture.width", width, 1)
        self.hidden = nn.ModuleList([Unit(inputs, channels, 1, bias, make)])
        for stage, count in enumerate(whole_sizes("architecture.blocks", blocks)):
            for i in range(count):
                inputs, channels = channels, width * 2**stage
                self.hidden.append(Block(inputs, channels, 2 if stage and not i else 1, shortcut, bias, make))
        self.output = make.output(channels, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, outputs)."""
        for part in self.hidden:
            x = part(x)
        out: Tensor = self.output(x.mean((2, 3)))
        return out
