"""Cross-entropy over many classes without the memory traffic of log-softmax and its gradient."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ROWS = 16  # handled at once, so that 10,000 classes stay in the cache


class SummedCrossEntropy(torch.autograd.Function):
    """Σ over rows of -log softmax(logits)[target], rows of a negative target left out.

    The same as `torch.nn.functional.cross_entropy(..., reduction="sum")` to rounding; the gradient is prepared in
    the forward pass, in the only large tensor that is made. Differentiable once, and once only.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (n, classes) and class numbers (n,) to a scalar."""
        total = logits.new_zeros((), dtype=torch.float64)
        gradient = torch.empty_like(logits) if ctx.needs_input_grad[0] else None
        for first in range(0, len(logits), ROWS):
            z, wanted = logits[first : first + ROWS], target[first : first + ROWS].unsqueeze(1)
            counted = wanted >= 0
            wanted = wanted.clamp_min(0)
            room = gradient[first : first + ROWS] if gradient is not None else torch.empty_like(z)
            top = z.amax(1, keepdim=True)
            torch.sub(z, top, out=room).exp_()
            mass = room.sum(1, keepdim=True)
            total += ((mass.log() + top - z.gather(1, wanted)) * counted).sum()
            if gradient is not None:
                room.mul_(counted / mass)
                room.scatter_add_(1, wanted, -counted.to(room.dtype))
        ctx.gradient = gradient
        return total.to(logits.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """The prepared gradient, scaled in place."""
        gradient, ctx.gradient = ctx.gradient, None
        if gradient is None:
            raise RuntimeError("this cross-entropy can be differentiated once only")
        return gradient.mul_(grad), None
