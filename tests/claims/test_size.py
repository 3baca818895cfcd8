"""Published numbers and the bands around them: what is judged, and what is refused before anything is trained."""

from typing import Any

import pandas as pd
import pytest
from scipy import stats

from repro.claims.verdicts import judge
from repro.errors import UserError

GAIN = [5.0, 6.0, 7.0, 6.0, 6.0]  # mean 6, interval 5.12 to 6.88
BASE = {"says": "It is so.", "source": "Table 1", "kind": "above", "metric": "test_score"}
VALUE = {**BASE, "variant": "a", "bound": 0.0}
AGAINST = {**BASE, "variant": "a", "than": "b"}


def found(claim: dict[str, Any], looks: int = 1, gain: list[float] = GAIN) -> "pd.Series[Any]":
    rows = [("r", name, seed, "done", "full", g * (name == "a") + 1) for name in "ab" for seed, g in enumerate(gain)]
    runs = pd.DataFrame(rows, columns=["run", "variant", "seed", "status", "scale", "test_score"])
    return judge({"c": claim}, runs, None, paper="p", experiment="e", variants=["a", "b"], looks=looks).iloc[0]


@pytest.mark.parametrize(
    ("claim", "size", "word", "band"),
    [
        ({**AGAINST, "published": 5}, "yes", "reproduced", "2.5 to 10"),  # a factor of two where nothing is said
        ({**AGAINST, "published": 3.2}, "open", "direction only", "1.6 to 6.4"),
        ({**AGAINST, "published": 23.75}, "no", "direction only", "11.9 to 47.5"),
        ({**AGAINST, "published": 3.2, "size": {"factor": 3}}, "yes", "reproduced", "1.07 to 9.6"),
        ({**AGAINST, "published": 5, "size": {"band": 2}, "why": "so"}, "yes", "reproduced", "3 to 7"),
        ({**AGAINST, "published": 5, "size": {"band": 1}, "why": "so"}, "open", "direction only", "4 to 6"),
        ({**AGAINST, "published": "5 to 7", "size": {"from": 5, "to": 7}, "why": "so"}, "yes", "reproduced", "5 to 7"),
        ({**AGAINST, "published": "about 6", "size": {"none": "by eye"}}, "not judged", "direction only", ""),
        ({**AGAINST, "published": "better"}, "", "reproduced", ""),
        ({**VALUE, "bound": 5, "published": "above 5", "size": "bound"}, "yes", "reproduced", ""),
        ({**VALUE, "bound": 9, "published": "above 9", "size": "bound"}, "no", "not reproduced", ""),
    ],
)
def test_size_is_a_question_of_its_own(claim: dict[str, Any], size: str, word: str, band: str) -> None:
    row = found(claim)
    assert (row["size"], row["verdict"], row["band"]) == (size, word, band)


def test_direction_alone_never_makes_a_number_reproduced() -> None:
    row = found({**AGAINST, "kind": "below", "published": -5})
    assert (row["direction"], row["size"], row["verdict"]) == ("no", "no", "not reproduced")


def test_within_is_a_size_where_a_number_is_published_and_a_direction_elsewhere() -> None:
    within = {**BASE, "kind": "within", "variant": "a", "target": 7, "tolerance": 1}
    row = found({**within, "published": 7, "why": "so"})
    assert (row["direction"], row["size"], row["verdict"], row["band"]) == ("", "yes", "reproduced", "6 to 8")
    row = found({**within, "published": 7, "why": "so", "target": 7.1, "tolerance": 0.2})
    assert (row["size"], row["verdict"]) == ("open", "inconclusive")
    row = found({**within, "source": "ours"})
    assert (row["direction"], row["size"], row["verdict"]) == ("yes", "", "holds")


def test_a_ratio_has_its_band_on_the_same_scale() -> None:
    ratio = {**BASE, "kind": "ratio", "variant": "a", "over": "b", "above": 1}
    assert found({**ratio, "published": 5})[["size", "verdict", "band"]].tolist() == ["yes", "reproduced", "2.5 to 10"]
    assert found({**ratio, "published": 0.01})["size"] == "no"


