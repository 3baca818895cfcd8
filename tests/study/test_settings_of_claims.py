"""Claims pick runs by settings, and these must be among the runs' at every scale, not at the published one alone."""

from collections.abc import Iterator
from typing import Any

import pytest

from repro.study.experiment import SCALES, load, names


def settings(node: Any) -> Iterator[str]:
    """The settings that a claim, or anything within it, picks runs by."""
    if isinstance(node, dict):
        yield from node.get("where", {})
        yield from [node["best"]["setting"]] if "best" in node else []
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from settings(inner)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("experiment", names())
def test_runs_have_the_settings_by_which_claims_pick_them(experiment: str, scale: str) -> None:
    one = load(experiment)
    given = {word.partition("=")[0] for job in one.jobs(scale) for word in job.overrides}
    assert set(settings(one.claims)) <= given, "an axis is missing from this scale"


def test_settings_are_found_wherever_they_stand() -> None:
    part = {"than": {"where": {"b": 1}}, "best": {"setting": "c", "by": "accuracy"}}
    assert list(settings({"one": {"where": {"a": 0}, "claims": [part]}})) == ["a", "c", "b"]
