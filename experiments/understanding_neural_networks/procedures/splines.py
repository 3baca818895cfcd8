"""How exact splines of several kinds are, how smooth, and whether de Boor's algorithm gives what SciPy's splines do."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import BSpline, CubicHermiteSpline, CubicSpline, make_interp_spline

from repro.errors import UserError, whole
from repro.training.work import Measured, from_rows

Floats = NDArray[np.float64]

END = 2.0  # what is interpolated is so on [0, 2]
TENSION = 0.5  # of the cardinal spline: its tangents are those of Catmull and Rom times one half
MANY = (257, 513)  # knots at which orders have settled
PLACES = 16  # in an interval: drawn points would miss the one at the end that is worst
DEGREES = (1, 2, 3, 4, 5)
KAPPA = 4 * (np.sqrt(2) - 1) / 3  # of the cubic Bézier curve whose middle lies on the circle
CORNER = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])  # around a quarter of the unit circle
CUBIC = np.array([[1.0, 0.0], [1.0, KAPPA], [KAPPA, 1.0], [0.0, 1.0]])


def function(x: Floats) -> Floats:
    """What is interpolated: sin 3x + 0.3 x²."""
    return np.asarray(np.sin(3 * x) + 0.3 * x**2)


def slope(x: Floats) -> Floats:
    """Its derivative."""
    return np.asarray(3 * np.cos(3 * x) + 0.6 * x)


def de_boor(x: float, knots: Floats, coefficients: Floats, degree: int) -> float:
    """A spline at a point by de Boor's algorithm: degree (degree + 1) / 2 means of two, however many knots there are.

    De Boor, *A Practical Guide to Splines* (1978), ch. X.

    Args:
        x: between the knots number `degree` and `len(coefficients)`, both counted from 0.
        knots: rising, one more than coefficients and degree together.
        coefficients: of the B-splines.
        degree: 0 or more.
    """
    last = len(coefficients) - 1
    place = min(max(int(np.searchsorted(knots, x, side="right")) - 1, degree), last)
    d = coefficients[place - degree : place + 1].copy()
    for r in range(1, degree + 1):
        for j in range(degree, r - 1, -1):
            low, high = knots[place - degree + j], knots[place + 1 + j - r]
            share = (x - low) / (high - low)
            d[j] = (1 - share) * d[j - 1] + share * d[j]
    return float(d[degree])


def tangents(x: Floats, y: Floats) -> Floats:
    """Those of Catmull and Rom: the slope from the point before to the one behind; at the ends to the neighbour."""
    inside = (y[2:] - y[:-2]) / (x[2:] - x[:-2])
    ends = (y[1] - y[0]) / (x[1] - x[0]), (y[-1] - y[-2]) / (x[-1] - x[-2])
    return np.concatenate([ends[:1], inside, ends[1:]])


INTERPOLANTS: dict[str, Callable[[Floats, Floats], Callable[[Floats], Floats]]] = {
    "linear": lambda x, y: make_interp_spline(x, y, k=1),
    "cardinal": lambda x, y: CubicHermiteSpline(x, y, (1 - TENSION) * tangents(x, y)),
    "catmull_rom": lambda x, y: CubicHermiteSpline(x, y, tangents(x, y)),
    "hermite": lambda x, y: CubicHermiteSpline(x, y, slope(x)),
    "cubic": lambda x, y: CubicSpline(x, y),
    "b_spline": lambda x, y: make_interp_spline(x, y, k=3),
}


def check(*, sizes: Sequence[int], points: int) -> None:
    """Raise a `UserError` for an option out of its range."""
    for size in sizes:
        whole("procedure.sizes: each", size, 4)
    whole("procedure.points", points, 1)
    if len(sizes) < 2 or list(sizes) != sorted(set(sizes)):
        raise UserError(f"procedure.sizes must be two or more rising numbers, e.g. [5, 9, 17], not {list(sizes)}")


@from_rows(check=check)
def splines(data: None, rng: torch.Generator, *, sizes: Sequence[int], points: int) -> Iterator[Measured]:
    """Errors by number of knots, their orders, differences that should be nothing, and a quarter of a circle.

    Args:
        data: none.
        rng: draws the points that are looked at, and knots and coefficients for de Boor's algorithm.
        sizes: knots, rising, each 4 or more.
        points: at which errors are taken, 1 or more.
    """
    del data
    at = END * torch.rand(points, generator=rng, dtype=torch.float64).numpy()
    errors: dict[str, list[float]] = {name: [] for name in INTERPOLANTS}
    for size in sizes:
        x = np.linspace(0, END, size)
        for name, make in INTERPOLANTS.items():
            errors[name].append(float(np.abs(make(x, function(x))(at) - function(at)).max()))
            yield Measured(f"{name}_error", errors[name][-1], size)
    last = sizes[-1]
    for name, found in errors.items():
        yield Measured(f"{name}_order", -np.polyfit(np.log(np.array(sizes) - 1), np.log(found), 1)[0], last)
    yield Measured("cubic_settled_order", _settled_order(), last)
    yield from (Measured(name, value, last) for name, value in _joints(last))
    yield Measured("de_boor_difference", _de_boor_difference(points, rng), last)
    yield Measured("partition_difference", _partition_difference(at), last)
    yield from (Measured(name, value, last) for name, value in _circle(at / END))


def _settled_order() -> float:
    """The cubic spline's order between two numbers of knots that are large, from points in every interval."""
    found = []
    for size in MANY:
        x, at = np.linspace(0, END, size), np.linspace(0, END, PLACES * (size - 1) + 1)
        found.append(float(np.abs(CubicSpline(x, function(x))(at) - function(at)).max()))
    return float(np.log(found[0] / found[1]) / np.log((MANY[1] - 1) / (MANY[0] - 1)))


