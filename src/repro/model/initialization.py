"""How weights start. Every rule fills a weight in place from the generator it is given and nothing else.

Weights are (out, in), or (out, in, height, width) for convolutions. The fan-in n of a unit is the
number of its inputs, in · height · width; its fan-out m is out · height · width. Biases start at 0.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from repro.errors import number, unknown, whole

WeightInit = Callable[[Tensor, torch.Generator], None]


def initialize(model: nn.Module, weight_init: WeightInit, rng: torch.Generator) -> None:
    """Give every parameter of `model` its starting value, in place.

    Weights of linear and convolutional layers come from `weight_init` and their biases are 0; embeddings come from
    N(0, 1), since what they hand on is one row, not a sum. A rule with a method `bias(bias, weight, rng)` or
    `embedding(weight, rng)` fills those its own way. Normalization layers start as the plain normalization, scale 1
    and shift 0; modules with a method `reset(rng)` (noisy and ESP units, say) then draw their own, and those with
    `reset_feedback(rng)` theirs. Other parameters are left alone. Where a linear layer holds several of the same size
    one below the other (the gates of a GRU), as many as its attribute `blocks` says, each of them starts by itself.

    Args:
        model: on the device of `rng`; modules are visited in the order of `model.modules()`.
        weight_init: one of the functions below with its options bound.
        rng: generator of the weights; same state, same weights.
    """
    bias, embedding = getattr(weight_init, "bias", None), getattr(weight_init, "embedding", None)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            with torch.no_grad():
                for block in module.weight.chunk(int(getattr(module, "blocks", 1))):
                    weight_init(block, rng)
                if module.bias is not None:
                    bias(module.bias, module.weight, rng) if bias else module.bias.zero_()
        elif isinstance(module, nn.Embedding):
            with torch.no_grad():
                embedding(module.weight, rng) if embedding else module.weight.normal_(generator=rng)
        elif isinstance(module, nn.LayerNorm | nn.GroupNorm | nn.modules.batchnorm._NormBase):
            module.reset_parameters()
    # After all weights, so that runs of one seed that differ in activation or rule start from the same weights.
    for name in ("reset", "reset_feedback"):
        for module in model.modules():
            reset = getattr(module, name, None)
            if reset is not None:
                reset(rng)


def zeros(weight: Tensor, rng: torch.Generator) -> None:  # noqa: ARG001
    """All weights 0, which leaves the units of a layer alike for ever."""
    nn.init.zeros_(weight)


def constant(weight: Tensor, rng: torch.Generator, value: float) -> None:  # noqa: ARG001
    """All weights `value`, which leaves the units of a layer alike for ever."""
    nn.init.constant_(weight, number("initialization.value", value))


def normal(weight: Tensor, rng: torch.Generator, std: float) -> None:
    """N(0, std²), std > 0, whatever the size of the layer."""
    nn.init.normal_(weight, 0, number("initialization.std", std, 0, ends="(]"), generator=rng)


def uniform(weight: Tensor, rng: torch.Generator, bound: float) -> None:
    """U(−bound, bound), bound > 0, whatever the size of the layer."""
    bound = number("initialization.bound", bound, 0, ends="(]")
    nn.init.uniform_(weight, -bound, bound, generator=rng)


class Everywhere:
    """U(−bound, bound) for weights, biases and embeddings alike, as Zaremba et al. (2014) start their nets.

    Args:
        bound: above 0.
    """

    def __init__(self, bound: float) -> None:
        self.bound = number("initialization.bound", bound, 0, ends="(]")

    def __call__(self, weight: Tensor, rng: torch.Generator) -> None:
        """Fill a weight in place."""
        nn.init.uniform_(weight, -self.bound, self.bound, generator=rng)

    def bias(self, bias: Tensor, weight: Tensor, rng: torch.Generator) -> None:
        """Fill a bias in place."""
        del weight
        self(bias, rng)

    embedding = __call__


class NormalEverywhere:
    """N(0, std²) for weights and biases alike; embeddings start from N(0, 1), as with most rules.

    Args:
        std: above 0.
    """

    def __init__(self, std: float) -> None:
        self.std = number("initialization.std", std, 0, ends="(]")

    def __call__(self, weight: Tensor, rng: torch.Generator) -> None:
        """Fill a weight in place."""
        nn.init.normal_(weight, 0, self.std, generator=rng)

    def bias(self, bias: Tensor, weight: Tensor, rng: torch.Generator) -> None:
        """Fill a bias in place."""
        del weight
        self(bias, rng)


class OrthogonalSquare:
    """Orthogonal where weights are square, N(0, std²) elsewhere and for embeddings, as the dl4mt tutorial has it.

    Args:
        gain: factor on the orthogonal matrices, above 0.
        std: of the others, above 0.
    """

    def __init__(self, gain: float, std: float) -> None:
        self.gain = number("initialization.gain", gain, 0, ends="(]")
        self.std = number("initialization.std", std, 0, ends="(]")

    def __call__(self, weight: Tensor, rng: torch.Generator) -> None:
        """Fill a weight in place."""
        if weight.dim() == 2 and weight.shape[0] == weight.shape[1]:
            orthogonal(weight, rng, self.gain)
        else:
            self.embedding(weight, rng)

    def embedding(self, weight: Tensor, rng: torch.Generator) -> None:
        """Fill an embedding in place."""
        nn.init.normal_(weight, 0, self.std, generator=rng)


class TorchDefault:
    """What torch gives its linear and convolutional layers by itself: U(−1/√n, 1/√n) for weights and their biases."""

    def __call__(self, weight: Tensor, rng: torch.Generator) -> None:
        """Fill a weight in place."""
        self.bias(weight, weight, rng)

    def bias(self, bias: Tensor, weight: Tensor, rng: torch.Generator) -> None:
        """Fill a bias in place; n is the fan-in of the weight beside it."""
        bound = 1 / math.sqrt(fans(weight)[0])
        nn.init.uniform_(bias, -bound, bound, generator=rng)


def lecun(weight: Tensor, rng: torch.Generator, distribution: str) -> None:
    """Variance 1/n (LeCun et al. 1998): a linear layer keeps the variance of its input.

    Args:
        weight: filled in place.
        rng: generator of the weights.
        distribution: normal or uniform, with the same variance.
    """
    _fill(weight, rng, 1 / fans(weight)[0], distribution)


def xavier(weight: Tensor, rng: torch.Generator, fan: str, distribution: str) -> None:
    """Variance 2/(n + m) (Glorot and Bengio 2010), or the 1/n that lectures teach under this name.

    Args:
        weight: filled in place.
        rng: generator of the weights.
        fan: average, for 2/(n + m); in, for 1/n. They differ where a layer changes the width.
        distribution: normal or uniform, with the same variance.
    """
    fan_in, fan_out = fans(weight)
    means = {"average": (fan_in + fan_out) / 2, "in": float(fan_in)}
    if fan not in means:
        raise unknown("fan in initialization.fan", str(fan), means)
    _fill(weight, rng, 1 / means[fan], distribution)


def he(weight: Tensor, rng: torch.Generator, distribution: str) -> None:
    """Variance 2/n (He et al. 2015): the 2 makes up for the half that ReLU sets to zero.

    Args:
        weight: filled in place.
        rng: generator of the weights.
        distribution: normal or uniform, with the same variance.
    """
    _fill(weight, rng, 2 / fans(weight)[0], distribution)


def orthogonal(weight: Tensor, rng: torch.Generator, gain: float) -> None:
    """A random matrix (out, n) with orthogonal rows, or columns if it has more rows, of norm gain > 0."""
    nn.init.orthogonal_(weight, number("initialization.gain", gain, 0, ends="(]"), generator=rng)


def sparse(weight: Tensor, rng: torch.Generator, inputs: int, std: float) -> None:
    """Each unit listens to a few inputs only (Martens 2010).

    `torch.nn.init.sparse_` is another rule: there each input reaches a few units.

    Args:
        weight: filled in place.
        rng: generator of the weights.
        inputs: how many weights of a unit are not 0, at least 1; all of them if it has fewer inputs.
        std: standard deviation of those, above 0.
    """
    std = number("initialization.std", std, 0, ends="(]")
    rows = torch.zeros_like(weight).flatten(1)  # (out, n)
    count = min(whole("initialization.inputs", inputs, 1), rows.shape[1])
    order = torch.rand(rows.shape, generator=rng, device=rows.device, dtype=torch.float64)
    values = torch.empty(rows.shape[0], count, dtype=rows.dtype, device=rows.device)
    rows.scatter_(1, order.topk(count, dim=1).indices, values.normal_(0, std, generator=rng))
    with torch.no_grad():
        weight.copy_(rows.view_as(weight))


def fans(weight: Tensor) -> tuple[int, int]:
    """Fan-in and fan-out of a weight (out, in, ...)."""
    kernel = math.prod(weight.shape[2:])
    return weight.shape[1] * kernel, weight.shape[0] * kernel


def _fill(weight: Tensor, rng: torch.Generator, variance: float, distribution: str) -> None:
    """Fill with mean 0 and this variance, from the distribution of this name."""
    if distribution == "normal":
        nn.init.normal_(weight, 0, math.sqrt(variance), generator=rng)
    elif distribution == "uniform":
        bound = math.sqrt(3 * variance)
        nn.init.uniform_(weight, -bound, bound, generator=rng)
    else:
        raise unknown("distribution in initialization.distribution", str(distribution), ("normal", "uniform"))
