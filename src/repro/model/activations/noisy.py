"""Hard functions whose flat parts are noisy: Gulcehre, Moczulski, Denil and Bengio (ICML 2016).

h is the hard function, u the line it follows between its knees, Δ = h − u (zero inside), ξ ~ N(0, 1)
drawn afresh for every element.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from repro.errors import number, unknown, whole
from repro.model.activations.activation import Activation
from repro.model.activations.elementwise import Hard, hard_sigmoid, hard_tanh, per_unit
from repro.model.activations.noise import NoiseSource, required

HALF_NORMAL_MEAN = math.sqrt(2 / math.pi)
OUTPUT_NOISE = ("nan", "nah")
INPUT_NOISE = ("nani", "nanil", "nanil_softplus", "nanis")


class Noisy(nn.Module):
    """A hard function made noisy while training.

    Its `forward` takes the noise as an optional argument `xi`, standard normal numbers of the shape of the input;
    otherwise it draws them from the source that `attach_noise` gave it.

    Args:
        hard: the hard function.
    """

    def __init__(self, hard: Hard) -> None:
        super().__init__()
        self.hard = hard
        self.noise: NoiseSource | None = None

    def noise_std(self, x: Tensor) -> Tensor:
        """Standard deviation σ of the noise at `x`, same shape, training or not."""
        raise NotImplementedError

    def drawn(self, x: Tensor, xi: Tensor | None) -> Tensor:
        """`xi`, or fresh noise for `x`."""
        return required(self.noise, self).normal(x) if xi is None else xi

    def saturated(self, x: Tensor) -> Tensor:
        """Where |x| is at or beyond the knee; booleans of the shape of `x`."""
        return self.hard.saturated(x)


class OutputNoise(Noisy):
    """NAN and NAH: noise added to the output, Eq. 11 and 12; its expectation at test time, Eq. 13.

        phi = α·h(x) + (1 − α)·u(x) + d(x)·σ(x)·ε,    σ = c·(sigmoid(p·Δ) − 1/2)²
        d = −sgn(x)·sgn(1 − α) with sgn(0) = +1,      ε = ξ (NAN) or |ξ| (NAH)

    One p for each unit; zero, and so without noise, until `reset` draws it.

    Args:
        hard: the hard function.
        units: how many units, at least 1.
        half_normal: NAH instead of NAN.
        alpha: α, any finite number; 1 keeps the hard function as the centre of the noise.
        c: scale of the noise, at least 0; σ stays below c/4. A schedule may set the attribute `c`.
    """

    def __init__(self, hard: Hard, units: int, half_normal: bool, alpha: float, c: float) -> None:
        super().__init__(hard)
        self.half_normal = half_normal
        self.alpha = alpha
        self.c = c
        self.p = nn.Parameter(torch.zeros(units))

    def reset(self, rng: torch.Generator) -> None:
        """Draw p from U(−1, 1), in place."""
        reset_p(self.p, rng)

    def forward(self, x: Tensor, xi: Tensor | None = None) -> Tensor:
        """phi of `x`: (..., units), or (n, units, height, width)."""
        clipped = x.clamp(-self.hard.knee, self.hard.knee)
        excess = x - clipped  # −Δ in units of x
        # From h outwards, not from u inwards: x − (x − 1) would lose h when x is large.
        line = clipped if self.alpha == 1 else torch.add(clipped, excess, alpha=1 - self.alpha)
        line = self.hard.scaled(line)
        if self.c == 0 or not (self.training or self.half_normal):
            return line
        root = noise_root(excess, self.p, self.hard)
        # Wherever σ is not 0, sgn(x) is the sign of the excess. The noise is a constant for
        # differentiation, so its sign costs nothing in the backward pass.
        scale = self.c / 4 if self.alpha > 1 else -self.c / 4
        return torch.addcmul(line, root * root, self._signed_noise(x, xi, excess.detach()), value=scale)

    def noise_std(self, x: Tensor) -> Tensor:
        """σ of Eq. 9 at `x`."""
        excess = x - x.clamp(-self.hard.knee, self.hard.knee)
        return noise_root(excess, self.p, self.hard).square() * (self.c / 4)

    def _signed_noise(self, x: Tensor, xi: Tensor | None, side: Tensor) -> Tensor:
        """sgn(side)·ε, or its expectation when not training."""
        if not self.training:
            return side.sign() * HALF_NORMAL_MEAN
        # Drawn inside the knees too, where σ is 0: how many numbers are used up must not depend on x.
        xi = self.drawn(x, xi)
        return torch.copysign(xi, side) if self.half_normal else xi * side.sign()

    def extra_repr(self) -> str:
        name = "nah" if self.half_normal else "nan"
        return f"noise={name}, units={self.p.numel()}, alpha={self.alpha}, c={self.c}"


class InputNoise(Noisy):
    """NANI, NANIS: noise of fixed size added to the input, Eq. 14 and 15; h(x) at test time.

        NANI   phi = h(x + σ·ξ)
        NANIS  the same, with noise only where |x| is at or beyond the knee

    Args:
        hard: the hard function.
        only_saturated: NANIS instead of NANI.
        sigma: σ, at least 0, in units of x.
    """

    def __init__(self, hard: Hard, only_saturated: bool, sigma: float) -> None:
        super().__init__(hard)
        self.only_saturated = only_saturated
        self.sigma = sigma

    def forward(self, x: Tensor, xi: Tensor | None = None) -> Tensor:
        """phi of `x`, any shape."""
        result: Tensor = self.hard(self._moved(x, self.drawn(x, xi)) if self.training else x)
        return result

    def noise_std(self, x: Tensor) -> Tensor:
        """The fixed σ, or 0 where NANIS draws none."""
        return self.sigma * (self.saturated(x).to(x.dtype) if self.only_saturated else torch.ones_like(x))

    def _moved(self, x: Tensor, xi: Tensor) -> Tensor:
        if self.only_saturated:
            xi = xi * self.saturated(x)
        return torch.add(x, xi, alpha=self.sigma)

    def extra_repr(self) -> str:
        return f"noise={'nanis' if self.only_saturated else 'nani'}, sigma={self.sigma}"


class LearnedInputNoise(Noisy):
    """NANIL: noise of learned size added to the input, Eq. 14 with the σ of Eq. 9; h(x) at test time.

        phi = h(x + σ(x)·ξ),    σ = c·(sigmoid(p·Δ) − 1/2)²

    The authors' code has σ = c·softplus(p·|Δ| / |ξ|) instead, which is noisy inside the knees too.
    One p for each unit, zero until `reset` draws it.

    Args:
        hard: the hard function.
        units: how many units, at least 1.
        softplus: the form of the authors' code instead of Eq. 9.
        c: scale of the noise, at least 0. A schedule may set the attribute `c`.
    """

    def __init__(self, hard: Hard, units: int, softplus: bool, c: float) -> None:
        super().__init__(hard)
        self.softplus = softplus
        self.c = c
        self.p = nn.Parameter(torch.zeros(units))

    def reset(self, rng: torch.Generator) -> None:
        """Draw p from U(−1, 1), in place."""
        reset_p(self.p, rng)

    def forward(self, x: Tensor, xi: Tensor | None = None) -> Tensor:
        """phi of `x`: (..., units), or (n, units, height, width)."""
        result: Tensor = self.hard(self._moved(x, self.drawn(x, xi)) if self.training else x)
        return result

    def noise_std(self, x: Tensor) -> Tensor:
        """σ of Eq. 9 at `x`; of the authors' form, whose σ goes by its ξ, that for |ξ| = 1."""
        excess = x - x.clamp(-self.hard.knee, self.hard.knee)
        if self.softplus:
            return nn.functional.softplus(per_unit(self.p * self.hard.slope, x) * excess.abs()) * self.c
        return noise_root(excess, self.p, self.hard).square() * (self.c / 4)

    def _moved(self, x: Tensor, xi: Tensor) -> Tensor:
        excess = x - x.clamp(-self.hard.knee, self.hard.knee)
        if self.softplus:
            pull = per_unit(self.p * self.hard.slope, x) * excess.abs() / (xi.abs() + 1e-10)
            return torch.addcmul(x, nn.functional.softplus(pull), xi, value=self.c)
        root = noise_root(excess, self.p, self.hard)
        return torch.addcmul(x, root * root, xi, value=self.c / 4)

    def extra_repr(self) -> str:
        name = "nanil_softplus" if self.softplus else "nanil"
        return f"noise={name}, units={self.p.numel()}, c={self.c}"


