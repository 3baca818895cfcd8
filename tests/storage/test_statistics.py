"""Intervals against SciPy and by hand; how they are written."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from repro.storage.statistics import (
    Estimate,
    estimate,
    interval,
    mean,
    mean_in_words,
    number,
    paired,
    share,
    shares_apart,
    welch,
)

reals = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(st.lists(reals, min_size=2, max_size=30), st.sampled_from([0.8, 0.95, 0.99]))
def test_it_is_students_t(values: list[float], level: float) -> None:
    found = interval(values, level)
    if np.ptp(values) < 1e-9:
        assert (found is None) == (len(set(values)) == 1)
        return
    assert found is not None
    expected = stats.t.interval(level, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-8 * max(map(abs, values)))


def test_by_hand() -> None:
    # Mean 3, standard deviation sqrt(2.5), t(0.975; 4) = 2.776445: half width 2.776445 * sqrt(2.5 / 5).
    assert interval([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx((3 - 1.963243, 3 + 1.963243), abs=1e-6)
    # Two values: t(0.975; 1) = 12.706205, standard error 0.5.
    assert interval([0.0, 1.0]) == pytest.approx((0.5 - 6.353102, 0.5 + 6.353102), abs=1e-6)


@pytest.mark.parametrize("values", [[0.3], [0.1] * 2, [0.1] * 30])
def test_one_value_or_equal_values_have_no_interval(values: list[float]) -> None:
    found = estimate(values)
    assert (found.value, found.interval, found.n) == (values[0], None, len(values))


@settings(deadline=None, max_examples=40)
@given(st.lists(reals, min_size=2, max_size=14), st.randoms())
def test_order_does_not_matter_and_signs_mirror(values: list[float], random: object) -> None:
    found = interval(values)
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert interval(shuffled) == found
    mirrored = interval([-value for value in values])
    assert mirrored == (None if found is None else (-found[1], -found[0]))
    assert found is None or found[0] <= mean(values) <= found[1]


@pytest.mark.parametrize("values", [[0.0] * 11 + [1e-300], [1e300] * 11 + [-1e300], [0.0] * 9 + [1.0]])
def test_extreme_values_have_a_finite_interval(values: list[float]) -> None:
    low, high = interval(values) or (math.nan, math.nan)
    assert -math.inf < low < mean(values) < high < math.inf


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        interval([1.0, math.nan])
    with pytest.raises(ValueError, match="level"):
        interval([1.0, 2.0], level=95)


def test_pairs_remove_what_seeds_share() -> None:
    base = [10.0, 20.0, 30.0, 40.0, 50.0]
    better = [value + shift for value, shift in zip(base, [1.0, 1.1, 0.9, 1.05, 0.95], strict=True)]
    found = paired(better, base)
    assert found.value == pytest.approx(1.0)
    assert found.interval is not None
    assert found.interval[0] > 0.8
    unpaired = welch(better, base)
    assert unpaired.interval is not None
    assert unpaired.interval[0] < 0


def test_paired_differences_that_differ_by_rounding_are_equal() -> None:
    found = paired([0.7, 0.9], [0.5, 0.7])  # 0.2 twice, but for the last bit
    assert (found.value, found.interval, found.n) == (pytest.approx(0.2), None, 2)


@given(st.lists(reals, min_size=2, max_size=8), st.lists(reals, min_size=2, max_size=8))
def test_welch_is_scipys(first: list[float], second: list[float]) -> None:
    if np.ptp(first) < 1e-3 or np.ptp(second) < 1e-3:
        return
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    found = welch(first, second)
    assert found.n == min(len(first), len(second))
    assert found.interval == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-6)


def test_welch_without_spread_has_no_interval() -> None:
    assert welch([1.0, 1.0], [2.0, 2.0]).interval is None
    assert welch([1.0], [2.0, 3.0]).interval is None
    assert welch([1.0, 1.0], [2.0, 3.0]).interval is not None


@pytest.mark.parametrize(("hits", "n"), [(0, 4), (1, 4), (5, 5), (7, 20), (50, 50)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.9706])
def test_share_is_clopper_pearson(hits: int, n: int, level: float) -> None:
    expected = stats.binomtest(hits, n).proportion_ci(level, method="exact")
    assert share(hits, n, level).interval == pytest.approx((expected.low, expected.high))


def test_one_trial_has_no_interval() -> None:
    assert share(1, 1).interval is None
    assert shares_apart((1, 1), (3, 4)).interval is None


def test_shares_apart_by_hand() -> None:
    (l1, u1), (l2, u2) = share(9, 10).interval or (0, 0), share(3, 10).interval or (0, 0)
    low = 0.6 - math.sqrt((0.9 - l1) ** 2 + (u2 - 0.3) ** 2)
    high = 0.6 + math.sqrt((u1 - 0.9) ** 2 + (0.3 - l2) ** 2)
    found = shares_apart((9, 10), (3, 10))
    assert (found.value, found.n) == (pytest.approx(0.6), 10)
    assert found.interval == pytest.approx((low, high))
    mirrored = shares_apart((3, 10), (9, 10)).interval or (0, 0)
    assert mirrored == pytest.approx((-high, -low))


@pytest.mark.parametrize(
    ("value", "bounds", "n", "text"),
    [
        (0.962, (0.959, 0.965), 5, "0.962 ± 0.003 (n=5)"),
        (0.962, (0.959, 0.966), 12, "0.962 [0.959, 0.966] (n=12)"),
        (0.96213, (0.96213 - 0.00154, 0.96213 + 0.00154), 5, "0.9621 ± 0.0015 (n=5)"),
        (0.5, None, 1, "0.5 (n=1)"),
        (0.98167123, None, 3, "0.9817 (n=3)"),
        (math.nan, None, 0, "no value (n=0)"),
        (2.977e-7, (2.942e-7, 3.012e-7), 5, "(2.98 ± 0.04)e-07 (n=5)"),
        (123456.0, (121056.0, 125856.0), 5, "123456 ± 2400 (n=5)"),
        (2.4e5, (1.0, 5.7e10), 5, "2.4e+05 [1, 5.7e+10] (n=5)"),
        (0.5, (0.5 - 1e-12, 0.5 + 1e-12), 5, "0.5 ± 1e-12 (n=5)"),
        (0.0, (-0.2, 0.2), 3, "0.00 ± 0.20 (n=3)"),
        (-3.0, (-5.0, -2.0), 11, "-3.0 [-5.0, -2.0] (n=11)"),
    ],
)
def test_how_intervals_are_written(value: float, bounds: tuple[float, float] | None, n: int, text: str) -> None:
    assert str(Estimate(value, bounds, n)) == text


def test_a_mean_in_words_is_of_what_is_finite() -> None:
    assert mean_in_words([1.0, None, math.nan, 1.0]) == "1 (n=2)"
    assert mean_in_words([math.inf]) == "no value (n=0)"
    assert mean_in_words([], "–") == "– (n=0)"


@given(reals, st.floats(1e-12, 1e9), st.floats(1e-12, 1e9), st.integers(2, 50))
def test_n_is_always_shown(value: float, below: float, above: float, n: int) -> None:
    assert str(Estimate(value, (value - below, value + above), n)).endswith(f"(n={n})")
    assert number(value, 17) == f"{value:.17g}"


@pytest.mark.parametrize(
    ("made", "cut"),
    [
        (Estimate(0.9, (0.7, 1.1), 3), (0.7, 1.0)),
        (Estimate(0.1, (-0.1, 0.3), 3), (0.0, 0.3)),
        (Estimate(0.5, (-1.0, 2.0), 3), (0.0, 1.0)),
        (Estimate(0.5, (0.4, 0.6), 3), (0.4, 0.6)),
        (Estimate(97.0, (95.0, 99.0), 3), (95.0, 99.0)),  # per cent: of which [0, 1] says nothing
        (Estimate(1.0, None, 1), None),
    ],
)
def test_an_interval_is_cut_to_what_can_be(made: Estimate, cut: tuple[float, float] | None) -> None:
    assert made.within(0.0, 1.0) == Estimate(made.value, cut, made.n)
