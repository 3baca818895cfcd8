"""Many claims at once: verdicts that stand when the false discovery rate of a whole paper's claims is held at 5 %."""

import math

import pandas as pd

from repro.claims.evidence import ERROR, NO, OPEN, YES
from repro.claims.grammar import OURS
from repro.claims.words import UNJUDGED, verdict

_QUESTIONS = ("direction", "size")


def adjusted(claims: pd.DataFrame) -> list[str]:
    """The word of each claim after Benjamini and Hochberg's procedure (1995), in the rows' order.

    The family is all claims of a paper, ours among them, and of each its direction and its size where these were
    tested. An answer whose adjusted p is 0.05 or more becomes open, and the word is what then remains. Answers without
    a p, by values that are all equal, stay as they are and are not of the family.

    Args:
        claims: the rows of claims.csv of all experiments of one paper.
    """
    from scipy.stats import false_discovery_control  # half a second, which most commands need not wait

    family = [(i, q) for q in _QUESTIONS for i, p in enumerate(claims[f"p_{q}"]) if not math.isnan(p)]
    ps = [claims[f"p_{q}"].iloc[i] for i, q in family]
    tested = dict(zip(family, false_discovery_control(ps) if ps else [], strict=True))
    words = []
    for i, row in enumerate(claims.to_dict("records")):
        if row["verdict"] in UNJUDGED:
            words.append(row["verdict"])
            continue
        answers = {}
        for q in _QUESTIONS:
            answer = row[q] if isinstance(row[q], str) else ""
            lost = answer in (YES, NO) and tested.get((i, q), 0.0) >= ERROR
            answers[q] = OPEN if lost else answer
        words.append(verdict(answers["direction"], answers["size"], row["origin"] == OURS))
    return words
