"""From an experiment file to the runs of a scale: variants, axes, seeds, stacking."""

from typing import Any

import pytest

from repro.errors import UserError
from repro.study.experiment import Experiment, load, names, select
from repro.study.publish import plan

# Expansion


def made(**reproduction: Any) -> Experiment:
    full = {"variants": {"one": ["a=1"], "two": ["a=2", "b=2"], "other": None}, "scales": {"full": None}}
    return Experiment("paper/experiment", full | reproduction)


def overrides(experiment: Experiment, scale: str = "full", extra: tuple[str, ...] = ()) -> list[list[str]]:
    return [list(job.overrides) for job in experiment.jobs(scale, extra)]


HEADER = ["experiment=paper/experiment", "variant={}", "seed={}", "replicas={}"]


def words(variant: str, seed: int, replicas: int, *more: str) -> list[str]:
    return ["experiment=paper/experiment", f"variant={variant}", f"seed={seed}", f"replicas={replicas}", *more]


def test_variants_become_runs() -> None:
    assert overrides(made()) == [words("one", 0, 1, "a=1"), words("two", 0, 1, "a=2", "b=2"), words("other", 0, 1)]


def test_axes_multiply() -> None:
    jobs = made(variants={"one": []}, axes={"c": [1, 2], "d": [True, [3, 4]]}).jobs("full")
    assert [job.swept for job in jobs] == [
        {"c": 1, "d": True},
        {"c": 1, "d": [3, 4]},
        {"c": 2, "d": True},
        {"c": 2, "d": [3, 4]},
    ]
    assert jobs[1].overrides[-2:] == ("c=1", "d=[3, 4]")
    assert jobs[0].overrides[-1] == "d=true"


def test_an_axis_and_stacking_may_be_that_of_some_variants() -> None:
    one = made(variants={"one": [], "two": []}, axes={"c": [1], "d": {"o*": [2, 3]}}, seeds=2, stack={"t*": True})
    assert overrides(one) == [
        *[words("one", seed, 1, "c=1", f"d={d}") for d in (2, 3) for seed in range(2)],
        words("two", 0, 2, "c=1"),
    ]
    assert [job.swept for job in one.jobs("full")][-1] == {"c": 1}


def test_seeds_are_stacked_unless_told_otherwise() -> None:
    one = {"variants": {"one": []}, "seeds": 3}
    assert overrides(made(**one)) == [words("one", 0, 3)]
    assert overrides(made(**one, stack=False)) == [words("one", seed, 1) for seed in range(3)]


@pytest.mark.parametrize(
    "seeds", [0, [], {"o*": 2}, None, True, -1, "three", ["a"], [0, 2], 1.5], ids=lambda seeds: repr(seeds)
)
def test_a_variant_without_seeds_is_said_as_such(seeds: Any) -> None:
    with pytest.raises(
        UserError, match=r"^paper/experiment: seeds of two are .*; give their number, 1 or more"
    ) as said:
        made(variants={"two": []}, seeds=seeds).jobs("full")
    assert "\n" not in str(said.value)


def test_a_scale_changes_what_it_names() -> None:
    scales = {
        "quick": {
            "seeds": 2,
            "axes": {"c": [5]},
            "variants": ["t*", "one"],
            "overrides": {"*": ["d=1"], "t*": ["d=2"]},
        },
        "full": {},
    }
    experiment = made(seeds=10, axes={"c": [1]}, scales=scales)
    assert overrides(experiment, "quick") == [
        words("one", 0, 2, "a=1", "c=5", "d=1"),
        words("two", 0, 2, "a=2", "b=2", "c=5", "d=2"),
    ]
    assert overrides(experiment)[2] == words("other", 0, 10, "c=1")


def test_the_user_has_the_last_word() -> None:
    scales = {"full": {"overrides": {"*": ["a=7"]}}}
    assert overrides(made(scales=scales), extra=("a=9", "seed=5"))[0] == [
        "experiment=paper/experiment",
        "variant=one",
        "replicas=1",
        "a=9",
        "seed=5",
    ]


def test_mistakes_in_an_experiment_file() -> None:
    with pytest.raises(UserError, match=r"unknown scale of paper/experiment 'smok'; known: full"):
        made().jobs("smok")
    with pytest.raises(UserError, match=r"unknown variant of paper/experiment 'thre\*'; known: one, other, two"):
        made(scales={"full": {"variants": ["thre*"]}}).jobs("full")


def test_select() -> None:
    assert [e.name for e in select(None)] == names()
    assert [e.name for e in select("training_deep_networks")] == [n for n in names() if n.startswith("training_deep_")]
    assert [e.name for e in select("training_deep_networks/initialization")] == [
        "training_deep_networks/initialization"
    ]


@pytest.mark.parametrize(
    ("changes", "extra", "says"),
    [
        ({"variants": {"one": ["activation=tanh"], "two": ["activation=tanh"]}}, [], "'one' and 'two'.* take one away"),
        ({"axes": {"optimizer.lr": [0.1, 1.0e-1]}}, [], "'one' and 'one'.* take one away"),
        ({}, ["activation=relu"], "'one' and 'two'.* leave out what makes them alike: activation=relu"),
    ],
)
def test_variants_that_are_one_run_are_refused(changes: dict[str, Any], extra: list[str], says: str) -> None:
    """The table would have the run under the name of one of them, and the other without a value."""
    variants = {"one": ["activation=tanh"], "two": ["activation=sigmoid"]}
    name = "training_deep_networks/initialization"
    content = load(name).reproduction | {"claims": {}, "variants": variants, "scales": {"smoke": {}}} | changes
    with pytest.raises(UserError, match=says):
        plan(Experiment(name, content), "smoke", extra=extra)