def _joints(size: int) -> Iterator[tuple[str, float]]:
    """Greatest jump of each derivative of the cubic spline at its inner knots; how far curves pass from the data."""
    x = np.linspace(0, END, size)
    y = function(x)
    spline, step = CubicSpline(x, y), END / (size - 1)
    for order in range(4):
        left = [np.polyval(np.polyder(piece, order), step) for piece in spline.c.T[:-1]]
        right = [np.polyval(np.polyder(piece, order), 0.0) for piece in spline.c.T[1:]]
        yield f"jump_of_derivative_{order}", float(np.abs(np.subtract(left, right)).max())
    knots = np.concatenate([[0.0] * 3, np.linspace(0, END, size - 2), [END] * 3])
    yield "control_distance", float(np.abs(BSpline(knots, y, 3)(x) - y).max())
    yield "interpolant_distance", max(float(np.abs(make(x, y)(x) - y).max()) for make in INTERPOLANTS.values())


def _de_boor_difference(points: int, rng: torch.Generator) -> float:
    """Greatest difference to SciPy's spline, over degrees, of a spline with 12 random coefficients each."""
    greatest = 0.0
    for degree in DEGREES:
        knots = torch.rand(13 + degree, generator=rng, dtype=torch.float64).add(0.1).cumsum(0).numpy()
        coefficients = torch.randn(12, generator=rng, dtype=torch.float64).numpy()
        low, high = knots[degree], knots[12]
        at = low + (high - low) * torch.rand(points, generator=rng, dtype=torch.float64).numpy()
        ours = [de_boor(x, knots, coefficients, degree) for x in at]
        greatest = max(greatest, float(np.abs(ours - BSpline(knots, coefficients, degree)(at)).max()))
    return greatest


def _partition_difference(at: Floats) -> float:
    """Greatest difference to 1 of the sum of all cubic B-splines."""
    knots = np.concatenate([[0.0] * 3, np.linspace(0, END, 9), [END] * 3])
    return float(np.abs(BSpline.design_matrix(at, knots, 3).sum(axis=1) - 1).max())


def _circle(t: Floats) -> Iterator[tuple[str, float]]:
    """Greatest difference to 1 of the radius, for t in [0, 1]."""

    def radius(control: Floats, weights: Floats) -> Floats:
        degree = len(control) - 1
        knots = np.repeat([0.0, 1.0], degree + 1)  # those of a Bézier curve
        whole = BSpline(knots, np.column_stack([control * weights[:, None], weights]), degree)(t)
        return np.asarray(np.linalg.norm(whole[:, :2] / whole[:, 2:], axis=1))

    curves = {
        "rational_quadratic": (CORNER, np.array([1, np.sqrt(0.5), 1])),
        "cubic_bezier": (CUBIC, np.ones(4)),
        "quadratic_bezier": (CORNER, np.ones(3)),
    }
    for name, (control, weights) in curves.items():
        yield f"{name}_radius_error", float(np.abs(radius(control, weights) - 1).max())
