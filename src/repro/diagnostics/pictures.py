"""Weights that look at an image, seen as images themselves."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LEAST = 8  # pixels a side: what is smaller is no image

SAYS = (
    "correlation of the weights of pixels side by side, over all units, in the middle 4/7 of the image that a "
    "layer's inputs make (64 or more, a square number; else none): 0 for noise, near 1 for blobs"
)


def neighbour_correlation(weight: "Tensor") -> "dict[str, Tensor]":
    """(replicas, units, side²) to (replicas,), of pairs to the right and below together; nothing for other weights.

    The margin is left out, where images of digits are empty: what gets no gradient stays as it was drawn.
    """
    side = math.isqrt(weight.shape[-1])
    if weight.dim() != 3 or side < LEAST or side**2 != weight.shape[-1]:
        return {}
    images = weight.detach().double().reshape(*weight.shape[:2], side, side)
    margin = round(side * 3 / 14)
    middle = images[..., margin : side - margin, margin : side - margin]
    across = (middle[..., :, :-1].flatten(1), middle[..., :, 1:].flatten(1))
    down = (middle[..., :-1, :].flatten(1), middle[..., 1:, :].flatten(1))
    import torch  # not above: the registry is read before anything is trained

    here, beside = (torch.cat(pair, dim=1) for pair in zip(across, down, strict=True))
    here, beside = here - here.mean(1, keepdim=True), beside - beside.mean(1, keepdim=True)
    return {"neighbour_correlation": (here * beside).sum(1) / (here.norm(dim=1) * beside.norm(dim=1))}
