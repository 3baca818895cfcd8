"""VGG nets in the form that is usual for small images."""

from torch import Tensor, nn

from repro.errors import UserError, whole
from repro.model.architectures.cnn import Block
from repro.model.layer_factory import LayerFactory, image_shape

CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions before each pooling, by depth; the depth counts the three fully connected layers of the original."""
CHANNELS = (1, 2, 4, 8, 8)
"""Channels of those convolutions, in units of the first ones."""


class VGG(nn.Module):
    """VGG (Simonyan and Zisserman 2015) for small images: 3×3 convolutions with poolings between, one linear layer.

    Every convolution is followed by normalization, activation and, at the end of each of the five groups, 2×2
    max-pooling, in this order unless it is to be pooled first. A pooling that would leave less than one pixel is left
    out: images of 32×32 pixels go through all five, those of 8×8 through the first three. The output layer reads what
    remains, all places of it.

    Args:
        shape: of one input, (channels, height, width).
        outputs: units of the output layer.
        make: activation, backward rule, normalization and kind of weights.
        depth: 11, 13, 16 or 19; there are 8, 10, 13 or 16 convolutions.
        width: channels of the first group, 1 or more; the others have 2, 4, 8 and 8 times as many.
        bias: biases in every layer.
        pool_first: pools before the normalization, as in binary nets (Hubara et al. 2016), where the maximum of four
            signs is nearly always 1; None = no, behind the activation.

    Raises:
        UserError: inputs are no images; there is no net of this depth.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        outputs: int,
        make: LayerFactory,
        depth: int,
        width: int,
        bias: bool,
        pool_first: bool | None,
    ) -> None:
        super().__init__()
        inputs, *sides = image_shape("vgg", shape)
        whole("architecture.width", width, 1)
        if depth not in CONVOLUTIONS:
            raise UserError(
                f"architecture.depth of vgg must be one of {', '.join(map(str, CONVOLUTIONS))}, not {depth}"
            )
        self.hidden = nn.ModuleList()
        for count, factor in zip(CONVOLUTIONS[depth], CHANNELS, strict=True):
            pooled = min(sides) > 1
            for i in range(count):
                last = pooled and i == count - 1
                self.hidden.append(Block(inputs, factor * width, 3, bias, last, make, pool_first=bool(pool_first)))
                inputs = factor * width
            sides = [side // 2 if pooled else side for side in sides]
        self.output = make.output(inputs * sides[0] * sides[1], outputs, bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, outputs)."""
        for layer in self.hidden:
            x = layer(x)
        out: Tensor = self.output(x.flatten(1))
        return out
