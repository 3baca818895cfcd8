"""Claims about a curve on its way: at an epoch, at a step, its last mean, the first step beyond a bound."""

import math
from typing import Any

import pandas as pd
import pytest

from repro.claims.grammar import check_claims
from repro.claims.select import Measurements, Selector
from repro.claims.verdicts import judge
from repro.errors import UserError

VARIANTS = ["a", "b"]
PLACES = (("here", "full"), ("there", "quick"))
VALUES = {  # loss by run and seed at steps 0, 10, 20, 30
    ("run-a", 0): [4.0, 2.0, 0.5, 0.4],
    ("run-a", 1): [4.0, 1.0, 0.6, 0.2],
    ("run-b", 0): [4.0, 3.0, 2.5, 1.5],
    ("run-b", 1): [4.0, 3.5, 2.6, 1.0],
}


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [(run, run[-1], seed, "done", "full", values[-1]) for (run, seed), values in VALUES.items()]
    runs = pd.DataFrame(rows, columns=["run", "variant", "seed", "status", "scale", "valid_loss"])
    lines = [
        (run, seed, 10 * i, 0.1 * 10 * i, "valid", "loss", value)
        for (run, seed), values in VALUES.items()
        for i, value in enumerate(values)
    ]
    return runs, pd.DataFrame(lines, columns=["run", "seed", "step", "epoch", "split", "metric", "value"])


def test_a_column_on_one_side_of_a_number() -> None:
    runs, _ = tables()
    runs.loc[len(runs)] = ["run-c", "c", 0, "diverged", "full", math.nan]
    found = Measurements(runs)

    def share(variant: str | None, **side: float) -> list[float]:
        return [v.number for v in found.values(Selector({"column": "valid_loss", **side}, variant), "claim c")]

    assert share("a", below=0.3) == [0, 1]
    assert share("a", above=0.3) == [1, 0]
    assert share("c", below=9) == share("c", above=-9) == [0]
    assert str(Selector({"column": "valid_loss", "below": 0.001}, "a")) == "share with valid_loss below 0.001 of a"
    claim = {
        "says": "s",
        "source": "Table 1",
        "kind": "below",
        "metric": {"column": "valid_loss", "below": 0.3},
        "variant": "b",
        "than": "a",
    }
    verdict = judge({"c": claim}, runs, None, None, paper="p", experiment="e", variants=["a", "b", "c"])
    assert (verdict["ours"].tolist(), verdict["n"].tolist()) == ([-0.5], [2])


