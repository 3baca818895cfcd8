"""What one step of gradient descent does to an output's weights: fire together, wire together?"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from scipy.stats import spearmanr

from repro.errors import number, whole
from repro.training.work import Measured, from_rows

from .small_nets import activations, batch, sigmoid_net

SHOWN = 400  # outputs whose error and change are written down


def _check(*, hidden: Sequence[int], images: int, scale: float) -> None:
    for size in hidden:
        whole("hidden", size, 2)
    whole("images", images, 2)
    number("scale", scale, 0, ends="()")


@from_rows(check=_check)
def hebb(data: object, rng: torch.Generator, *, hidden: Sequence[int], images: int, scale: float) -> Iterator[Measured]:
    """Changes of the last layer's weights, image by image, at a learning rate of 1, by automatic differentiation.

    Args:
        data: inputs with classes; so many images are drawn.
        rng: of images and weights.
        hidden: units of the hidden layers.
        images: looked at one by one.
        scale: factor on the weights and biases at the start, above 0; a large one saturates the outputs.
    """
    x, y = batch(data, images, rng)
    net = [(scale * w, scale * b) for w, b in sigmoid_net([x.shape[1], *hidden, y.shape[1]], rng)]
    layers = activations(net, x)
    below, out = layers[-2], layers[-1]
    changes = -_gradients(net[-1], below, y)  # (images, outputs, units below)
    own = y.bool()
    mine, others = changes[own], changes[~own]
    yield Measured("own_correlation", min(float(np.corrcoef(c, a)[0, 1]) for c, a in zip(mine, below, strict=True)))
    yield Measured("own_least", mine.min())
    yield Measured("others_greatest", others.max())
    error = (y - out).abs().flatten().numpy()
    # What is left of a change without the activation below: |δ| of BP1.
    delta = (changes.norm(dim=2) / below.norm(dim=1, keepdim=True)).flatten().numpy()
    yield Measured("error_correlation", np.corrcoef(delta, error)[0, 1])
    yield Measured("error_rank_correlation", spearmanr(delta, error).statistic)
    yield Measured("saturated_outputs", ((out - 0.5).abs() > 0.48).double().mean())
    for place, (e, d) in enumerate(zip(error[:SHOWN], delta[:SHOWN], strict=True)):
        yield Measured("error", e, place)
        yield Measured("delta", d, place)
    counter = _lone_output(0.001) / _lone_output(0.5)
    yield Measured("counter_example", counter)


def _gradients(layer: tuple[torch.Tensor, torch.Tensor], below: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Of ½‖a − y‖² by the layer's weights, for each image by itself."""
    weight, bias = layer

    def cost(w: torch.Tensor, a: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return 0.5 * (torch.sigmoid(w @ a + bias) - target).square().sum()

    found: torch.Tensor = torch.func.vmap(torch.func.grad(cost), in_dims=(None, 0, 0))(weight, below, y)
    return found


def _lone_output(a: float) -> float:
    """|dC/dz| of an output of activation a that ought to be 1."""
    z = torch.logit(torch.tensor(a, dtype=torch.float64)).requires_grad_()
    (slope,) = torch.autograd.grad(0.5 * (torch.sigmoid(z) - 1).square(), z)
    return abs(float(slope))
