"""Functions to be learnt from points: a formula that nets of splines suit, one that is smooth, with a kink, a jump,
with noise, and the root of an equation of the seventh degree.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import elementwise

from repro.datasets.from_arrays import Options, Pair, Raw, finish, generate
from repro.datasets.memory import Data
from repro.errors import number, unknown

Floats = NDArray[np.float64]

PLACE = 0.3  # of kink and jump: at no knot of an even grid over [-1, 1]


@dataclass(frozen=True)
class Formula:
    """A function of several numbers.

    Attributes:
        of: points (n, inputs) to values (n,).
        low, high: ends of each input's range.
    """

    of: Callable[[Floats], Floats]
    low: tuple[float, ...] = (-1.0,)
    high: tuple[float, ...] = (1.0,)

    def at(self, x: Floats) -> Floats:
        """Values at points of [-1, 1]^inputs, which stand for those of the formula's own range."""
        low, high = np.asarray(self.low), np.asarray(self.high)
        return self.of(low + (high - low) * (x + 1) / 2)


def septic_root(abc: Floats) -> Floats:
    """The real root of x⁷ + ax³ + bx² + cx + 1 = 0, of which there is one only where b² < 3ac; abc is (n, 3)."""

    def polynomial(x: Floats, a: Floats, b: Floats, c: Floats) -> Floats:
        value: Floats = x**7 + a * x**3 + b * x**2 + c * x + 1
        return value

    ends = np.full(len(abc), -2.0), np.zeros(len(abc))
    root: Floats = elementwise.find_root(polynomial, ends, args=tuple(abc.T)).x
    return root


FORMULAS = {
    "exp_sin": Formula(lambda x: np.exp(np.sin(np.pi * x[:, 0]) + x[:, 1] ** 2), (-1.0, -1.0), (1.0, 1.0)),
    "smooth": Formula(lambda x: np.sin(2 * np.pi * x[:, 0])),
    "kink": Formula(lambda x: np.abs(x[:, 0] - PLACE)),
    "jump": Formula(lambda x: np.where(x[:, 0] < PLACE, -1.0, 1.0)),
    "septic_root": Formula(septic_root, (0.5, -0.8, 0.5), (2.0, 0.8, 2.0)),
}


def formulas(formula: str, noise: float, train_size: int, valid_size: int, test_size: int, seed: int) -> Data:
    """Points, uniform in [-1, 1]^inputs, and a function's value there, shape (1,).

    Args:
        formula: exp_sin, exp(sin πx + y²); smooth, sin 2πx; kink, |x - 0.3|; jump, the sign of x - 0.3; septic_root,
            the root of x⁷ + ax³ + bx² + cx + 1 = 0 for a and c from 0.5 to 2, b from -0.8 to 0.8.
        noise: standard deviation of what is added to the training values, never to the others.
        train_size, valid_size, test_size: points drawn for each split.
        seed: of the draw.

    Raises:
        UserError: an option is not allowed.
    """
    if formula not in FORMULAS:
        raise unknown("formula", str(formula), FORMULAS)
    number("noise", noise, 0)
    chosen = FORMULAS[formula]

    def sample(n: int, rng: np.random.Generator) -> Pair:
        # Rounded first, so that values are those of the points as a net sees them.
        x = rng.uniform(-1, 1, (n, len(chosen.low))).astype(np.float32).astype(np.float64)
        return x, chosen.at(x)[:, None]

    raw = generate(sample, (train_size, valid_size, test_size), seed)
    x, y = raw.train
    shaken = y + noise * np.random.default_rng([seed, 6]).standard_normal(y.shape)
    return finish("formulas", Raw((x, shaken), raw.valid, raw.test), 1, Options("none", None, seed))
