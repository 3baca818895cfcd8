"""De Boor's algorithm, tangents and what else the experiment on splines writes itself, against SciPy and by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import BSpline

from repro.experiments.understanding_neural_networks.procedures import splines


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 4, 5])
def test_de_boor_s_algorithm_is_scipy_s_spline(degree: int) -> None:
    rng = np.random.default_rng(degree)
    knots = np.cumsum(rng.uniform(0.1, 1, 11 + degree))
    coefficients = rng.standard_normal(10)
    at = [*np.linspace(knots[degree], knots[10], 101), *knots[degree:11]]
    theirs = BSpline(knots, coefficients, degree)(at)
    ours = [splines.de_boor(x, knots, coefficients, degree) for x in at]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_de_boor_s_algorithm_takes_repeated_knots() -> None:
    knots, coefficients = np.repeat([0.0, 1.0], 4), np.array([0.0, 2.0, -1.0, 3.0])
    for x in (0.0, 0.25, 1.0):
        bernstein = [(1 - x) ** 3, 3 * x * (1 - x) ** 2, 3 * x**2 * (1 - x), x**3]
        assert splines.de_boor(x, knots, coefficients, 3) == pytest.approx(np.dot(bernstein, coefficients))


def test_slopes_and_tangents() -> None:
    x, step = np.linspace(0.1, 1.9, 7), 1e-6
    slopes = (splines.function(x + step) - splines.function(x - step)) / (2 * step)
    np.testing.assert_allclose(splines.slope(x), slopes, atol=1e-8)
    np.testing.assert_allclose(splines.tangents(np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 3.0])), [2, 1, 0.5])


def test_exact_facts(cli: Callable) -> None:
    """Orders that follow from the degree, differences that are rounding, radii that a formula gives."""
    said = cli("train", "procedure=splines", "procedure.points=400", "procedure.sizes=[9,17,33,65]")
    assert said.status == 0, said
    (table,) = (pd.read_csv(file) for file in Path("results").rglob("curves.csv"))
    found = table.groupby("metric")["value"].last()
    for kind, order in {"linear": 2, "hermite": 4, "cardinal": 1}.items():
        assert found[f"{kind}_order"] == pytest.approx(order, abs=0.2), kind
    assert found["cubic_settled_order"] == pytest.approx(4, abs=0.3)
    for name in ("de_boor_difference", "partition_difference", "interpolant_distance"):
        assert found[name] < 1e-12
    assert found["rational_quadratic_radius_error"] < 1e-12
    assert found["cubic_bezier_radius_error"] == pytest.approx(2.725e-4, rel=0.01)
    assert found["quadratic_bezier_radius_error"] == pytest.approx(np.sqrt(9 / 8) - 1, rel=0.01)
    assert all(found[f"jump_of_derivative_{i}"] < 1e-9 for i in range(3))
    assert found["jump_of_derivative_3"] > 0.1


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("procedure.sizes=[9,3]", "procedure.sizes: each must be a whole number of 4 or more, not 3"),
        ("procedure.sizes=[9]", "procedure.sizes must be two or more rising numbers, e.g. [5, 9, 17], not [9]"),
        ("procedure.sizes=[9,5]", "procedure.sizes must be two or more rising numbers, e.g. [5, 9, 17], not [9, 5]"),
        ("procedure.points=0", "procedure.points must be a whole number of 1 or more, not 0"),
    ],
)
def test_bad_options(word: str, says: str, cli: Callable) -> None:
    assert cli("train", "procedure=splines", word).mistake == says
