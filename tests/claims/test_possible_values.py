"""No interval in the ledger reaches beyond what its value can be."""

from typing import Any

import pandas as pd
import pytest

from repro.claims.select import Selector
from repro.claims.verdicts import judge
from repro.storage.metrics import ANY, POSITIVE, SHARE
from repro.storage.statistics import interval

NEAR_ONE, NEAR_ZERO = [0.84, 0.99, 0.98], [0.0, 0.01, 0.05]


def verdict(claim: dict[str, Any], metric: str = "test_accuracy", second_seed: int = 0) -> pd.Series:
    rows = [
        (f"run-{name}", name, first + i, "done", "full", value)
        for name, first, values in (("a", 0, NEAR_ONE), ("b", second_seed, NEAR_ZERO))
        for i, value in enumerate(values)
    ]
    runs = pd.DataFrame(rows, columns=["run", "variant", "seed", "status", "scale", metric])
    full = {"says": "It is so.", "source": "Table 1", "metric": metric, "variant": "a", **claim}
    return judge({"c": full}, runs, None, paper="p", experiment="e", variants=("a", "b")).iloc[0]


def student(values: list[float]) -> tuple[float, float]:
    found = interval(values)
    assert found is not None
    return found


def test_a_level_is_cut_to_its_range() -> None:
    low, high = student(NEAR_ONE)
    found = verdict({"kind": "above", "bound": 0.5})
    assert high > 1
    assert (found["low"], found["high"]) == (low, 1)
    found = verdict({"kind": "below", "bound": 0.5, "variant": "b"})
    assert (found["low"], found["high"]) == (0, student(NEAR_ZERO)[1])
    assert found["ours"] == pytest.approx(0.02)


def test_an_error_in_per_cent_is_cut_as_its_accuracy_is() -> None:
    found = verdict({"kind": "below", "bound": 50, "metric": "test_error_percent"}, "test_accuracy")
    assert (found["low"], found["high"]) == (0, pytest.approx(100 * (1 - student(NEAR_ONE)[0])))


@pytest.mark.parametrize("second_seed", [0, 10])
def test_a_difference_is_cut_to_what_two_sides_can_differ_by(second_seed: int) -> None:
    found = verdict({"kind": "above", "than": "b"}, second_seed=second_seed)
    assert found["high"] == 1
    assert 0 < found["low"] < found["ours"]
    loss = verdict({"kind": "above", "than": "b"}, "test_loss", second_seed)
    assert loss["high"] > 1
    assert loss["low"] == found["low"]


def test_of_a_ratio_nothing_is_cut() -> None:
    claim = {"kind": "ratio", "over": {"variant": "a", "metric": "train_accuracy"}, "above": 0.5}
    rows = [("run", "a", i, "done", "full", v, 0.9 + 0.01 * i) for i, v in enumerate(NEAR_ONE)]
    columns = ["run", "variant", "seed", "status", "scale", "test_accuracy", "train_accuracy"]
    full = {"says": "It is so.", "source": "Table 1", "metric": "test_accuracy", "variant": "a", **claim}
    runs = pd.DataFrame(rows, columns=columns)
    assert judge({"c": full}, runs, None, paper="p", experiment="e", variants=("a",)).iloc[0]["high"] > 1


def test_within_a_band_that_ends_where_the_values_do() -> None:
    """What an interval says beyond 1 is against no claim."""
    assert student(NEAR_ONE) == pytest.approx((0.728, 1.145), abs=1e-3)
    assert verdict({"kind": "within", "target": 0.8, "tolerance": 0.2})["verdict"] == "reproduced"
    assert verdict({"kind": "within", "target": 0.9, "tolerance": 0.1})["verdict"] == "inconclusive"


@pytest.mark.parametrize(
    ("metric", "within"),
    [
        ("test_accuracy", SHARE),
        ("diverged", SHARE),
        ("test_error_percent", (0.0, 100.0)),
        ("test_loss", ANY),
        ({"column": "test_loss", "below": 0.1}, SHARE),
        ({"quantity": "dead_share", "depth": 1}, SHARE),
        ({"quantity": "gradient_cosine", "layer": "model"}, (-1.0, 1.0)),
        ({"curve": "test_accuracy", "mean_of_last": 3}, SHARE),
        ({"curve": "valid_bleu", "swing_of_last": 3}, (0.0, 100.0)),
        ({"curve": "test_loss", "swing_of_last": 3}, POSITIVE),
        ({"curve": "test_accuracy", "first_above": 0.5}, POSITIVE),
        ({"curve": "test_accuracy", "when": {"curve": "train_loss", "below": 1}}, SHARE),
    ],
)
def test_what_is_looked_at_says_what_it_can_be(metric: Any, within: tuple[float, float]) -> None:
    assert Selector(metric).within() == within
