"""Elementwise functions that torch does not have, or has in another form."""

from functools import partial

import torch
from torch import Tensor, nn

from repro.errors import number, whole
from repro.model.activations.activation import Activation


class Hard(nn.Module):
    """A line of slope s through (0, b), clipped where it meets its bounds: s·clip(x, -k, k) + b.

    Args:
        knee: k > 0, beyond which the function is flat and the unit saturated.
        slope: s, inside the knees.
        offset: b, the value at 0.
    """

    def __init__(self, knee: float, slope: float, offset: float) -> None:
        super().__init__()
        self.knee = knee
        self.slope = slope
        self.offset = offset

    def forward(self, x: Tensor) -> Tensor:
        """The function of `x`, any shape. At a knee the slope counts as that of the inside."""
        return self.scaled(x.clamp(-self.knee, self.knee))

    def scaled(self, x: Tensor) -> Tensor:
        """The line without its bounds, s·x + b."""
        return x if self.slope == 1 and self.offset == 0 else x * self.slope + self.offset

    def saturated(self, x: Tensor) -> Tensor:
        """Where |x| >= k; booleans of the shape of `x`."""
        return x.abs() >= self.knee

    def extra_repr(self) -> str:
        return f"knee={self.knee}, slope={self.slope}, offset={self.offset}"


def hard_tanh() -> Hard:
    """clip(x, -1, 1): Eq. 4 of Gulcehre et al. 2016."""
    return Hard(knee=1.0, slope=1.0, offset=0.0)


def hard_sigmoid() -> Hard:
    """clip(x/4 + 1/2, 0, 1): Eq. 3 of Gulcehre et al. 2016.

    Not `torch.nn.Hardsigmoid`, whose slope is 1/6 and whose knees are at ±3.
    """
    return Hard(knee=2.0, slope=0.25, offset=0.5)


class Swish(nn.Module):
    """x·sigmoid(βx) with a fixed β; half the identity at β = 0, ReLU as β grows, SiLU at β = 1.

    Args:
        beta: any finite number, in units of 1/x.
    """

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = number("activation.beta", beta)

    def forward(self, x: Tensor) -> Tensor:
        """The function of `x`, any shape."""
        return x * torch.sigmoid(self.beta * x)

    def extra_repr(self) -> str:
        return f"beta={self.beta}"


class Esp(nn.Module):
    """x·sigmoid(βx) with a β of its own for each unit (Milletarì et al. 2018, expected signal propagation).

    β is zero until `reset` draws it.

    Args:
        units: how many units, at least 1.
        beta: the value every β starts from; `None` starts them from a normal distribution instead.
        beta_std: its standard deviation (mean 0), at least 0; without meaning when `beta` is given.
        per_layer: whether all units share one β.
        fixed: whether β stays what it starts from.
    """

    def __init__(
        self, units: int, beta: float | None, beta_std: float, per_layer: bool = False, fixed: bool = False
    ) -> None:
        super().__init__()
        self.start = None if beta is None else number("activation.beta", beta)
        self.start_std = number("activation.beta_std", beta_std, 0)
        self.beta: Tensor
        values = torch.zeros(1 if per_layer else whole("units", units, 1))
        if fixed:
            self.register_buffer("beta", values)
        else:
            self.beta = nn.Parameter(values)

    def reset(self, rng: torch.Generator) -> None:
        """Set β to its starting values, in place."""
        with torch.no_grad():
            if self.start is None:
                self.beta.normal_(0, self.start_std, generator=rng)
            else:
                self.beta.fill_(self.start)

    def forward(self, x: Tensor) -> Tensor:
        """The function of `x`: (..., units), or (n, units, height, width)."""
        return x * torch.sigmoid(per_unit(self.beta, x) * x)

    def extra_repr(self) -> str:
        return f"betas={self.beta.numel()}"


class Scaled(nn.Module):
    """βx with one trainable β for each unit: the inverse temperature of output units (Milletarì et al. 2018).

    β is zero until `reset` draws it.

    Args:
        units: how many.
        beta: mean of the normal distribution that every β starts from, any finite number.
        beta_std: its standard deviation, at least 0.
    """

    def __init__(self, units: int, beta: float, beta_std: float) -> None:
        super().__init__()
        self.start = number("architecture.output_beta", beta)
        self.start_std = number("architecture.output_beta_std", beta_std, 0)
        self.beta = nn.Parameter(torch.zeros(units))

    def reset(self, rng: torch.Generator) -> None:
        """Draw β, in place."""
        with torch.no_grad():
            self.beta.normal_(self.start, self.start_std, generator=rng)

    def forward(self, x: Tensor) -> Tensor:
        """β times `x`, (..., units)."""
        return self.beta * x


def per_unit(values: Tensor, x: Tensor) -> Tensor:
    """`values`, one for each unit, shaped to multiply `x`.

    Units are the last dimension of `x`, except for images (n, channels, height, width), where they
    are the channels.
    """
    return values[:, None, None] if x.dim() == 4 else values


def sign(x: Tensor) -> Tensor:
    """-1 below 0 and +1 from 0 on; any shape. Its derivative is 0 everywhere."""
    return torch.sign(torch.sign(x) + 0.5)


class Sign(nn.Module):
    """The sign, or a step: scale · sign(x) + offset, with sign(0) = +1.

    Args:
        scale: half the height of the step.
        offset: its middle.
    """

    def __init__(self, scale: float, offset: float) -> None:
        super().__init__()
        self.scale, self.offset = scale, offset

    def forward(self, x: Tensor) -> Tensor:
        """The function of `x`, any shape."""
        return self.scale * sign(x) + self.offset

    def extra_repr(self) -> str:
        return f"scale={self.scale}, offset={self.offset}"


def swish(beta: float) -> Activation:
    """Swish units, with the logistic sigmoid as their gate; arguments as in `Swish`."""
    Swish(beta)  # a wrong number is reported here, before any data are read
    return Activation(unit=partial(Swish, beta), gate=nn.Sigmoid)


def esp(beta: float | None, beta_std: float, per_layer: bool | None, fixed: bool | None) -> Activation:
    """ESP units, with the logistic sigmoid as their gate; arguments as in `Esp`."""
    unit = partial(Esp, beta=beta, beta_std=beta_std, per_layer=bool(per_layer), fixed=bool(fixed))
    unit(1)  # a wrong value is reported here, before any data are read
    return Activation(unit=unit, gate=nn.Sigmoid)
