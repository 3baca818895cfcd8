"""How many claims earned which word: the paper's at its own scale, the paper's at a smaller one, and ours, apart."""

from collections.abc import Sequence

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


def standing(claims: pd.DataFrame) -> tuple[int, int]:
    """Of how many claims that are reproduced how many are so when all are tested at once; from a column `adjusted`."""
    reproduced = claims[claims["verdict"] == REPRODUCED]
    return int((reproduced["adjusted"] == REPRODUCED).sum()), len(reproduced)


def sentence(standings: Sequence[tuple[int, int]]) -> str:
    """What `standing` says of some papers, in words."""
    held, of = (sum(numbers) for numbers in zip(*standings, strict=True))
    return (
        f"Of {of} claims that are reproduced one by one, {held} are so when all claims of their paper are tested at "
        "once (Benjamini and Hochberg, false discovery rate 5 %)."
    )


def counts(rows: Sequence[tuple[str, str, str]]) -> dict[str, dict[str, int]]:
    """Statements by group and word; every group and each of its words is there.

    A statement of the paper counts once at a scale, however many claims show it.

    Args:
        rows: group, statement and word of each claim; statements of different experiments have different names.
    """
    frame = pd.DataFrame(rows, columns=["group", "statement", "word"])
    frame = frame[frame["word"].isin(VERDICTS)]
    found = {name: dict.fromkeys(WORDS[name], 0) for name in GROUPS}
    for (name, _), own in frame.groupby(["group", "statement"], sort=False):
        found[str(name)][together(own["word"].tolist())] += 1
    return found