def test_a_share_has_a_band() -> None:
    share = {**BASE, "kind": "share", "claim": {"kind": "above", "variant": "a", "bound": 6.5}, "at_least": 0.5}
    row = found({**share, "published": 0.9, "size": {"band": 0.45}, "why": "so"})  # 4 of 5: 0.28 to 0.995
    assert (row["direction"], row["size"], row["band"]) == ("open", "open", "0.45 to 1.35")


def test_parts_have_sizes_of_their_own() -> None:
    parts = [{"kind": "above", "than": "b", "published": 5}, {"kind": "above", "bound": 1}]
    whole = {**BASE, "kind": "all", "variant": "a", "claims": parts, "published": "5 against 1"}
    assert found(whole)[["direction", "size", "verdict"]].tolist() == ["yes", "yes", "reproduced"]
    parts[0]["published"] = 50
    row = found(whole)
    assert row[["direction", "size", "verdict", "ours"]].tolist() == ["yes", "no", "direction only", 1]
    assert "yes, size no: test_score of a minus test_score of b 6" in row["note"]


def test_a_second_look_widens_the_interval() -> None:
    once, twice = found({**AGAINST, "published": 5}), found({**AGAINST, "published": 5}, looks=2)
    widths = [2 * stats.t.ppf(1 - error / 2, 4) * (0.5 / 5) ** 0.5 for error in (0.05, 0.0294)]
    assert [once["high"] - once["low"], twice["high"] - twice["low"]] == pytest.approx(widths)
    assert twice["p_direction"] == pytest.approx(once["p_direction"] * 0.05 / 0.0294)
    assert "2 looks, so a 97.1 % interval" in twice["note"]


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        ({**AGAINST, "published": "6 points"}, "prints 6 points and holds nothing against it; add size"),
        ({**VALUE, "published": 6}, "prints 6 and holds nothing against it"),
        ({**AGAINST, "published": 6, "size": {"band": 1}}, "needs its reason; add why"),
        ({**AGAINST, "published": 6, "size": {"bnad": 1}}, "unknown size of claim c 'bnad'.*did you mean band"),
        ({**AGAINST, "published": 6, "size": {"from": 7, "to": 5}, "why": "so"}, "is empty"),
        ({**AGAINST, "published": 6, "size": {"from": 7}, "why": "so"}, "both of from and to"),
        ({**AGAINST, "published": 6, "size": {"factor": 0.5}}, "a factor above 1"),
        ({**AGAINST, "published": 6, "size": {"factor": 10**400}}, "size takes one of factor.* with numbers"),
        ({**AGAINST, "published": 0}, "of a number other than 0"),
        ({**AGAINST, "published": "six", "size": {"band": 1}, "why": "so"}, "needs published to be a number"),
        ({**AGAINST, "published": 6, "size": {"none": ""}}, "needs the reason in words"),
        ({**AGAINST, "source": "ours", "published": 6}, "needs source: PLACE in the paper, or source: ours"),
        ({key: part for key, part in AGAINST.items() if key != "source"}, "needs source: PLACE"),
        ({**BASE, "kind": "within", "variant": "a", "target": 1, "tolerance": 1, "published": 6}, "outside its own"),
        ({**AGAINST, "planned": "no"}, "planned must be true or false"),
    ],
)
def test_what_is_refused(claim: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        found(claim)


def test_shares_are_counted_wherever_they_come_from() -> None:
    """Ten seeds of twenty beyond a number, by a column: Clopper and Pearson's interval, whatever claims ask of it."""
    claim = {**BASE, "kind": "above", "variant": "a", "bound": 0.2, "metric": {"column": "test_score", "above": 6.5}}
    row = found(claim, gain=[5.0, 7.0] * 10)
    assert (row["low"], row["high"]) == pytest.approx((0.27196, 0.72804), abs=1e-4)
    against = {**claim, "than": "b"}
    del against["bound"]
    row = found(against, gain=[5.0, 7.0] * 10)
    low = 0.5 - ((0.5 - 0.27196) ** 2 + 0.16843**2) ** 0.5
    assert (row["ours"], row["low"]) == (0.5, pytest.approx(low, abs=1e-4))
