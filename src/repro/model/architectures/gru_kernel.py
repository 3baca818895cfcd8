"""One GRU layer over a whole window, differentiated by hand: the fast twin of the loop in `gru.py`.

As in `lstm_kernel.py`, the loops over time hold only what depends on the step before. Columns are reset gate, update
gate and candidate, in this order; the reset gate acts behind the recurrent product.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from repro.model.activations import Nonlinearity
from repro.model.architectures.columns import Columns, once_differentiable, p_of


def recur(
    x: Tensor,
    recurrent: nn.Linear,
    h: Tensor,
    gates: Sequence[Nonlinearity],
    candidate: Nonlinearity,
    noise: tuple[Tensor | None, Tensor | None],
) -> Tensor:
    """h_t of one layer, (steps, batch, units).

    Args:
        x: projected inputs with their biases, (steps, batch, 3 · units).
        recurrent: from h to the three blocks of columns.
        h: before the window, (batch, units).
        gates: the functions of the first two blocks.
        candidate: that of the third.
        noise: standard normal numbers for gates and candidate, (steps, batch, 2 · units) and (steps, batch, units);
            None where no noise is drawn.
    """
    weight, bias, n = recurrent.weight, recurrent.bias, h.shape[-1]
    rest: list[Any] = [None] * 6
    if not isinstance(candidate.function, nn.Tanh):
        functions = [nonlinearity.function for nonlinearity in gates], [candidate.function]
        columns = [Columns.of(some, x, n) for some in functions]
        p = [p_of(some, x, n) for some in functions]
        blocks = x[..., : 2 * n], x[..., 2 * n :]
        xi = [own.noise(drawn, like) for own, drawn, like in zip(columns, noise, blocks, strict=True)]
        rest = [*p, *xi, *columns]
    out: Tensor = _Recurrence.apply(x, weight, bias, h, *rest)  # type: ignore[no-untyped-call]
    return out


class _Recurrence(torch.autograd.Function):
    """The recurrence of a layer; differentiable once, not under torch.func's transforms."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        h0: Tensor,
        p_gates: Tensor | None,
        p_candidate: Tensor | None,
        xi_gates: Tensor | None,
        xi_candidate: Tensor | None,
        gates: Columns | None,
        candidate: Columns | None,
    ) -> Tensor:
        steps, batch, n = x.shape[0], x.shape[1], weight.shape[1]
        h = x.new_empty(steps + 1, batch, n)
        h[0] = h0
        knee = None if gates is None or candidate is None else torch.cat([gates.knee, candidate.knee])
        if knee is not None:
            x, weight, bias = x / knee, weight / knee[:, None], bias / knee
        u = torch.empty_like(x)  # the recurrent product
        rz, g = x.new_empty(steps, batch, 2 * n), torch.empty_like(h[1:])
        functions = (
            _Function(gates, p_gates, xi_gates, rz, torch.sigmoid),
            _Function(candidate, p_candidate, xi_candidate, g, torch.tanh),
        )
        transposed = weight.t().contiguous()
        for t in range(steps):
            torch.addmm(bias, h[t], transposed, out=u[t])
            functions[0](t, torch.add(x[t, :, : 2 * n], u[t, :, : 2 * n]))
            functions[1](t, torch.addcmul(x[t, :, 2 * n :], rz[t, :, :n], u[t, :, 2 * n :]))
            torch.lerp(g[t], h[t], rz[t, :, n:], out=h[t + 1])
        ctx.save_for_backward(weight, knee, h, u, rz, g, p_gates, p_candidate, xi_gates, xi_candidate)
        ctx.functions = functions
        return h[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, knee, h, u, rz, g, p_gates, p_candidate, _, _ = ctx.saved_tensors
        steps, batch, n = g.shape
        (slope, pull), (slope_g, pull_g) = (function.slopes() for function in ctx.functions)
        r, z = rz[..., :n], rz[..., n:]
        to_g = 1 - z  # what reaches each function's value, of the gradient at h
        to_rz = torch.cat([to_g * slope_g * u[..., 2 * n :], h[:-1] - g], -1)
        local = torch.empty_like(u)  # and what reaches each pre-activation
        torch.mul(to_rz, slope, out=local[..., : 2 * n])
        torch.mul(to_g, slope_g, out=local[..., 2 * n :])
        behind = local.clone()  # the same at the recurrent product
        behind[..., 2 * n :].mul_(r)
        dh, grad_u, last = torch.empty_like(g), torch.empty_like(u), torch.zeros_like(h[0])
        for t in reversed(range(steps)):
            torch.add(last, grad[t], out=dh[t])
            torch.mul(dh[t].unsqueeze(1), behind[t].view(batch, 3, n), out=grad_u[t].view(batch, 3, n))
            last = torch.addmm(dh[t] * z[t], grad_u[t], weight)
        grad_x = local.view(steps, batch, 3, n).mul_(dh.unsqueeze(2)).view_as(u)
        flat = grad_u.view(steps * batch, 3 * n)
        grad_weight, grad_bias = flat.t() @ h[:-1].reshape(steps * batch, n), flat.sum(0)
        if knee is not None:
            grad_x, grad_weight, grad_bias = grad_x / knee, grad_weight / knee[:, None], grad_bias / knee
        grad_p = grad_p_g = None
        if pull is not None:
            reached = to_rz.view(steps, batch, 2, n).mul_(dh.unsqueeze(2)).view_as(rz)
            grad_p = reached.mul_(pull).sum((0, 1)) * p_gates.sign() * ctx.functions[0].columns.height
        if pull_g is not None:
            grad_p_g = (to_g * dh).mul_(pull_g).sum((0, 1)) * p_candidate.sign() * ctx.functions[1].columns.height
        return grad_x, grad_weight, grad_bias, last, grad_p, grad_p_g, None, None, None, None


class _Function:
    """One of the two functions over a window: its values go into `out`, what its slopes need is kept.

    Args:
        columns: of a hard or noisy function; None for a soft one.
        p: of the columns.
        xi: noise of the window; None without.
        out: (steps, batch, columns), filled step by step.
        soft: the function where `columns` is None.
    """

    def __init__(self, columns: Columns | None, p: Tensor | None, xi: Tensor | None, out: Tensor, soft: Any) -> None:
        self.columns, self.xi, self.out, self.soft = columns, xi, out, soft
        if columns is not None:
            assert p is not None
            self.width = columns.width(p)
            self.e = torch.empty_like(out)
            self.r, self.s = (None if xi is None else torch.empty_like(out) for _ in range(2))

    def __call__(self, t: int, a: Tensor) -> None:
        """Values of the pre-activations of a step, (batch, columns), in units of the knees."""
        if self.columns is None:
            self.soft(a, out=self.out[t])
            return
        r, s, x = (None if v is None else v[t] for v in (self.r, self.s, self.xi))
        self.columns.forward(a, self.e[t], r, s, x, self.width, self.out[t])

    def slopes(self) -> tuple[Tensor, Tensor | None]:
        """As `Columns.slopes`."""
        if self.columns is not None:
            return self.columns.slopes(self.e, self.r, self.s, self.xi, self.width)
        y = self.out
        return (y - y * y, None) if self.soft is torch.sigmoid else (1 - y * y, None)
