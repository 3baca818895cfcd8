"""One LSTM layer over a whole window, differentiated by hand: the fast twin of the loop in `lstm.py`.

What autograd would keep for each small operation is computed here for the whole window at once, and the loops over
time hold only what truly depends on the step before. Columns are gates in the order output, input, forget, candidate.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from repro.model.activations import Nonlinearity
from repro.model.architectures.columns import Columns, once_differentiable, p_of


def recur(
    x: Tensor,
    weight: Tensor,
    state: tuple[Tensor, Tensor],
    gates: Sequence[Nonlinearity],
    cell: Nonlinearity,
    noise: tuple[Tensor | None, Tensor | None],
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """h_t and the last state of one layer.

    Args:
        x: projected inputs with all biases, (steps, batch, 4 · units).
        weight: of the recurrent connection, (4 · units, units).
        state: h and c before the window, each (batch, units).
        gates: the functions of the four blocks of columns, see above.
        cell: the function of the cell's output.
        noise: standard normal numbers for gates and cell, (steps, batch, 4 · units) and (steps, batch, units); None
            where no noise is drawn.
    """
    if isinstance(cell.function, nn.Tanh):
        h, last_h, last_c = _Recurrence.apply(x, weight, *state, None, None, None, None, None, None)  # type: ignore[no-untyped-call]
        return h, (last_h, last_c)
    functions, n = [nonlinearity.function for nonlinearity in gates], weight.shape[1]
    columns, units = Columns.of(functions, x, n), Columns.of([cell.function], x, n)
    h, last_h, last_c = _Recurrence.apply(  # type: ignore[no-untyped-call]
        x,
        weight,
        *state,
        p_of(functions, x, n),
        p_of([cell.function], x, n),
        columns.noise(noise[0], x),
        units.noise(noise[1], x[..., :n]),
        columns,
        units,
    )
    return h, (last_h, last_c)


class _Recurrence(torch.autograd.Function):
    """The recurrence of a layer; differentiable once, not under torch.func's transforms."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        h0: Tensor,
        c0: Tensor,
        p: Tensor | None,
        p_cell: Tensor | None,
        xi: Tensor | None,
        xi_cell: Tensor | None,
        columns: Columns | None,
        cell: Columns | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps, batch, n = x.shape[0], x.shape[1], weight.shape[1]
        h, c = (x.new_empty(steps + 1, batch, n) for _ in range(2))
        h[0], c[0] = h0, c0
        y, out = torch.empty_like(h[1:]), torch.empty_like(x)
        kept: tuple[Tensor | None, ...]
        if columns is None or cell is None:
            kept = _soft_forward(x, weight, h, c, y, out)
        else:
            assert p is not None
            assert p_cell is not None
            kept = _hard_forward(x, weight, h, c, y, out, (p, p_cell), (xi, xi_cell), (columns, cell))
        ctx.save_for_backward(weight, h, c, y, out, p, p_cell, xi, xi_cell, *kept)
        ctx.columns, ctx.cell = columns, cell
        return h[1:], h[-1].clone(), c[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor, grad_last_h: Tensor, grad_last_c: Tensor) -> tuple[Tensor | None, ...]:
        weight, h, c, y, out, p, p_cell, xi, xi_cell, *kept = ctx.saved_tensors
        steps, batch, n = y.shape
        pulls: list[Tensor | None] = [None, None]
        if ctx.columns is None:
            slope, slope_cell = _soft_slopes(out, y)
            scaled = weight
        else:
            slope, pulls[0] = ctx.columns.slopes(*kept[:3], xi, ctx.columns.width(p))
            slope_cell, pulls[1] = ctx.cell.slopes(*kept[3:], xi_cell, ctx.cell.width(p_cell))
            slope_cell = slope_cell / ctx.cell.knee
            scaled = weight / ctx.columns.knee[:, None]
        blocks = out.view(steps, batch, 4, n)
        o, i, f, g = blocks.unbind(2)
        partners = (y, g, c[:-1], i)  # what each gate is multiplied by: o under dh, the others under dc
        local = torch.empty_like(blocks)
        for k, partner in enumerate(partners):
            torch.mul(slope.view_as(blocks)[:, :, k], partner, out=local[:, :, k])
        grad_a, dh, dc = _backward_through_time((grad_h, grad_last_h, grad_last_c), local, o * slope_cell, f, scaled)
        flat = grad_a.view(steps * batch, 4 * n)
        grad_weight = flat.t() @ h[:-1].reshape(steps * batch, n)
        grad_h0 = grad_a[0].view(batch, 4 * n) @ scaled if ctx.needs_input_grad[2] else None
        grad_c0 = dc[0] * f[0] if ctx.needs_input_grad[3] else None
        grad_p = grad_p_cell = None
        if pulls[0] is not None:
            pull = pulls[0].view_as(blocks)
            sums = [((dc if k else dh) * partner).mul_(pull[:, :, k]).sum((0, 1)) for k, partner in enumerate(partners)]
            grad_p = torch.cat(sums) * p.sign() * ctx.columns.height
        if pulls[1] is not None:
            grad_p_cell = (dh * o).mul_(pulls[1]).sum((0, 1)) * p_cell.sign() * ctx.cell.height
        if ctx.columns is not None:
            flat = flat / ctx.columns.knee
            grad_weight = grad_weight / ctx.columns.knee[:, None]
        return (flat.view_as(out), grad_weight, grad_h0, grad_c0, grad_p, grad_p_cell, None, None, None, None)


