"""The words of the ledger, and what earns them.

A claim has two answers. *Direction*: what its sentence says is so, by the whole interval. *Size*: ours lies in the band
around the published number, by the whole interval. Both are yes, no, open, or empty where nothing is asked.

A claim of the paper is *reproduced* when all that it asks is answered with yes, and *direction only* when the published
number is not met, not settled, or could not be held against ours. It is *not reproduced* when its direction is refuted,
or its number is and no direction is shown. A claim of ours *holds* or *does not hold*. All else is *inconclusive*.
"""

from repro.claims.evidence import NO, NONE, OPEN, YES

REPRODUCED = "reproduced"
DIRECTION_ONLY = "direction only"
NOT_REPRODUCED = "not reproduced"
INCONCLUSIVE = "inconclusive"
HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
OF_PAPER = (REPRODUCED, DIRECTION_ONLY, NOT_REPRODUCED, INCONCLUSIVE)
OF_OURS = (HOLDS, DOES_NOT_HOLD, INCONCLUSIVE)
VERDICTS = (REPRODUCED, DIRECTION_ONLY, NOT_REPRODUCED, HOLDS, DOES_NOT_HOLD, INCONCLUSIVE)
REFUTED = (NOT_REPRODUCED, DOES_NOT_HOLD)
NO_VERDICT = "no verdict at this scale"
NO_RUNS = "no runs"
UNJUDGED = (NO_VERDICT, NO_RUNS)
NOT_HELD = "not judged"  # of a size: a number is printed that ours cannot be held against


def verdict(direction: str, size: str, ours: bool) -> str:
    """The word for two answers, each yes, no, open or empty (size also `NOT_HELD`).

    Args:
        ours: whether the claim is one of ours, which prints no number.
    """
    if ours:
        return {YES: HOLDS, NO: DOES_NOT_HOLD}.get(direction, INCONCLUSIVE)
    if direction == NO:
        return NOT_REPRODUCED
    if direction == NONE:
        return {YES: REPRODUCED, NO: NOT_REPRODUCED}.get(size, INCONCLUSIVE)
    if direction == OPEN:
        return NOT_REPRODUCED if size == NO else INCONCLUSIVE
    return REPRODUCED if size in (YES, NONE) else DIRECTION_ONLY


def together(verdicts: list[str]) -> str:
    """The word for a statement of the paper that several claims show: the best that all of them earn."""
    if len(set(verdicts)) == 1:
        return verdicts[0]
    if any(word in REFUTED for word in verdicts):
        return next(word for word in verdicts if word in REFUTED)
    return INCONCLUSIVE if INCONCLUSIVE in verdicts else DIRECTION_ONLY
