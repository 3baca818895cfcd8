"""Deviations and correlations over seeds: values by NumPy and SciPy, and where they have no interval."""

import math

import numpy as np
import pytest
from scipy import stats

from repro.storage.spread import (
    between,
    correlation,
    correlation_in,
    jackknifed,
    log_deviation,
    log_variation,
    rank_correlation,
)


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
