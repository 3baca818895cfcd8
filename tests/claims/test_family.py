"""Many claims at once, and the sums of the summary."""

import math

import numpy as np
import pandas as pd
import pytest

from repro.claims.evidence import Evidence, found
from repro.claims.family import adjusted
from repro.claims.summary import Row, Standing, counts, group, rows, sentence, standing
from repro.storage.statistics import interval, paired


def claims(*rows: tuple[str, str, float, float, str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["direction", "size", "p_direction", "p_size", "origin"])
    return table.assign(verdict="reproduced")


def test_benjamini_and_hochberg_by_hand() -> None:
    # Five tests in order: thresholds 0.01, 0.02, 0.03, 0.04, 0.05; the largest p below its own is the third.
    ps = [0.001, 0.012, 0.029, 0.045, 0.9]
    table = claims(*(("yes", "", p, math.nan, "paper") for p in ps))
    assert adjusted(table) == ["reproduced"] * 3 + ["inconclusive"] * 2


def test_direction_and_size_are_lost_one_by_one() -> None:
    many = [("open", "", 0.9, math.nan, "ours")] * 8
    table = claims(("yes", "yes", 1e-6, 0.04, "paper"), ("yes", "", 0.04, math.nan, "ours"), *many)
    assert adjusted(table)[:2] == ["direction only", "inconclusive"]
    assert adjusted(table.iloc[:2]) == ["reproduced", "holds"]


def test_values_without_spread_stay() -> None:
    table = claims(("yes", "", math.nan, math.nan, "paper"), ("no", "", math.nan, math.nan, "ours"))
    assert adjusted(table) == ["reproduced", "does not hold"]


def test_of_true_nothings_few_pass() -> None:
    """A hundred families of forty claims about nothing: an error in few of them, and in most without the procedure."""
    rng = np.random.default_rng(0)
    raw = corrected = 0
    for _ in range(100):
        table = claims(*(("yes", "", p, math.nan, "paper") for p in rng.random(40)))
        raw += bool((table["p_direction"] < 0.05).any())
        corrected += "reproduced" in adjusted(
            table.assign(direction=np.where(table["p_direction"] < 0.05, "yes", "open"))
        )
    assert raw > 75
    assert corrected < 12


def test_p_is_that_of_the_t_test() -> None:
    from scipy import stats

    values = [0.3, 0.9, 0.5, 0.7, 0.2]
    seen = Evidence(float(np.mean(values)), 5, lambda level: interval(values, level))
    above = found(seen, lambda low, _: low > 0.1, (0.1, math.inf))
    assert (above.answer, above.p) == ("yes", pytest.approx(stats.ttest_1samp(values, 0.1).pvalue, rel=1e-6))
    apart = found(seen, lambda low, _: low > 0.4, (0.4, math.inf))
    assert (apart.answer, apart.p) == ("open", pytest.approx(stats.ttest_1samp(values, 0.4).pvalue, rel=1e-6))
    below = found(seen, lambda low, _: low > 2, (2.0, math.inf))
    assert (below.answer, below.p) == ("no", pytest.approx(stats.ttest_1samp(values, 2).pvalue, rel=1e-6))
    assert paired(values, [0.0] * 5).interval == interval(values)


def test_no_sum_mixes_scales_or_whose_claims_they_are() -> None:
    assert (group("paper", "full"), group("paper", "quick"), group("ours", "full")) == (
        "the paper's, at its scale",
        "the paper's, smaller",
        "ours",
    )
    found = counts(
        [
            Row(group("paper", "full"), "one", "reproduced"),
            Row(group("paper", "full"), "one", "direction only"),
            Row(group("paper", "full"), "f/one", "reproduced"),
            Row(group("paper", "quick"), "g/two", "not reproduced"),
            Row(group("ours", "quick"), "g/three", "holds"),
            Row(group("paper", "smoke"), "g/four", "no verdict at this scale"),
        ]
    )
    assert found["the paper's, at its scale"] == {
        "reproduced": 1,
        "direction only": 1,
        "not reproduced": 0,
        "inconclusive": 0,
    }
    assert found["the paper's, smaller"]["not reproduced"] == 1 == sum(found["the paper's, smaller"].values())
    assert found["ours"] == {"holds": 1, "does not hold": 0, "inconclusive": 0}


def test_statements_stand_where_all_their_claims_do() -> None:
    table = pd.DataFrame(
        [
            ("one", "reproduced", "reproduced", 0.001),
            ("one", "reproduced", "inconclusive", 0.04),
            ("two", "reproduced", "reproduced", 0.001),
            ("three", "reproduced", "reproduced", math.nan),
            ("four", "reproduced", "reproduced", 0.001),
            ("four", "direction only", "direction only", 0.001),
        ],
        columns=["statement", "verdict", "adjusted", "p_direction"],
    ).assign(origin="paper", scale="full", p_size=math.nan)
    found = standing(rows(table))
    assert found == Standing(reproduced=3, held=2, untested=1)
    said = sentence([found, found])
    assert said.startswith("Of 6 statements that are reproduced one by one, 4 are so when all claims")
    assert said.endswith("; 2 of these are the same in every run and have no p.")