def _soft_forward(x: Tensor, weight: Tensor, h: Tensor, c: Tensor, y: Tensor, out: Tensor) -> tuple[()]:
    transposed, n = weight.t().contiguous(), weight.shape[1]
    for t, (xt, a, yt) in enumerate(zip(x.unbind(0), out.unbind(0), y.unbind(0), strict=True)):
        torch.addmm(xt, h[t], transposed, out=a)
        sigmoid = a[:, : 3 * n].sigmoid_()
        candidate = a[:, 3 * n :].tanh_()
        torch.mul(sigmoid[:, 2 * n :], c[t], out=c[t + 1]).addcmul_(sigmoid[:, n : 2 * n], candidate)
        torch.tanh(c[t + 1], out=yt)
        torch.mul(sigmoid[:, :n], yt, out=h[t + 1])
    return ()


def _soft_slopes(out: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes of sigmoid and tanh from their values."""
    n = y.shape[-1]
    slope, gates, candidate = torch.empty_like(out), out[..., : 3 * n], out[..., 3 * n :]
    torch.addcmul(gates, gates, gates, value=-1, out=slope[..., : 3 * n])
    torch.mul(candidate, candidate, out=slope[..., 3 * n :]).neg_().add_(1)
    return slope, 1 - y * y


def _hard_forward(
    x: Tensor,
    weight: Tensor,
    h: Tensor,
    c: Tensor,
    y: Tensor,
    out: Tensor,
    p: tuple[Tensor, Tensor],
    xi: tuple[Tensor | None, Tensor | None],
    columns: tuple[Columns, Columns],
) -> tuple[Tensor | None, ...]:
    gates, cell = columns
    x = x / gates.knee  # exact for the hard sigmoid, whose knee is 2
    transposed = (weight / gates.knee[:, None]).t().contiguous()
    kept = [
        torch.empty_like(like) if some is not None else None
        for like, noise in ((out, xi[0]), (y, xi[1]))
        for some in (like, noise, noise)
    ]
    widths = gates.width(p[0]), cell.width(p[1])
    unscaled = bool((cell.knee == 1).all())
    hs, cs = h.unbind(0), c.unbind(0)
    each = (x.shape[0] * [None] if v is None else v.unbind(0) for v in (x, out, y, *xi, *kept))
    for t, (xt, ft, yt, nt, nct, et, rt, st, ect, rct, sct) in enumerate(zip(*each, strict=True)):
        gates.forward(torch.addmm(xt, hs[t], transposed), et, rt, st, nt, widths[0], ft)
        o, i, f, g = ft.chunk(4, 1)
        torch.mul(f, cs[t], out=cs[t + 1]).addcmul_(i, g)
        cell.forward(cs[t + 1] if unscaled else cs[t + 1] / cell.knee, ect, rct, sct, nct, widths[1], yt)
        torch.mul(o, yt, out=hs[t + 1])
    return tuple(kept)


def _backward_through_time(
    grads: tuple[Tensor, Tensor, Tensor], local: Tensor, to_cell: Tensor, forget: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients at the pre-activations, and at h and c of every step.

    Args:
        grads: at every h, at the last h and at the last c.
        local: slope times partner of each gate, (steps, batch, 4, units).
        to_cell: o times the slope of the cell's output.
        forget: the forget gate.
        weight: recurrent weight.
    """
    grad_h, dh, dc = grads
    steps, batch, n = forget.shape
    grad_a, dh_all, dc_all = torch.empty_like(local), torch.empty_like(to_cell), torch.empty_like(to_cell)
    locals_, cells, forgets, incoming = local.unbind(0), to_cell.unbind(0), forget.unbind(0), grad_h.unbind(0)
    outs, dhs, dcs = grad_a.unbind(0), dh_all.unbind(0), dc_all.unbind(0)
    for t in reversed(range(steps)):
        torch.add(dh, incoming[t], out=dhs[t])
        torch.addcmul(dc, dhs[t], cells[t], out=dcs[t])
        torch.mul(dhs[t], locals_[t][:, 0], out=outs[t][:, 0])
        torch.mul(dcs[t].unsqueeze(1), locals_[t][:, 1:], out=outs[t][:, 1:])
        if t:
            dc = dcs[t] * forgets[t]
            dh = outs[t].view(batch, 4 * n) @ weight
    return grad_a, dh_all, dc_all