def noise_root(excess: Tensor, p: Tensor, hard: Hard) -> Tensor:
    """t with σ = (c/4)·t²: sigmoid(z) − 1/2 = tanh(z/2)/2, without its loss of digits near 0.

    Args:
        excess: how far the input lies beyond the knee, with sign; 0 inside.
        p: one for each unit. Only |p| matters to σ, which is even in p and in Δ.
        hard: the hard function, whose slope turns the excess into Δ.
    """
    return torch.tanh(per_unit(p * (hard.slope / 2), excess) * excess)


def reset_p(p: Tensor, rng: torch.Generator) -> None:
    """Draw p from U(−1, 1), in place: p = 0 would get neither noise nor gradient, for ever."""
    with torch.no_grad():
        p.uniform_(-1, 1, generator=rng)


def noisy_tanh(noise: str | float, alpha: float, gate_alpha: float, c: float, sigma: float) -> Activation:
    """Noisy hard-tanh units with noisy hard-sigmoid gates.

    Args:
        noise: nan, nah, nani, nanil, nanis or nanil_softplus, in either case.
        alpha: α of the units; used by nan and nah, as is `gate_alpha`.
        gate_alpha: α of the gates.
        c: scale of the learned noise, at least 0; used by nan, nah, nanil and nanil_softplus.
        sigma: standard deviation of the fixed noise, at least 0; used by nani and nanis.

    Raises:
        UserError: an unknown noise, or a number outside its range.
    """
    name = variant(noise)
    alpha, gate_alpha = number("activation.alpha", alpha), number("activation.gate_alpha", gate_alpha)
    c, sigma = number("activation.c", c, 0), number("activation.sigma", sigma, 0)
    return Activation(
        unit=partial(noisy, hard_tanh, noise=name, alpha=alpha, c=c, sigma=sigma),
        gate=partial(noisy, hard_sigmoid, noise=name, alpha=gate_alpha, c=c, sigma=sigma),
    )


