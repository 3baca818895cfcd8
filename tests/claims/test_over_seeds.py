"""Claims on all seeds together: how far they are apart, and whether two of their numbers go together."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from repro.claims.grammar import LookedAt, looked_at
from repro.claims.verdicts import judge
from repro.errors import UserError

VARIANTS = ("small", "big")
RNG = np.random.default_rng(1)
LOSSES = {"small": 2 + RNG.normal(0, 0.4, 40), "big": 1 + RNG.normal(0, 0.02, 40)}
TESTS = {"small": LOSSES["small"] + RNG.normal(0, 0.05, 40), "big": 1 + RNG.normal(0, 0.02, 40)}


def runs_of(seeds: int = 40) -> pd.DataFrame:
    rows = [
        (f"run-{name}", name, seed, "done", "full", LOSSES[name][seed], TESTS[name][seed])
        for name in VARIANTS
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows, columns=["run", "variant", "seed", "status", "scale", "train_loss", "test_loss"])


def verdict(claim: dict[str, Any], runs: pd.DataFrame | None = None, **asked: Any) -> pd.Series:
    full = {"says": "It is so.", "source": "A8", "metric": "train_loss", "variant": "small", **claim}
    runs = runs_of() if runs is None else runs
    return judge({"c": full}, runs, None, paper="p", experiment="e", variants=VARIANTS, **asked).iloc[0]


@pytest.mark.parametrize(
    ("claim", "word"),
    [
        ({"above": 10}, "reproduced"),
        ({"above": 20}, "inconclusive"),
        ({"above": 80}, "not reproduced"),
        ({"below": 10}, "not reproduced"),
        ({"above": 4, "relative": True}, "reproduced"),
        ({"above": 10, "relative": True}, "inconclusive"),
        ({"above": 10, "published": 20}, "reproduced"),
        ({"above": 10, "published": 200}, "direction only"),
    ],
)
def test_ratio_of_deviations(claim: dict[str, Any], word: str) -> None:
    found = verdict({"kind": "spread", "over": "big", **claim})
    ratio = LOSSES["small"].std(ddof=1) / LOSSES["big"].std(ddof=1)
    if claim.get("relative"):
        ratio *= LOSSES["big"].mean() / LOSSES["small"].mean()
    assert found["ours"] == pytest.approx(ratio)
    assert found["low"] < ratio < found["high"]
    assert found["verdict"] == word
    assert found["n"] == 40


def test_of_a_spread_the_note_has_both_deviations() -> None:
    found = verdict({"kind": "spread", "over": "big", "above": 10})
    assert found["note"] == f"{LOSSES['small'].std(ddof=1):.4g} against {LOSSES['big'].std(ddof=1):.4g}"
    assert found["metric"] == "standard deviation of train_loss of small over standard deviation of train_loss of big"


@pytest.mark.parametrize(
    ("claim", "word"),
    [
        ({"above": 0.9}, "reproduced"),
        ({"above": 0.9, "rank": True}, "reproduced"),
        ({"below": 0.9}, "not reproduced"),
        ({"variant": "big", "above": 0.1}, "inconclusive"),
    ],
)
def test_correlation(claim: dict[str, Any], word: str) -> None:
    found = verdict({"kind": "correlation", "with": "test_loss", **claim})
    own = claim.get("variant", "small")
    twin = stats.spearmanr if claim.get("rank") else stats.pearsonr
    assert found["ours"] == pytest.approx(twin(LOSSES[own], TESTS[own])[0])
    assert -1 <= found["low"] < found["ours"] < found["high"] <= 1
    assert found["verdict"] == word
    assert found["metric"].startswith("rank correlation of" if claim.get("rank") else "correlation of train_loss and")


def test_two_correlations_apart() -> None:
    found = verdict({"kind": "correlation", "with": "test_loss", "variant": "big", "than": "small", "below": 0})
    apart = [stats.pearsonr(LOSSES[own], TESTS[own])[0] for own in ("big", "small")]
    assert found["ours"] == pytest.approx(apart[0] - apart[1])
    assert found["verdict"] == "reproduced"


def test_a_run_without_one_of_two_numbers_is_left_out_and_counted() -> None:
    runs = runs_of()
    runs.loc[0, "test_loss"] = math.nan
    runs.loc[0, "status"] = "diverged"
    found = verdict({"kind": "correlation", "with": "test_loss", "above": 0.9}, runs)
    assert (found["n"], found["verdict"]) == (39, "reproduced")
    assert "1 of 40 diverged" in found["note"]


@pytest.mark.parametrize("seeds", [1, 2])
def test_two_seeds_decide_nothing(seeds: int) -> None:
    for claim in (
        {"kind": "spread", "over": "big", "above": 1},
        {"kind": "correlation", "with": "test_loss", "above": 0},
    ):
        assert verdict(claim, runs_of(seeds))["verdict"] == "inconclusive"


def test_three_seeds_decide_of_a_spread_but_not_of_a_correlation() -> None:
    assert verdict({"kind": "spread", "over": "big", "above": 1e-6}, runs_of(3))["verdict"] == "reproduced"
    for rank in (False, True):
        claim = {"kind": "correlation", "with": "test_loss", "above": -0.99, "rank": rank}
        assert verdict(claim, runs_of(3))["verdict"] == "inconclusive"
        assert math.isnan(verdict(claim, runs_of(3))["low"])


def test_as_parts_and_without_a_verdict() -> None:
    parts = [{"kind": "spread", "over": "big", "above": 10}, {"kind": "correlation", "with": "test_loss", "above": 0.9}]
    assert verdict({"kind": "all", "claims": parts})["verdict"] == "reproduced"
    found = verdict({"kind": "all", "claims": parts}, entitled=False)
    assert found["note"].startswith("standard deviation of train loss: 0.")
    assert "correlation of train loss and test loss: 0.9" in found["note"]


def test_curves_that_a_correlation_looks_at_are_known() -> None:
    claim = {"says": "x", "source": "A8", "kind": "correlation", "metric": "train_loss", "variant": "big", "above": 0}
    second = {"curve": "test_loss", "step": "last"}
    assert looked_at({"c": {**claim, "with": second}}, VARIANTS) == LookedAt({"train_loss"}, set(), True)


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        ({"kind": "spread", "above": 2}, "needs over"),
        ({"kind": "spread", "over": "big"}, "needs one of above"),
        ({"kind": "spread", "over": "big", "above": 0}, "must be above 0"),
        ({"kind": "spread", "over": "big", "above": 2, "relative": 1}, "true or false"),
        ({"kind": "correlation", "above": 0}, "needs with"),
        ({"kind": "correlation", "with": "test_loss", "above": 0, "below": 1}, "needs one of above"),
        ({"kind": "correlation", "with": {"quantity": "weight_norm"}, "above": 0}, "needs quantity and one of depth"),
        ({"kind": "correlation", "with": "test_los", "above": 0}, "did you mean test_loss"),
    ],
)
def test_what_is_wrong_is_said(claim: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        verdict(claim)
