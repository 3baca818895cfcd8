"""Operations on two numbers by functions of one number and addition, and the root of an equation of degree seven."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import whole
from repro.training.work import Measured, from_rows

from ..datasets.formulas import FORMULAS, septic_root

Floats = NDArray[np.float64]

COUNTED = 200  # equations whose roots are all found


def check(*, points: int) -> None:
    """Raise a `UserError` for an option out of its range."""
    whole("procedure.points", points, 1)


@from_rows(check=check)
def identities(data: None, rng: torch.Generator, *, points: int) -> Iterator[Measured]:
    """Greatest relative errors of identities, and what is to be known of the root of x⁷ + ax³ + bx² + cx + 1 = 0.

    Args:
        data: none.
        rng: draws the numbers: x from 1 to 10, y from 0 to 10, and a, b, c of the equation.
        points: that are looked at.
    """
    del data

    def drawn(low: float, high: float) -> Floats:
        values: Floats = (low + (high - low) * torch.rand(points, generator=rng, dtype=torch.float64)).numpy()
        return values

    x, y = drawn(1, 10), drawn(0, 10) + np.finfo(float).tiny
    made = {
        "product_by_logarithms": (np.exp(np.log(x) + np.log(y)), x * y, x * y),
        "product_by_squares": (((x + y) ** 2 - x**2 - y**2) / 2, x * y, x**2 + y**2),
        "quotient": (np.exp(np.log(x) - np.log(y)), x / y, x / y),
        "power": (np.exp(np.exp(np.log(y) + np.log(np.log(x)))), x**y, x**y),
        "greater": ((x + y + np.abs(x - y)) / 2, np.maximum(x, y), np.maximum(x, y)),
    }
    for name, (ours, truth, size) in made.items():
        yield Measured(f"{name}_difference", float((np.abs(ours - truth) / size).max()))
    formula = FORMULAS["septic_root"]
    abc = np.stack([drawn(low, high) for low, high in zip(formula.low, formula.high, strict=True)], axis=1)
    root = septic_root(abc)
    a, b, c = abc.T
    yield Measured("root_residual_difference", float(np.abs(root**7 + a * root**3 + b * root**2 + c * root + 1).max()))
    yield Measured("one_real_root_share", float(np.mean([_real_roots(row) == 1 for row in abc[:COUNTED]])))
    yield Measured("least_root", float(root.min()))
    yield Measured("greatest_root", float(root.max()))
    yield Measured("root_deviation", float(root.std()))


def _real_roots(abc: Floats) -> int:
    a, b, c = abc
    found = np.roots([1, 0, 0, 0, a, b, c, 1])
    return int((np.abs(found.imag) < 1e-9).sum())
