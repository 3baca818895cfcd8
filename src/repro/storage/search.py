"""What a search leaves in its folder, beside the outcomes of its runs."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from repro.storage.files import read_json

OUTCOME = "outcome.json"  # of a job of a sweep, in a folder of the job's number
ASKED = "search.json"  # by which metric a search goes, which way, and over what
DIRECTIONS = ("minimize", "maximize")


def asked(folder: Path) -> dict[str, Any] | None:
    """What a search in this folder looks for; None where it is another sweep."""
    return read_json(folder / ASKED) if (folder / ASKED).exists() else None


def value_of(outcome: Mapping[str, Any]) -> float | None:
    """The metric that a search goes by; None where the run, or one of its seeds, has none."""
    value = outcome.get("value")
    usable = outcome["status"] == "done" and not outcome["lost"] and value is not None and math.isfinite(value)
    return float(value) if usable and value is not None else None


def best(outcomes: Sequence[Mapping[str, Any]], direction: str) -> Mapping[str, Any] | None:
    """The outcome of the best run, the first of those that are equally good; None where none has a value."""
    valued = [one for one in outcomes if value_of(one) is not None]
    sign = 1 if direction == "minimize" else -1
    return min(valued, key=lambda one: sign * (value_of(one) or 0.0), default=None)
