"""Verdicts from per-seed values."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from repro.claims.grammar import LookedAt, looked_at
from repro.claims.verdicts import COLUMNS, judge, write_claims
from repro.errors import UserError
from repro.storage.tables import read
from repro.study.judging import _layers

VARIANTS = ("a", "b", "xavier")
YES, NO, OPEN, NO_RUNS = "reproduced", "not reproduced", "inconclusive", "no runs"


def runs_of(columns: dict[str, list[float]], seeds: dict[str, list[int]] | None = None, **extra: Any) -> pd.DataFrame:
    """runs.csv with the given test accuracies by variant."""
    rows = []
    for variant, values in columns.items():
        for i, value in enumerate(values):
            seed = (seeds or {}).get(variant, list(range(len(values))))[i]
            state = "done" if math.isfinite(value) else "diverged"
            rows.append((f"run-{variant}", variant, seed, state, "full", value))
    frame = pd.DataFrame(rows, columns=["run", "variant", "seed", "status", "scale", "test_accuracy"])
    return frame.assign(**extra)


def verdict(claim: dict[str, Any], runs: pd.DataFrame, layers: pd.DataFrame | None = None) -> pd.Series:
    full = {"says": "It is so.", "source": "Table 1", "metric": "test_accuracy", "variant": "a", **claim}
    found = judge({"c": full}, runs, layers, paper="p", experiment="e", variants=VARIANTS)
    assert list(found.columns) == list(COLUMNS)
    return found.iloc[0]


SPREAD = [0.90, 0.92, 0.91, 0.93, 0.89]  # mean 0.91, interval 0.8904 to 0.9296


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ({"kind": "above", "bound": 0.88}, YES),
        ({"kind": "above", "bound": 0.90}, OPEN),
        ({"kind": "above", "bound": 0.94}, NO),
        ({"kind": "above", "bound": 0.88, "by": 0.02}, OPEN),
        ({"kind": "above", "bound": 0.88, "by": 0.06}, NO),
        ({"kind": "below", "bound": 0.94}, YES),
        ({"kind": "below", "bound": 0.94, "by": 0.02}, OPEN),
        ({"kind": "below", "bound": 0.88}, NO),
        ({"kind": "within", "target": 0.9, "tolerance": 0.05}, YES),
        ({"kind": "within", "target": 0.9, "tolerance": 0.05, "relative": True}, YES),
        ({"kind": "within", "target": 0.9, "tolerance": 0.03, "relative": True}, OPEN),
        ({"kind": "within", "target": 0.9, "tolerance": 0.02}, OPEN),
        ({"kind": "within", "target": 0.5, "tolerance": 0.02}, NO),
    ],
)
def test_one_variant_against_a_number(claim: dict[str, Any], expected: str) -> None:
    found = verdict(claim, runs_of({"a": SPREAD}))
    assert found["verdict"] == expected
    assert (found["ours"], found["n"], found["scale"]) == (pytest.approx(0.91), 5, "full")
    assert (found["low"], found["high"]) == pytest.approx((0.890368, 0.929632), abs=1e-6)


@pytest.mark.parametrize("kind", ["above", "below"])
def test_one_run_decides_nothing(kind: str) -> None:
    found = verdict({"kind": kind, "bound": 0.5}, runs_of({"a": [0.9]}))
    assert (found["verdict"], found["n"], found["ours"]) == (OPEN, 1, 0.9)
    assert math.isnan(found["low"])


def test_equal_values_count_by_their_point() -> None:
    runs = runs_of({"a": [1.0, 1.0, 1.0]})
    assert verdict({"kind": "above", "bound": 0.9}, runs)["verdict"] == YES
    assert verdict({"kind": "above", "bound": 1.0}, runs)["verdict"] == NO
    assert verdict({"kind": "within", "target": 0.9, "tolerance": 0.1}, runs)["verdict"] == YES


def test_no_runs_yet_have_no_verdict_and_say_so() -> None:
    for runs in (runs_of({"b": [0.5, 0.6]}), runs_of({"a": [], "b": []})):
        found = verdict({"kind": "above", "bound": 0.5}, runs)
        assert (found["verdict"], found["n"], found["note"]) == (NO_RUNS, 0, "no runs of test_accuracy of a")
    part = {"kind": "above", "bound": 0.5}
    both = {"kind": "all", "claims": [part, part | {"variant": "b"}]}
    assert verdict(both, runs_of({"b": [0.5, 0.6, 0.7]}))["verdict"] == NO_RUNS
    share = {"kind": "share", "claim": part, "at_least": 0.6}
    assert verdict(share, runs_of({"b": [0.5, 0.6]}))["verdict"] == NO_RUNS


def test_same_seeds_are_paired_and_others_are_not() -> None:
    low = [0.1, 0.3, 0.5, 0.7]
    high = [value + shift for value, shift in zip(low, [0.05, 0.06, 0.04, 0.05], strict=True)]
    claim = {"kind": "above", "than": "b"}
    paired = verdict(claim, runs_of({"a": high, "b": low}))
    assert (paired["verdict"], paired["ours"]) == (YES, pytest.approx(0.05))
    assert paired["metric"] == "test_accuracy of a minus test_accuracy of b"
    assert paired["note"] == "0.45 against 0.4"
    shuffled = runs_of({"a": high, "b": low}).sample(frac=1, random_state=3)
    assert verdict(claim, shuffled)["verdict"] == YES
    other = verdict(claim, runs_of({"a": high, "b": low}, {"b": [5, 6, 7, 8]}))
    assert (other["verdict"], other["ours"], other["n"]) == (OPEN, pytest.approx(0.05), 4)


accuracies = st.lists(st.integers(0, 100).map(lambda i: i / 100), min_size=1, max_size=12)


@settings(deadline=None, max_examples=60)
@given(first=accuracies, second=accuracies, by=st.sampled_from([0.0, 0.01, 0.25]))
def test_a_below_b_is_b_above_a(first: list[float], second: list[float], by: float) -> None:
    runs = runs_of({"a": first, "b": second})
    one = verdict({"kind": "below", "variant": "a", "than": "b", "by": by}, runs)
    two = verdict({"kind": "above", "variant": "b", "than": "a", "by": by}, runs)
    assert one["verdict"] == two["verdict"]
    assert (one["n"], one["ours"]) == (two["n"], -two["ours"])
    opposite = verdict({"kind": "above", "variant": "a", "than": "b", "by": by}, runs)["verdict"]
    assert (one["verdict"], opposite) != (YES, YES)


@settings(deadline=None, max_examples=40)
@given(first=accuracies, bound=st.floats(0, 1))
def test_negated_values_and_bounds_give_the_same_verdict(first: list[float], bound: float) -> None:
    assume(not set(first) <= {0.0, 1.0})  # those are counted, and their negatives are no shares
    one = verdict({"kind": "above", "bound": bound}, runs_of({"a": first}))
    two = verdict({"kind": "below", "bound": -bound}, runs_of({"a": [-value for value in first]}))
    assert one["verdict"] == two["verdict"]


@settings(deadline=None, max_examples=40)
@given(logs=st.lists(st.floats(-20, 20), min_size=2, max_size=12), bound=st.floats(1e-6, 1e6))
def test_turning_a_ratio_round_keeps_its_verdict(logs: list[float], bound: float) -> None:
    # Powers of two, so that a ratio and its inverse are exact inverses.
    runs = runs_of({"a": [2.0 ** round(value) for value in logs], "b": [1.0] * len(logs)})
    bound = 2.0 ** math.floor(math.log2(bound))
    one = verdict({"kind": "ratio", "over": "b", "above": bound}, runs)
    two = verdict({"kind": "ratio", "variant": "b", "over": "a", "below": 1 / bound}, runs)
    assert one["verdict"] == two["verdict"]
    assert one["ours"] * two["ours"] == pytest.approx(1)


def test_ratio_is_a_geometric_mean_on_the_log_scale() -> None:
    runs = runs_of({"a": [100.0, 1000.0, 10.0], "b": [1.0, 1.0, 1.0]})
    found = verdict({"kind": "ratio", "over": "b", "above": 2}, runs)
    # Logs to base 10: mean 2, interval 2 ± 4.302653 / sqrt(3).
    half = 4.302653 / math.sqrt(3)
    assert found["ours"] == pytest.approx(100)
    assert (found["low"], found["high"]) == pytest.approx((10 ** (2 - half), 10 ** (2 + half)), rel=1e-5)
    assert found["verdict"] == OPEN
    assert verdict({"kind": "ratio", "over": "b", "above": 0.2}, runs)["verdict"] == YES
    assert verdict({"kind": "ratio", "over": "b", "below": 0.2}, runs)["verdict"] == NO


def test_a_ratio_with_zeros_says_so() -> None:
    found = verdict({"kind": "ratio", "over": "b", "below": 2}, runs_of({"a": [0.0, 1.0, 1.1], "b": [1.0] * 3}))
    assert found["n"] == 2
    assert found["note"] == "1.049 against 1; 1 of 3 without a positive value (test_accuracy of a)"


def test_diverged_runs_are_left_out_and_noted() -> None:
    found = verdict({"kind": "above", "bound": 0.5}, runs_of({"a": [0.9, math.nan, 0.91, 0.92]}))
    assert (found["n"], found["verdict"]) == (3, YES)
    assert found["note"] == "1 of 4 diverged (test_accuracy of a)"
    gone = verdict({"kind": "above", "bound": 0.5}, runs_of({"a": [math.nan] * 4}))
    assert (gone["n"], gone["verdict"]) == (0, OPEN)
    pair = verdict({"kind": "above", "than": "b"}, runs_of({"a": [0.9, math.nan, 0.92], "b": [0.1, 0.2, 0.1]}))
    assert (pair["n"], pair["ours"]) == (2, pytest.approx(0.81))


def test_divergence_is_a_metric_and_failures_are_no_evidence() -> None:
    runs = runs_of({"a": [math.nan] * 4})
    # Four of four: Clopper and Pearson's lower bound is 0.025 to the power of 1/4.
    found = verdict({"kind": "above", "metric": "diverged", "bound": 0.39}, runs)
    assert (found["verdict"], found["low"], found["high"]) == (YES, pytest.approx(0.025**0.25), 1.0)
    assert verdict({"kind": "above", "metric": "diverged", "bound": 0.41}, runs)["verdict"] == OPEN
    runs.loc[0, "status"] = "failed"
    assert verdict({"kind": "above", "metric": "diverged", "bound": 0.9}, runs)["n"] == 3


def test_share_of_seeds_counts_diverged_ones() -> None:
    inner = {"kind": "above", "bound": 0.5}
    runs = runs_of({"a": [0.9] * 18 + [math.nan, 0.4]})
    found = verdict({"kind": "share", "claim": inner, "at_least": 0.6}, runs)
    assert (found["ours"], found["n"], found["verdict"]) == (0.9, 20, YES)
    assert found["note"] == "18 of 20; 1 of 20 diverged (test_accuracy of a)"
    # Clopper-Pearson for 18 of 20.
    assert (found["low"], found["high"]) == pytest.approx((0.683, 0.9877), abs=1e-4)
    assert verdict({"kind": "share", "claim": inner, "at_least": 0.8}, runs)["verdict"] == OPEN
    assert verdict({"kind": "share", "claim": inner, "at_least": 0.99}, runs)["verdict"] == NO
    assert verdict({"kind": "share", "claim": inner, "at_least": 0.01}, runs_of({"a": [1.0]}))["verdict"] == OPEN


def grid() -> pd.DataFrame:
    """Two variants, depths 2, 10, 30, widths 5, 9, three seeds; a wins in every cell but the deepest."""
    rows = []
    for variant in ("a", "b"):
        for depth in (2, 10, 30):
            for width in (5, 9):
                for seed in range(3):
                    wins = variant == "a" and depth < 30
                    value = 0.5 + 0.1 * wins + 0.01 * seed
                    rows.append((f"{variant}{depth}{width}", variant, seed, "done", "full", depth, width, value))
    columns = ["run", "variant", "seed", "status", "scale", "architecture.depth", "architecture.width"]
    return pd.DataFrame(rows, columns=[*columns, "test_accuracy"])


def test_where_chooses_and_many_runs_a_seed_are_refused() -> None:
    where = {"architecture.depth": 10, "architecture.width": 5}
    assert verdict({"kind": "above", "bound": 0.55, "where": where}, grid())["n"] == 3
    deep = {"kind": "above", "than": {"where": {"architecture.depth": 30}}, "where": where}
    found = verdict(deep, grid())
    assert (found["ours"], found["n"]) == (pytest.approx(0.1), 3)
    with pytest.raises(UserError, match=r"several runs a seed; choose .*architecture.width \(5, 9\)"):
        verdict({"kind": "above", "bound": 0.5, "where": {"architecture.depth": 10}}, grid())
    with pytest.raises(UserError, match=r"unknown setting in where of claim c 'architecture.dept'.*did you mean"):
        verdict({"kind": "above", "bound": 0.5, "where": {"architecture.dept": 10}}, grid())


def layers() -> pd.DataFrame:
    rows = [
        ("run-a", "a", seed, step, 0.0, f"hidden.{depth - 1}", depth, quantity, factor * depth + step + seed / 100)
        for quantity, factor in (("activation_std", 1.0), ("gradient_norm", 100.0))
        for seed in range(3)
        for step in (0, 5, 20)
        for depth in (1, 2, 10)
    ]
    columns = ["run", "variant", "seed", "step", "epoch", "layer", "depth", "quantity", "value"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize(
    ("metric", "ours"),
    [
        ({"quantity": "activation_std", "depth": 10, "step": "first"}, 10.01),
        ({"quantity": "activation_std", "depth": 2}, 22.01),
        ({"quantity": "activation_std", "layer": "hidden.1", "step": 5}, 7.01),
        ({"quantity": "gradient_norm", "depth": 1, "step": "last"}, 120.01),
    ],
)
def test_layer_quantities(metric: dict[str, Any], ours: float) -> None:
    claim = {"kind": "within", "metric": metric, "target": ours, "tolerance": 0.05}
    found = verdict(claim, runs_of({"a": SPREAD[:3]}), layers())
    assert (found["ours"], found["n"], found["verdict"]) == (pytest.approx(ours), 3, YES)


def test_one_layer_over_another() -> None:
    metric = {"quantity": "gradient_norm", "depth": 10, "step": "first"}
    claim = {"kind": "ratio", "metric": metric, "over": {"metric": {"depth": 1}}, "above": 9.9}
    found = verdict(claim, runs_of({"a": SPREAD[:3]}), layers())
    assert (found["verdict"], found["ours"]) == (YES, pytest.approx(1000.01 / 100.01, rel=1e-4))
    assert "depth 10 step first of a over gradient_norm depth 1 step first of a" in found["metric"]


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ({"quantity": "activation_sdt", "depth": 1}, "unknown quantity in claim c .*did you mean activation_std"),
        ({"quantity": "activation_std", "depth": 3}, "unknown depth in claim c '3'; known: 1, 10, 2"),
        ({"quantity": "activation_std", "layer": "hidden.3"}, "unknown layer in claim c .*known: hidden.0"),
        ({"quantity": "activation_std", "depth": 1, "step": 4}, "unknown step in claim c '4'"),
        ("test_acuracy", "unknown metric in claim c 'test_acuracy'.*did you mean test_accuracy"),
    ],
)
def test_metrics_that_the_tables_lack(metric: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        verdict({"kind": "above", "bound": 0.5, "metric": metric}, runs_of({"a": SPREAD[:3]}), layers())


@pytest.mark.parametrize(
    ("bounds", "expected", "ours"), [([0.8, 0.88], YES, 2), ([0.8, 0.9], OPEN, 1), ([0.8, 0.9, 0.99], NO, 1)]
)
def test_all_parts(bounds: list[float], expected: str, ours: int) -> None:
    parts = [{"kind": "above", "bound": bound} for bound in bounds]
    found = verdict({"kind": "all", "claims": parts}, runs_of({"a": SPREAD}))
    assert (found["verdict"], found["ours"], found["n"]) == (expected, ours, 5)
    assert found["metric"] == f"parts of {len(bounds)}"
    assert ("no: test_accuracy of a 0.91" in found["note"]) == (expected == NO)


def test_parts_inherit_what_they_look_at() -> None:
    base = {"quantity": "activation_std", "step": "first"}
    parts = [{"kind": "within", "metric": {"depth": depth}, "target": depth, "tolerance": 0.1} for depth in (1, 2, 10)]
    found = verdict({"kind": "all", "metric": base, "claims": parts}, runs_of({"a": SPREAD[:3]}), layers())
    assert (found["verdict"], found["ours"]) == (YES, 3)


GOOD = {
    "says": "It is so.",
    "source": "Table 1",
    "kind": "above",
    "metric": "test_accuracy",
    "variant": "a",
    "bound": 0.5,
}


def test_claims_csv_is_byte_stable_and_reads_back(tmp_path: Path) -> None:
    claims = {
        "one": {**GOOD, "published": 0.95, "size": {"band": 0.1}, "why": "so", "source": "table 2", "unit": "share"},
        "two": {
            **GOOD,
            "published": "about 0.9, by eye",
            "size": {"none": "by eye"},
            "says": 'Says "so", twice.',
            "source": "Table 1",
            "variant": "b",
        },
    }
    made = [judge(claims, runs_of({"a": SPREAD}), None, paper="p", experiment="e", variants=VARIANTS) for _ in "12"]
    write_claims(tmp_path / "one.csv", made[0])
    found = read(tmp_path / "one.csv")
    assert list(found.columns) == list(COLUMNS)
    assert found["published"].tolist() == ["0.95", "about 0.9, by eye"]
    assert found["says"][1] == 'Says "so", twice.'
    assert found["metric"][0] == "test_accuracy of a [share]"
    assert found["verdict"].tolist() == [YES, NO_RUNS]
    assert math.isnan(found["ours"][1])
    write_claims(tmp_path / "two.csv", made[1])
    write_claims(tmp_path / "three.csv", found)
    assert len({(tmp_path / f"{name}.csv").read_bytes() for name in ("one", "two", "three")}) == 1


def test_what_claims_look_at() -> None:
    layer, curve = {"quantity": "dead_share", "depth": 1}, {"curve": "test_loss", "epoch": 1}
    shared = {"kind": "above", "metric": "test_accuracy", "variant": "a"}
    claims: dict[str, Any] = {"plain": {"says": "", "source": "Table 1", **shared, "bound": 0}}
    assert looked_at(claims, ["a"]) == LookedAt({"test_accuracy"}, set(), False)
    claims["than"] = {
        "says": "",
        "source": "Table 1",
        **shared,
        "than": {"metric": layer | {"quantity": "activation_std"}},
    }
    claims["of"] = {
        "says": "",
        "source": "Table 1",
        "kind": "share",
        "at_least": 0.5,
        "claim": shared | {"metric": layer, "bound": 0},
    }
    assert looked_at(claims, ["a"]) == LookedAt({"test_accuracy"}, {"activation_std", "dead_share"}, False)
    parts = [shared | {"bound": 0, "metric": metric} for metric in ({"column": "test_loss", "below": 1}, curve)]
    claims["all"] = {"says": "", "source": "Table 1", "kind": "all", "claims": parts}
    assert looked_at(claims, ["a"]) == LookedAt({"test_accuracy", "test_loss"}, {"activation_std", "dead_share"}, True)


def test_of_a_table_without_the_quantity_everything_is_read(tmp_path: Path) -> None:
    text = "run,seed,quantity,value\nr,0,dead_share,0\nr,0,beta,0.5\n"
    (tmp_path / "layers.csv").write_text(text)
    assert _layers(tmp_path / "layers.csv", {"dead_share"})["value"].tolist() == [0.0]
    assert set(_layers(tmp_path / "layers.csv", {"dead_share", "typo"})["quantity"]) == {"dead_share", "beta"}