@pytest.mark.parametrize(
    ("metric", "error"),
    [
        ({"column": "x"}, "needs its name and one of below, above"),
        ({"column": "x", "below": 1, "above": 2}, "needs its name and one of below, above"),
        ({"column": "x", "below": "one"}, "below must be a finite number, not 'one'"),
        ({"column": "x", "under": 1}, "unknown field of metric in claim c 'under'"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_column(metric: dict[str, Any], error: str) -> None:
    with pytest.raises(UserError, match=error):
        check_claims({"c": {"says": "s", "source": "Table 1", "kind": "above", "metric": metric, "bound": 1}}, VARIANTS)


def test_a_run_that_diverged_has_no_end() -> None:
    runs, curves = tables()
    runs.loc[(runs["run"] == "run-a") & (runs["seed"] == 0), ["status", "valid_loss"]] = "diverged", math.nan
    layers = pd.DataFrame(
        [("run-a", seed, step, "hidden.0", 1, "dead_share", 0.1 * step) for seed in (0, 1) for step in (0, 10)],
        columns=["run", "seed", "step", "layer", "depth", "quantity", "value"],
    )
    found = Measurements(runs, layers, curves)

    def numbers(**metric: Any) -> list[float]:
        return [v.number for v in found.values(Selector(metric, "a"), "claim c")]

    def lost(values: list[float]) -> list[bool]:
        return [math.isnan(value) for value in values]

    assert lost(numbers(curve="valid_loss", step="last")) == [True, False]
    assert lost(numbers(curve="valid_loss", mean_of_last=2)) == [True, False]
    assert lost(numbers(curve="valid_loss", swing_of_last=2)) == [True, False]
    assert lost(numbers(curve="valid_loss", first_below=0.45)) == [False, False]  # it had got there before
    assert lost(numbers(curve="valid_loss", first_below=0.3)) == [True, False]
    assert numbers(curve="valid_loss", step="first") == [4.0, 4.0]
    assert numbers(curve="valid_loss", step=10)[0] == 2.0
    assert lost(numbers(quantity="dead_share", depth=1, step="last")) == [True, False]
    assert numbers(quantity="dead_share", depth=1, step="first") == [0, 0]
    claim = {
        "says": "s",
        "source": "Table 1",
        "kind": "above",
        "metric": {"curve": "valid_loss", "step": "last"},
        "variant": "a",
        "bound": 0,
    }
    verdict = judge({"c": claim}, runs, layers, curves, paper="p", experiment="e", variants=VARIANTS)
    assert (verdict["n"].item(), verdict["verdict"].item()) == (1, "inconclusive")
    assert "1 of 2 diverged" in verdict["note"].item()


def swept() -> pd.DataFrame:
    """Test accuracies of two variants at three rates; the validation score says which rate is each one's best."""
    rows = []
    for variant, scores in {
        "a": {0.1: (0.9, 0.8), 1.0: (0.7, 0.95), 10.0: (0.99, 0.1)},
        "b": {0.1: (0.5, 0.5), 1.0: (0.6, 0.7), 10.0: (0.2, 0.2)},
    }.items():
        for rate, (valid, test) in scores.items():
            for seed in (0, 1):
                lost = variant == "a" and rate == 10.0 and seed == 1
                numbers = (math.nan, math.nan) if lost else (valid + 0.01 * seed, test + 0.01 * seed)
                state = "diverged" if lost else "done"
                rows.append((f"{variant}{rate}", variant, seed, state, "full", rate, *numbers, *(-n for n in numbers)))
    names = [
        "run",
        "variant",
        "seed",
        "status",
        "scale",
        "optimizer.lr",
        "valid_accuracy",
        "test_accuracy",
        "valid_loss",
        "test_loss",
    ]
    return pd.DataFrame(rows, columns=names)


@pytest.mark.parametrize("kind", ["accuracy", "loss"])
def test_each_side_at_its_own_best_setting(kind: str) -> None:
    sign = 1 if kind == "accuracy" else -1
    side = "above" if sign == 1 else "below"
    claim = {
        "says": "s",
        "source": "Table 1",
        "kind": side,
        "metric": f"test_{kind}",
        "variant": "a",
        "than": "b",
        "best": {"setting": "optimizer.lr", "by": f"valid_{kind}"},
    }
    found = judge({"c": claim}, swept(), None, None, paper="p", experiment="e", variants=VARIANTS)
    (row,) = found.to_dict("records")
    # a is best at 0.1 (10 is better, but a run diverged there), b at 1.
    assert row["ours"] == pytest.approx(sign * (0.8 - 0.7))
    assert row["metric"] == f"test_{kind} of a at its best optimizer.lr minus test_{kind} of b at its best optimizer.lr"
    assert (
        f"test_{kind} of a at its best optimizer.lr: 0.1; test_{kind} of b at its best optimizer.lr: 1" in row["note"]
    )


def test_where_every_setting_lost_a_run_the_others_decide() -> None:
    runs = swept()
    runs.loc[runs["seed"] == 1, ["status", "valid_accuracy", "test_accuracy"]] = "diverged", math.nan, math.nan
    best = Selector("test_accuracy", "a", {}, {"setting": "optimizer.lr", "by": "valid_accuracy"})
    assert Measurements(runs).best(best, "c") == 10.0
    nobody = Selector("test_accuracy", "c", {}, best.best)
    assert Measurements(runs).best(nobody, "c") is None
    assert Measurements(runs).values(nobody, "c") == []


@pytest.mark.parametrize(
    ("best", "error"),
    [
        ({"setting": "optimizer.lr"}, "best needs setting and by"),
        ("optimizer.lr", "it must be a mapping of fields"),
        ({"setting": "optimizer.rl", "by": "valid_accuracy"}, "unknown setting in best of claim c 'optimizer.rl'"),
        ({"setting": "optimizer.lr", "by": "valid_acc"}, "unknown metric in best of claim c 'valid_acc'"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_best(best: Any, error: str) -> None:
    claim = {
        "says": "s",
        "source": "Table 1",
        "kind": "above",
        "metric": "test_accuracy",
        "variant": "a",
        "bound": 0,
        "best": best,
    }
    with pytest.raises(UserError, match=error):
        judge({"c": claim}, swept(), None, None, paper="p", experiment="e", variants=VARIANTS)


def picked(variant: str = "a", **place: Any) -> list[float]:
    runs, curves = tables()
    values = Measurements(runs, None, curves).values(Selector({"curve": "valid_loss", **place}, variant), "claim c")
    return [value.number for value in values]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"step": 10}, [2.0, 1.0]),
        ({"epoch": 2}, [0.5, 0.6]),
        ({"step": "first"}, [4.0, 4.0]),
        ({"step": "last"}, [0.4, 0.2]),
        ({"mean_of_last": 2}, [0.45, 0.4]),
        ({"mean_of_last": 99}, [1.725, 1.45]),
        ({"swing_of_last": 2}, [0.1, 0.4]),
        ({"swing_of_last": 3}, [0.8, 0.4]),
        ({"swing_of_last": 99}, [3.6 / 3, 3.8 / 3]),
        ({"first_below": 0.55}, [20, 30]),
        ({"first_above": 3.9}, [0, 0]),
        ({"first_below": 0.1}, [30, 30]),  # never: the last step of all
    ],
)
def test_places(place: dict[str, Any], expected: list[float]) -> None:
    assert picked(**place) == pytest.approx(expected)


def test_error_in_percent_is_what_accuracy_lacks() -> None:
    runs, _ = tables()
    runs = runs.assign(test_accuracy=[0.9, 0.75, 1.0, 0.0])
    values = Measurements(runs).values(Selector("test_error_percent"), "claim c")
    assert [value.number for value in values] == pytest.approx([10, 25, 0, 100])


def test_a_place_that_was_not_measured_has_no_value() -> None:
    assert all(math.isnan(value) for value in picked(step=15))


def test_an_unknown_curve_names_those_there_are() -> None:
    runs, curves = tables()
    with pytest.raises(UserError, match=r"unknown curve in claim c 'valid_los'; known: valid_loss"):
        Measurements(runs, None, curves).values(Selector({"curve": "valid_los", "step": 0}, "a"), "claim c")


def claim(**more: Any) -> dict[str, Any]:
    return {
        "says": "a is below b on its way.",
        "source": "Table 1",
        "kind": "below",
        "variant": "a",
        "than": "b",
    } | more


@pytest.mark.parametrize(("place", "verdict"), [({"step": 0}, "inconclusive"), ({"step": 20}, "reproduced")])
def test_verdicts(place: dict[str, Any], verdict: str) -> None:
    runs, curves = tables()
    claims = {"c": claim(metric={"curve": "valid_loss", **place})}
    found = judge(claims, runs, None, curves, paper="p", experiment="e", variants=VARIANTS)
    assert list(found["verdict"]) == [verdict if place["step"] else "not reproduced"]
    assert found["metric"][0].startswith("valid_loss at step")


def test_claims_of_other_scales_are_left_out() -> None:
    runs, curves = tables()
    claims = {where: claim(metric="valid_loss", scales=[scale]) for where, scale in PLACES}
    found = judge(claims, runs, None, curves, paper="p", experiment="e", variants=VARIANTS)
    assert list(found["claim"]) == ["here"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"metric": {"curve": "valid_loss"}}, "exactly one of epoch, step, mean_of_last, swing_of_last, first_below"),
        ({"metric": {"curve": "valid_loss", "step": 1, "epoch": 1}}, "exactly one of"),
        ({"metric": {"curve": "valid_loss", "stpe": 1}}, r"'stpe'; known: .* \(did you mean step"),
        ({"metric": {"curve": "valid_loss", "step": "middle"}}, "it must be first, last or a whole number"),
        ({"metric": {"curve": "valid_loss", "epoch": "five"}}, "epoch must be a finite number, not 'five'"),
        ({"metric": {"curve": "valid_loss", "mean_of_last": 0}}, "mean_of_last is 0; it must be a whole number of 1"),
        ({"metric": {"curve": "valid_loss", "swing_of_last": 1}}, "swing_of_last is 1; it must be a whole number of 2"),
        ({"metric": "valid_loss", "scales": "full"}, "scales must list names"),
    ],
)
def test_what_is_wrong_is_said_before_training(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        check_claims({"c": claim(**changes)}, VARIANTS)


def test_a_value_when_another_curve_is_beyond_a_number() -> None:
    runs, curves = tables()
    other = curves.assign(split="hessian", metric="alpha", value=curves["step"] / 100)
    found = Measurements(runs, None, pd.concat([curves, other]))

    def values(variant: str, **side: float) -> list[float]:
        metric = {"curve": "hessian_alpha", "when": {"curve": "valid_loss", **side}}
        return [v.number for v in found.values(Selector(metric, variant), "claim c")]

    assert values("a", below=1.5) == [0.2, 0.1]
    assert values("b", below=1.2)[1] == 0.3
    assert math.isnan(values("b", below=1.2)[0])
    assert values("a", above=3) == [0, 0]
    metric = {"curve": "hessian_alpha", "when": {"curve": "valid_loss", "below": 0.5}}
    assert str(Selector(metric, "a")) == "hessian_alpha when valid_loss is below 0.5 of a"


@pytest.mark.parametrize(
    "when",
    [
        {"curve": "valid_loss"},
        {"below": 1},
        {"curve": "valid_loss", "below": "x"},
        {"curve": "valid_loss", "below": 1, "above": 0},
        3,
    ],
)
def test_what_when_needs(when: Any) -> None:
    claim = {
        "says": "s",
        "source": "Table 1",
        "kind": "below",
        "bound": 1,
        "variant": "a",
        "metric": {"curve": "test_loss", "when": when},
    }
    with pytest.raises(UserError, match=r"when|below"):
        check_claims({"c": claim}, VARIANTS)
