"""B-splines on many inputs at once: their values, knots over data, coefficients by least squares."""

import torch
from torch import Tensor

MARGIN = 0.01
"""Knots reach beyond the data by this share of their range, so that what lies a little outside is still inside."""


def bases(x: Tensor, knots: Tensor, degree: int) -> Tensor:
    """Values of the B-splines at points, by the recursion of Cox and de Boor; 0 outside the knots.

    De Boor, *A Practical Guide to Splines* (1978), ch. IX. `scipy.interpolate.BSpline` means the same splines by the
    same knots; here every input has knots of its own, and values can be differentiated, stacked and recorded.

    Args:
        x: points, shape (..., inputs).
        knots: of each input, rising, shape (inputs, knots).
        degree: 1 or more.

    Returns:
        Shape (..., inputs, knots - degree - 1).
    """
    x = x.unsqueeze(-1)
    value = ((x >= knots[:, :-1]) & (x < knots[:, 1:])).to(x.dtype)
    for k in range(1, degree + 1):
        rising = (x - knots[:, : -k - 1]) / (knots[:, k:-1] - knots[:, : -k - 1])
        falling = (knots[:, k + 1 :] - x) / (knots[:, k + 1 :] - knots[:, 1:-k])
        value = rising * value[..., :-1] + falling * value[..., 1:]
    return value


def uniform(low: Tensor, high: Tensor, intervals: int, degree: int) -> Tensor:
    """Evenly spaced knots over an interval, `degree` of them beyond either end.

    Args:
        low, high: ends for each input, shape (inputs,).
        intervals: between them, 1 or more.
        degree: of the splines.

    Returns:
        Shape (inputs, intervals + 2 degree + 1); of such knots the first and the last `degree` are beyond the ends.
    """
    places = torch.arange(-degree, intervals + degree + 1, device=low.device, dtype=low.dtype) / intervals
    return low[:, None] + (high - low)[:, None] * places


def over(x: Tensor, intervals: int, degree: int, adaptive: float) -> Tensor:
    """Knots over data: evenly spaced, or closer where there are more of them.

    Args:
        x: data, shape (samples, inputs).
        intervals: between the least and the greatest knot inside.
        degree: of the splines.
        adaptive: weight of the quantiles of the data in the knots, in [0, 1); the rest is that of even spacing.

    Returns:
        Shape (inputs, intervals + 2 degree + 1).
    """
    low, high = x.amin(0), x.amax(0)
    margin = MARGIN * (high - low).clamp_min(torch.finfo(x.dtype).eps ** 0.5)
    even = uniform(low - margin, high + margin, intervals, degree)
    if not adaptive:
        return even
    inside = even[:, degree : degree + intervals + 1]
    shares = torch.linspace(0, 1, intervals + 1, device=x.device, dtype=x.dtype)
    crowded = torch.quantile(x, shares, dim=0).T
    crowded = torch.cat([inside[:, :1], crowded[:, 1:-1], inside[:, -1:]], dim=1)
    knots = even.clone()
    knots[:, degree : degree + intervals + 1] = adaptive * crowded + (1 - adaptive) * inside
    return knots


def fitted(x: Tensor, y: Tensor, knots: Tensor, degree: int) -> Tensor:
    """Coefficients of the splines that are closest to curves at points, the smallest of them where many are.

    Args:
        x: points, shape (samples, inputs).
        y: values of the curves of each input, shape (samples, inputs, curves).
        knots: shape (inputs, knots).
        degree: of the splines.

    Returns:
        Shape (inputs, knots - degree - 1, curves), type and device of `y`.
    """
    # In double precision and by singular values, since some splines may have no point in their reach.
    matrix = bases(x.double(), knots.double(), degree).movedim(-2, 0).cpu()  # (inputs, samples, splines)
    found: Tensor = torch.linalg.lstsq(matrix, y.double().movedim(1, 0).cpu(), driver="gelsd").solution
    return found.to(y.device, y.dtype)
