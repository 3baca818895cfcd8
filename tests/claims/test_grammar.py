"""Claims that are refused before anything is trained."""

import math
from typing import Any

import pytest

from repro.claims.grammar import check_claims
from repro.errors import UserError

VARIANTS = ("a", "b", "xavier")
GOOD = {
    "says": "It is so.",
    "source": "Table 1",
    "kind": "above",
    "metric": "test_accuracy",
    "variant": "a",
    "bound": 0.5,
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "abov"}, "unknown kind in claim c 'abov'; known: .*did you mean above"),
        ({"kind": None}, "unknown kind in claim c"),
        ({"boundd": 1}, "unknown field in claim c 'boundd'.*did you mean bound"),
        ({"variant": "xavir"}, "unknown variant in claim c 'xavir'.*did you mean xavier"),
        ({"bound": None}, "claim c: bound must be a finite number, not None"),
        ({"bound": "0.5"}, "claim c: bound must be a finite number, not '0.5'"),
        ({"bound": math.nan}, "claim c: bound must be a finite number, not nan"),
        ({"bound": True}, "claim c: bound must be a finite number, not True"),
        ({"bound": 10**400}, "claim c: bound must be a finite number, not 1000"),
        ({"than": "b"}, "claim c needs bound: NUMBER or than: VARIANT, one of the two"),
        ({"says": None}, "claim c has no sentence; add says: TEXT"),
        ({"published": [1]}, "published must be a number, a text or null"),
        ({"metric": None}, "claim c has no metric"),
        ({"metric": {"quantity": "activation_std"}}, "needs quantity and one of depth, layer"),
        ({"metric": {"quantity": "q", "dept": 1}}, "unknown field of metric in claim c 'dept'.*did you mean depth"),
        ({"metric": {"quantity": "q", "depth": 1, "step": "end"}}, "step is 'end'; it must be first, last or"),
        ({"where": 3}, "where is 3; it must be a mapping"),
    ],
)
def test_malformed_claims_are_refused_before_training(change: dict[str, Any], says: str) -> None:
    check_claims({"c": GOOD}, VARIANTS)
    with pytest.raises(UserError, match=says):
        check_claims({"c": {**GOOD, **change}}, VARIANTS)


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        ({"kind": "within", "target": 1}, "tolerance must be a finite number, not None"),
        ({"kind": "within", "target": 0, "tolerance": 0.1, "relative": True}, "the tolerance is 0"),
        ({"kind": "within", "target": 1, "tolerance": 0.1, "relative": "yes"}, "relative must be true or false"),
        ({"kind": "ratio", "above": 2}, "needs over: VARIANT and one of above"),
        ({"kind": "ratio", "over": "b", "above": 2, "below": 3}, "one of above"),
        ({"kind": "ratio", "over": "b", "above": -2}, "the bound of a ratio must be above 0"),
        ({"kind": "ratio", "over": {"variants": "b"}, "above": 2}, "unknown field of over .*did you mean variant"),
        ({"kind": "above", "than": "c"}, "unknown variant in claim c 'c'"),
        ({"kind": "share", "at_least": 0.5}, "claim is None; it must be a mapping"),
        ({"kind": "share", "claim": {"kind": "above", "bound": 1}, "at_least": 1}, "between 0 and 1"),
        ({"kind": "share", "claim": {"kind": "all"}, "at_least": 0.5}, "unknown kind"),
        ({"kind": "share", "claim": {"kind": "above", "bound": 1}, "at_least": 0.5, "per": "cell"}, "unknown field"),
        ({"kind": "all", "claims": []}, "has no parts"),
        ({"kind": "all", "claims": [{"kind": "above"}]}, "claim c, part 1 needs bound"),
        ({"kind": "all", "claims": [3]}, "part 1: the part is 3; it must be a mapping"),
    ],
)
def test_incomplete_claims_are_refused(claim: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        check_claims(
            {"c": {"says": "So.", "source": "Table 1", "metric": "test_accuracy", "variant": "a", **claim}}, VARIANTS
        )
