"""From two answers to a word, and what a statement of several claims earns."""

from itertools import product

import pytest

from repro.claims.evidence import NO, NONE, OPEN, YES
from repro.claims.words import NOT_HELD, VERDICTS, together, verdict


@pytest.mark.parametrize(
    ("direction", "size", "word"),
    [
        (YES, YES, "reproduced"),
        (YES, NONE, "reproduced"),
        (NONE, YES, "reproduced"),
        (YES, NO, "direction only"),
        (YES, OPEN, "direction only"),
        (YES, NOT_HELD, "direction only"),
        (NO, YES, "not reproduced"),
        (NO, NONE, "not reproduced"),
        (NONE, NO, "not reproduced"),
        (OPEN, NO, "not reproduced"),
        (OPEN, YES, "inconclusive"),
        (OPEN, OPEN, "inconclusive"),
        (OPEN, NOT_HELD, "inconclusive"),
        (NONE, OPEN, "inconclusive"),
    ],
)
def test_what_a_claim_of_the_paper_earns(direction: str, size: str, word: str) -> None:
    assert verdict(direction, size, ours=False) == word


def test_nothing_of_ours_is_ever_reproduced() -> None:
    answers = product((YES, NO, OPEN, NONE), (YES, NO, OPEN, NONE, NOT_HELD))
    assert {verdict(*both, ours=True) for both in answers} == {"holds", "does not hold", "inconclusive"}
    assert verdict(YES, NONE, ours=True) == "holds"


def test_only_a_met_number_is_reproduced_where_one_is_printed() -> None:
    for direction, size in product((YES, NO, OPEN), (NO, OPEN, NOT_HELD)):
        assert verdict(direction, size, ours=False) != "reproduced"


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (["reproduced", "reproduced"], "reproduced"),
        (["reproduced", "direction only"], "direction only"),
        (["reproduced", "inconclusive", "direction only"], "inconclusive"),
        (["reproduced", "inconclusive", "not reproduced"], "not reproduced"),
        (["holds", "does not hold"], "does not hold"),
        (["holds", "inconclusive"], "inconclusive"),
    ],
)
def test_a_statement_earns_what_all_its_claims_earn(words: list[str], word: str) -> None:
    assert together(words) == word == together(words[::-1])
    assert word in VERDICTS