def noisy_sigmoid(noise: str | float, alpha: float, c: float, sigma: float) -> Activation:
    """Noisy hard-sigmoid units, which are their own gates; arguments as in `noisy_tanh`."""
    name, alpha = variant(noise), number("activation.alpha", alpha)
    c, sigma = number("activation.c", c, 0), number("activation.sigma", sigma, 0)
    one = partial(noisy, hard_sigmoid, noise=name, alpha=alpha, c=c, sigma=sigma)
    return Activation(unit=one, gate=one)


def noisy(hard: Callable[[], Hard], units: int, noise: str, alpha: float, c: float, sigma: float) -> nn.Module:
    """One noisy module for a layer of `units` units; `noise` as `variant` returns it."""
    units = whole("units", units, 1)
    if noise in OUTPUT_NOISE:
        return OutputNoise(hard(), units, half_normal=noise == "nah", alpha=alpha, c=c)
    if noise in ("nani", "nanis"):
        return InputNoise(hard(), only_saturated=noise == "nanis", sigma=sigma)
    return LearnedInputNoise(hard(), units, softplus=noise == "nanil_softplus", c=c)


def variant(noise: str | float) -> str:
    """The noise's name in lower case; raises `UserError` for a name that does not exist.

    Hydra's command line reads `activation.noise=nan` as the number NaN, which no setting here could
    mean, so NaN stands for the name.
    """
    name = "nan" if isinstance(noise, float) and math.isnan(noise) else str(noise).lower()
    known = (*OUTPUT_NOISE, *INPUT_NOISE)
    if name not in known:
        raise unknown("noise in activation.noise", name, known)
    return name
