"""Scales that are not entitled to a verdict: numbers, and no more than can be had of a few seeds."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from repro.claims.grammar import parse
from repro.claims.numbers import values
from repro.claims.select import Measurements
from repro.claims.verdicts import NO_VERDICT, judge, write_claims
from repro.study.ledger import read_claims
from repro.text.tables import ledger

VARIANTS = ("a", "relu_8_2", "c")
ACCURACIES = {"a": [0.80, 0.90], "relu_8_2": [0.60, 0.62], "c": [0.5, 0.5]}
PARTS = {
    "kind": "all",
    "metric": "test_accuracy",
    "claims": [
        {"kind": "above", "variant": "a", "than": "relu_8_2"},
        {"kind": "below", "variant": "relu_8_2", "than": "c"},
        {"kind": "ratio", "variant": "a", "over": "c", "above": 9, "metric": "test_loss"},
    ],
}
SIMPLE = {"kind": "above", "metric": "test_accuracy", "variant": "a", "bound": 0.99}
SHARE = {
    "kind": "share",
    "at_least": 0.9,
    "claim": {"kind": "above", "metric": "test_accuracy", "variant": "a", "bound": 0.1},
}


def runs() -> pd.DataFrame:
    rows = [
        (name, name, seed, "done", "smoke", accuracy, 1 / accuracy**2)
        for name, own in ACCURACIES.items()
        for seed, accuracy in enumerate(own)
    ]
    return pd.DataFrame(rows, columns=["run", "variant", "seed", "status", "scale", "test_accuracy", "test_loss"])


def judged(claim: dict[str, Any], tmp_path: Path, entitled: bool) -> tuple[str, str]:
    """Our cell of the ledger and the verdict, after a way through claims.csv."""
    full = {"says": "It is so.", "source": "Table 1", **claim}
    found = judge({"c": full}, runs(), None, paper="p", experiment="e", variants=VARIANTS, entitled=entitled)
    write_claims(tmp_path / "claims.csv", found)
    row = ledger(read_claims(tmp_path / "claims.csv")).iloc[0]
    return row["ours"], row["verdict"]


@pytest.mark.parametrize(
    ("claim", "with_verdict", "without"),
    [
        (SIMPLE, ("0.8 [0.2, 1.0] (n=2)", "inconclusive"), "0.85 (n=2)"),
        ({**SIMPLE, "kind": "below", "bound": 9}, ("0.8 [0.2, 1.0] (n=2)", "reproduced"), "0.85 (n=2)"),
        (SHARE, ("1.0 [0.2, 1.0] (n=2)", "inconclusive"), "1 (n=2)"),
        (
            PARTS,
            ("0 of 3 (n=2)", "inconclusive"),
            "test accuracy: 0.85 (a), 0.61 (relu 8-2), 0.5 (c); test loss: 1.39 (a), 4 (c) (n=2)",
        ),
    ],
)
def test_numbers_without_interval_or_verdict(
    claim: dict[str, Any], with_verdict: tuple[str, str], without: str, tmp_path: Path
) -> None:
    assert judged(claim, tmp_path, entitled=True) == with_verdict
    assert judged(claim, tmp_path, entitled=False) == (without, NO_VERDICT)


def test_no_runs_are_no_value() -> None:
    nothing = {**SIMPLE, "where": {}, "variant": "c", "metric": "test_accuracy"}
    data = Measurements(runs()[lambda table: table["variant"] != "c"])
    assert (
        values(parse("c", {"says": "It is so.", "source": "Table 1", **nothing}, VARIANTS), data, "c")
        == "test accuracy: no value (c)"
    )


def test_what_sides_have_in_common_is_said_once() -> None:
    table = runs().assign(**{"optimizer.lr": 0.1, "architecture.depth": [2, 2, 3, 3, 3, 3]})
    lr = {"optimizer.lr": 0.1}
    claim = {
        "says": "It is so.",
        "source": "Table 1",
        "kind": "above",
        "metric": "test_accuracy",
        "variant": "a",
        "where": {**lr, "architecture.depth": 2},
        "than": {"variant": "c", "where": {**lr, "architecture.depth": 3}},
    }
    said = values(parse("c", claim, VARIANTS), Measurements(table), "c")
    assert said == "test accuracy, learning rate 0.1: 0.85 (a, depth 2), 0.5 (c, depth 3)"
