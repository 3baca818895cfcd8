"""Normalization between a layer and its nonlinearity; each function makes one module for one layer.

`dims` says what the layer puts out: 1 for vectors (n, features), 2 for images (n, features, height, width).
"""

from torch import nn

from repro.errors import UserError, number, whole


def none(features: int, dims: int) -> nn.Module:  # noqa: ARG001
    """No normalization: the identity."""
    return nn.Identity()


def batch(features: int, dims: int, momentum: float, eps: float) -> nn.Module:
    """Batch normalization (Ioffe and Szegedy 2015) with a trained scale and shift for each feature.

    Mean and variance are taken over the batch (and over the image), and from running averages at
    test time. Batches must hold more than one example. The module works under `torch.func.vmap`
    with stacked parameters and buffers.

    Args:
        features: units or channels, at least 1.
        dims: 1 or 2.
        momentum: weight of the newest batch in the running averages, in (0, 1].
        eps: added to the variance, above 0.
    """
    kinds = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}
    momentum = number("normalization.momentum", momentum, 0, 1, "(]")
    return kinds[_checked(dims)](whole("features", features, 1), eps=_eps(eps), momentum=momentum)


def layer(features: int, dims: int, eps: float) -> nn.Module:
    """Layer normalization (Ba et al. 2016): over all units of one example.

    Scale and shift are trained for each unit, or for each channel of an image.

    Args:
        features: units or channels, at least 1.
        dims: 1 or 2.
        eps: added to the variance, above 0.
    """
    if _checked(dims) == 2:
        return nn.GroupNorm(1, whole("features", features, 1), eps=_eps(eps))
    return nn.LayerNorm(whole("features", features, 1), eps=_eps(eps))


def _checked(dims: int) -> int:
    if dims not in (1, 2):
        raise UserError(f"normalization of {dims}-dimensional outputs is not known; use 1 (vectors) or 2 (images)")
    return dims


def _eps(eps: float) -> float:
    return number("normalization.eps", eps, 0, ends="(]")
