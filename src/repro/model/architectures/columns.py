"""Hard and noisy functions of many columns at once, with their slopes: what the kernels of recurrent layers share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

from repro.errors import UserError
from repro.model.activations import Nonlinearity
from repro.model.activations.elementwise import Hard
from repro.model.activations.noisy import HALF_NORMAL_MEAN, OutputNoise
from repro.model.backward import is_exact


def fusable(gates: Sequence[Nonlinearity], units: Sequence[Nonlinearity]) -> bool:
    """Whether the kernels know these functions: all hard or noisy at the output, or sigmoid gates with tanh units.

    To be asked at every call: functions and rules of a net can be changed. Nor do the kernels know of autocast.
    """
    if not all(is_exact(nonlinearity.rule) for nonlinearity in (*gates, *units)):
        return False
    kinds = [{type(nonlinearity.function) for nonlinearity in some} for some in (gates, units)]
    return kinds == [{nn.Sigmoid}, {nn.Tanh}] or kinds[0] | kinds[1] <= {Hard, OutputNoise}


Backward = Callable[..., tuple[Tensor | None, ...]]


def once_differentiable(backward: Backward) -> Backward:
    """As torch's own, which is silent where the gradients that come in need none and so drops second derivatives.

    Raises:
        UserError: when called, the gradients are to be differentiated again.
    """

    @wraps(backward)
    def checked(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph=True
            raise UserError(
                "the kernels of recurrent layers have no second derivatives; set fused = False on each LSTMLayer and "
                "GRULayer of the net"
            )
        return backward(ctx, *gradients)

    return checked


def p_of(functions: Sequence[nn.Module], like: Tensor, units: int) -> Tensor:
    """p of every column, `units` of each function; 0 where a function has none."""
    return torch.cat([f.p if isinstance(f, OutputNoise) else like.new_zeros(units) for f in functions])


@dataclass(frozen=True)
class Columns:
    """Hard and noisy functions of several columns at once; each field a vector over columns.

    With a' = a/knee, e = a' beyond ±1, r = tanh(e·|p|·height/2), s = r·|r| and noise x:
    phi = offset + height·a' + bend·e + x·s, where bend = -α·height.
    """

    knee: Tensor
    height: Tensor
    offset: Tensor
    bend: Tensor
    amount: Tensor  # of noise, ±c/4
    half: Tensor  # 1 where the noise is half-normal
    noisy: bool
    training: bool

    @classmethod
    def of(cls, functions: Sequence[nn.Module], like: Tensor, units: int) -> "Columns":
        """Functions one behind the other, each of so many columns, in the type and on the device of `like`."""
        rows, noisy, training = [], False, False
        for function in functions:
            hard = function.hard if isinstance(function, OutputNoise) else function
            assert isinstance(hard, Hard)
            height, alpha, amount, half = hard.slope * hard.knee, 1.0, 0.0, False
            if isinstance(function, OutputNoise):
                alpha, half, training = function.alpha, function.half_normal, function.training
                amount = function.c / 4 if alpha > 1 else -function.c / 4
                noisy |= function.c > 0 and (training or half)
            rows.append((hard.knee, height, hard.offset, -alpha * height, amount, float(half)))
        table = torch.tensor(rows, dtype=like.dtype).t().repeat_interleave(units, 1).to(like.device)
        knee, heights, offset, bend, amounts, halves = table.unbind(0)
        return cls(knee, heights, offset, bend, amounts, halves, noisy, training)

    def noise(self, xi: Tensor | None, like: Tensor) -> Tensor | None:
        """x, or None where it would be 0."""
        if not self.noisy:
            return None
        if not self.training:
            return (self.amount * self.half * HALF_NORMAL_MEAN).expand(like.shape)
        assert xi is not None
        if bool(self.half.any()):
            xi = xi.abs() if bool(self.half.all()) else torch.where(self.half > 0, xi.abs(), xi)
        return xi * self.amount

    def width(self, p: Tensor) -> Tensor:
        """What e is multiplied by in r."""
        return p.abs() * (self.height / 2)

    def forward(
        self, a: Tensor, e: Tensor, r: Tensor | None, s: Tensor | None, x: Tensor | None, width: Tensor, out: Tensor
    ) -> None:
        """phi of a' for one step into `out`, keeping e, r and s; all (batch, columns)."""
        torch.ops.aten.softshrink.out(a, 1.0, out=e)
        torch.addcmul(self.offset, a, self.height, out=out).addcmul_(e, self.bend)
        if x is not None and r is not None and s is not None:
            torch.mul(e, width, out=r).tanh_()
            out.addcmul_(torch.mul(r, r.abs(), out=s), x)

    def slopes(
        self, e: Tensor, r: Tensor | None, s: Tensor | None, x: Tensor | None, width: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """d phi / d a', and half of d phi / d width; both of the shape of `e`."""
        slope = torch.addcmul(self.height, e.sign().abs_(), self.bend)
        if x is None or r is None or s is None:
            return slope, None
        pull = r.abs().addcmul_(r, s, value=-1).mul_(x)  # |r|·(1 - r²)·x
        slope.addcmul_(pull, 2 * width)
        return slope, pull.mul_(e)
