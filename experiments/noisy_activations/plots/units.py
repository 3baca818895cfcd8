"""The noisy units of Gulcehre et al. (2016) in numpy, so that figures of them can be drawn without torch.

The same formulas as in `repro.model.activations.noisy`, for arrays of any shapes that go together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Numbers = Array | float


@dataclass(frozen=True)
class Hard:
    """A line clipped at its knees: slope · clip(x, -knee, knee) + offset (Eq. 1 to 4).

    Attributes:
        knee: above 0.
        slope: inside the knees.
        offset: value at 0.
    """

    knee: float
    slope: float
    offset: float

    def __call__(self, x: Numbers) -> Array:
        """h(x)."""
        clipped: Array = np.clip(np.asarray(x, dtype=np.float64), -self.knee, self.knee)
        return self.slope * clipped + self.offset

    def line(self, x: Numbers) -> Array:
        """u(x), without the knees."""
        return self.slope * np.asarray(x, dtype=np.float64) + self.offset

    def derivative(self, x: Numbers) -> Array:
        """h'(x); at a knee that of the inside."""
        return np.where(np.abs(np.asarray(x)) <= self.knee, self.slope, 0.0)


HARD_TANH = Hard(knee=1.0, slope=1.0, offset=0.0)
HARD_SIGMOID = Hard(knee=2.0, slope=0.25, offset=0.5)


def sigma(x: Numbers, p: Numbers, c: float, hard: Hard) -> Array:
    """Standard deviation of the noise, c · (sigmoid(p · Δ) − 1/2)² with Δ = h − u (Eq. 9)."""
    return c * (_logistic(p, x, hard) - 0.5) ** 2


def phi(x: Numbers, eps: Numbers, p: Numbers, alpha: float, c: float, hard: Hard) -> Array:
    """The unit with noise at its output (Eq. 12).

    Args:
        x: inputs.
        eps: ξ (NAN) or |ξ| (NAH), ξ standard normal; 0 or √(2/π) gives their expectation (Eq. 13).
        p: of the unit.
        alpha: α.
        c: scale of the noise.
        hard: the hard function.
    """
    return alpha * hard(x) + (1 - alpha) * hard.line(x) + _side(x, alpha) * sigma(x, p, c, hard) * eps


def slope(x: Numbers, eps: Numbers, p: Numbers, alpha: float, c: float, hard: Hard) -> Array:
    """∂phi/∂x for given noise, the sum of the linear, the non-linear and the stochastic path; arguments as in `phi`."""
    g = _logistic(p, x, hard)
    growth = 2 * c * np.asarray(p) * (g - 0.5) * g * (1 - g)  # dσ/dΔ
    inside = hard.derivative(x)
    return (1 - alpha) * hard.slope + alpha * inside + _side(x, alpha) * eps * growth * (inside - hard.slope)


def _logistic(p: Numbers, x: Numbers, hard: Hard) -> Array:
    z = np.asarray(p) * (hard(x) - hard.line(x))
    return 0.5 * (1 + np.tanh(z / 2))


def _side(x: Numbers, alpha: float) -> Array:
    """d(x) = −sgn(x) · sgn(1 − α), sgn(0) = +1."""
    return np.where(np.asarray(x) >= 0, -1.0, 1.0) * (1.0 if alpha <= 1 else -1.0)
