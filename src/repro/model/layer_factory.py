"""The parts that an architecture is put together from, whatever the architecture."""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import nn

from repro.errors import UserError
from repro.model.activations import Activation, Nonlinearity, Rule, make
from repro.model.backward import FeedbackAlignment
from repro.model.layers import Binary, Feedback, Plain, Weights


@dataclass(frozen=True)
class LayerFactory:
    """Activation pair, backward rule, normalization and kind of weights of a run.

    Attributes:
        activation: the pair of hidden unit and gate.
        rule: the backward rule that wraps each of them.
        normalize: (features, spatial dimensions) to a module.
        weight: makes the layers with weights; None = as the backward rule needs them.
        asked_for: the groups that an architecture has asked for so far: "activation", "output", or nothing.

    Raises:
        UserError: binary weights with random feedback, or with an output to normalize and no normalization.
    """

    activation: Activation
    rule: Rule
    normalize: Callable[[int, int], nn.Module]
    weight: Binary | None = None
    asked_for: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.weight is not None and isinstance(self.rule, FeedbackAlignment):
            raise UserError("weight=binary and backward=feedback_alignment both want to make the layers; leave one out")
        if self.normalizes_output and isinstance(self.normalize(2, 1), nn.Identity):
            raise UserError("weight.normalize_output=true needs normalization=batch or another, not none, the default")

    @property
    def normalizes_output(self) -> bool:
        """Whether `output` makes more than a linear layer."""
        return self.weight is not None and self.weight.normalize_output

    @property
    def weights(self) -> Weights:
        """Makes linear and convolutional layers."""
        return self.weight or (Feedback(self.rule) if isinstance(self.rule, FeedbackAlignment) else Plain())

    def output(self, inputs: int, outputs: int, bias: bool = True) -> nn.Module:
        """The layer at the end of a net, (n, inputs) to (n, outputs)."""
        self.asked_for.add("output")
        layer = self.weights.linear(inputs, outputs, bias)
        return nn.Sequential(layer, self.normalize(outputs, 1)) if self.normalizes_output else layer

    def unit(self, units: int) -> Nonlinearity:
        """A layer of tanh-like hidden units."""
        self.asked_for.add("activation")
        return Nonlinearity(make(self.activation.unit, units), self.rule)

    def gate(self, units: int) -> Nonlinearity:
        """A layer of sigmoid-like gates."""
        self.asked_for.add("activation")
        return Nonlinearity(make(self.activation.gate, units), self.rule)


def whole_sizes(name: str, sizes: int | list[int], count: int | None = None) -> list[int]:
    """A size or a list of them as a list of positive whole numbers, `count` of them if that is given."""
    if isinstance(sizes, list | tuple) and not sizes:
        raise UserError(f"{name} is an empty list; give at least one whole number")
    listed = list(sizes) if isinstance(sizes, list | tuple) else [sizes] * (1 if count is None else count)
    if any(isinstance(n, bool) or n < 1 for n in listed):
        raise UserError(f"{name} must be whole numbers of 1 or more, not {sizes}")
    if count is not None and len(listed) != count:
        raise UserError(f"{name} lists {len(listed)} sizes for {count} layers; give {count} or a single number")
    return listed


def image_shape(name: str, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The shape of an input as (channels, height, width); raises `UserError` where it is none of an image.

    Args:
        name: the architecture, for the message.
        shape: of one input.
    """
    if len(shape) != 3:
        raise UserError(
            f"architecture={name} needs images (channels, height, width), but an input has shape {shape}; "
            "use architecture=mlp or a data set of images"
        )
    return shape
