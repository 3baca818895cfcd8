"""How many claims earned which word: the paper's at its own scale, the paper's at a smaller one, and ours, apart."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from repro.claims.grammar import OURS
from repro.claims.words import OF_OURS, OF_PAPER, REPRODUCED, VERDICTS, together

AT_SCALE = "the paper's, at its scale"
SMALLER = "the paper's, smaller"
OWN = "ours"
REDUCED = ", reduced"
"""Behind the scale of a claim whose experiment has less than the paper had at `full` too."""
GROUPS = (AT_SCALE, SMALLER, OWN)
WORDS = {AT_SCALE: OF_PAPER, SMALLER: OF_PAPER, OWN: OF_OURS}


def group(origin: str, scale: str) -> str:
    """In which of `GROUPS` a claim counts."""
    if origin == OURS:
        return OWN
    return AT_SCALE if scale == "full" else SMALLER


class Row(NamedTuple):
    """What the sums need of a claim.

    Attributes:
        group: one of `GROUPS`.
        statement: what it shows; claims that show the same one count once a group.
        word: its verdict.
        adjusted: the verdict that stands when all claims of its paper are tested at once.
        tested: whether it has a p; values that are equal in every run have none.
    """

    group: str
    statement: str
    word: str
    adjusted: str = ""
    tested: bool = True


class Standing(NamedTuple):
    """Of the statements that are reproduced how many are so all at once, and how many have no p to be tested by."""

    reproduced: int
    held: int
    untested: int


def rows(claims: pd.DataFrame) -> list[Row]:
    """Of claims.csv with a column `adjusted`, in its order."""
    tested = claims[["p_direction", "p_size"]].notna().any(axis=1)
    groups = map(group, claims["origin"], claims["scale"])
    columns = (groups, claims["statement"], claims["verdict"], claims["adjusted"], tested)
    return [Row(*cells) for cells in zip(*columns, strict=True)]


def standing(rows: Sequence[Row]) -> Standing:
    """How many of the statements that are reproduced stand when all claims of their paper are tested at once."""
    whole = [own for own in _statements(rows) if together([row.word for row in own]) == REPRODUCED]
    held = [own for own in whole if together([row.adjusted for row in own]) == REPRODUCED]
    return Standing(len(whole), len(held), sum(not any(row.tested for row in own) for own in whole))


def sentence(standings: Sequence[Standing]) -> str:
    """What `standing` says of some papers, in words."""
    of, held, untested = (sum(numbers) for numbers in zip(*standings, strict=True))
    computed = f"; {untested} of these are the same in every run and have no p" if untested else ""
    return (
        f"Of {of} statements that are reproduced one by one, {held} are so when all claims of their paper are tested "
        f"at once (Benjamini and Hochberg, false discovery rate 5 %){computed}."
    )


def counts(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Statements of a paper by group and word; every group and each of its words is there.

    A statement of the paper counts once at a scale, however many claims and experiments show it.
    """
    found = {name: dict.fromkeys(WORDS[name], 0) for name in GROUPS}
    for own in _statements([row for row in rows if row.word in VERDICTS]):
        found[own[0].group][together([row.word for row in own])] += 1
    return found


def _statements(rows: Sequence[Row]) -> list[list[Row]]:
    """The claims of each statement, in the order of the first."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.group, row.statement), []).append(row)
    return list(found.values())
