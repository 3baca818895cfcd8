"""Deviations and correlations over seeds: values by NumPy and SciPy, and how often their intervals hold the truth."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from repro.paths import CLONE
from repro.storage.spread import (
    between,
    correlation,
    correlation_in,
    jackknifed,
    log_deviation,
    log_variation,
    rank_correlation,
    ratio,
)

TRIALS = 600
SIZES = (6, 10, 20, 40)
# Percent of intervals that hold the truth, as docs/verdicts.md names them; three standard errors of the simulation.
RATIOS = {"normal": (96, 95, 95, 95), "skewed": (92, 92, 91, 92)}
CORRELATIONS = {"normal": (97, 95, 95, 95), "skewed": (95, 93, 92, 93)}
TOLERANCE = 2.8

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
DRAWS: dict[str, Draw] = {
    "normal": lambda rng, size: rng.normal(0, 1, size),
    "skewed": lambda rng, s: rng.exponential(1, s),
}


def test_values_are_those_of_numpy_and_scipy() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.exponential(1, (12, 2))
    assert math.exp(log_deviation(pairs[:, 0])) == pytest.approx(np.std(pairs[:, 0], ddof=1))
    assert math.exp(log_variation(pairs[:, 0])) == pytest.approx(stats.variation(pairs[:, 0], ddof=1))
    assert math.tanh(correlation(pairs)) == pytest.approx(stats.pearsonr(*pairs.T)[0])
    assert math.tanh(rank_correlation(pairs)) == pytest.approx(stats.spearmanr(*pairs.T)[0])


def test_standard_error_is_that_of_leaving_each_out_by_hand() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    without = [math.log(np.std(np.delete(values, i), ddof=1)) for i in range(4)]
    expected = math.sqrt(3 / 4 * sum((one - np.mean(without)) ** 2 for one in without))
    assert jackknifed(values, log_deviation).error == pytest.approx(expected)


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0, 2.0], [1.0, 2.0], [0.0, 0.0, 0.0, 1.0]])
def test_where_there_is_no_standard_error_there_is_no_interval(values: list[float]) -> None:
    assert between(jackknifed(np.array(values), log_deviation), 0.95).interval is None


def test_a_line_has_no_interval() -> None:
    line = np.stack([np.arange(5.0), 2 * np.arange(5.0)], 1)
    assert correlation_in(jackknifed(line, correlation), 0.95).interval is None


@pytest.mark.parametrize("i", range(len(SIZES)))
@pytest.mark.parametrize("shape", RATIOS)
def test_interval_of_a_ratio_of_deviations(shape: str, i: int) -> None:
    rng, n = np.random.default_rng(i), SIZES[i]
    first, second = DRAWS[shape](rng, (TRIALS, n)), 3 * DRAWS[shape](rng, (TRIALS, n))
    held = [
        _holds(ratio(jackknifed(a, log_deviation), jackknifed(b, log_deviation), 0.95).interval, -math.log(3))
        for a, b in zip(first, second, strict=True)
    ]
    assert 100 * np.mean(held) == pytest.approx(RATIOS[shape][i], abs=TOLERANCE)


@pytest.mark.parametrize("i", range(len(SIZES)))
@pytest.mark.parametrize("shape", CORRELATIONS)
def test_interval_of_a_correlation(shape: str, i: int) -> None:
    rng, n = np.random.default_rng(i), SIZES[i]
    one, other = DRAWS[shape](rng, (TRIALS, n)), DRAWS[shape](rng, (TRIALS, n))
    pairs = np.stack([one, 0.6 * one + 0.8 * other], -1)  # both have variance 1: their correlation is 0.6
    held = [_holds(correlation_in(jackknifed(own, correlation), 0.95).interval, 0.6) for own in pairs]
    assert 100 * np.mean(held) == pytest.approx(CORRELATIONS[shape][i], abs=TOLERANCE)


def _holds(interval: tuple[float, float] | None, truth: float) -> bool:
    return interval is not None and interval[0] <= truth <= interval[1]


def test_the_page_has_these_figures() -> None:
    page = (CLONE / "docs" / "verdicts.md").read_text(encoding="utf-8")
    for name, known in (("ratio of deviations", RATIOS), ("correlation", CORRELATIONS)):
        for shape, figures in known.items():
            row = next(line for line in page.splitlines() if line.startswith(f"| {name}, {shape} "))
            cells = [float(cell.strip(" *")) for cell in row.strip("|").split("|")[1:]]
            assert cells == list(figures)
