"""By how much a number of a run may differ when it is trained again: what an experiment's file may say."""

import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

from repro.errors import UserError

TOLERANCE = 1e-6
"""By what share numbers may differ unless the experiment says otherwise."""

RANGES = 2
"""How often the range of the seeds numbers that are held to them may differ by: of the thousands of a run some lie
outside one range by chance, and hardly any by as much again."""
FLOOR = 0.5
"""By what share these may differ however close the seeds lie, which a few do now and then."""
ENOUGH = 2
"""How many other seeds have a range."""


class Tolerance(NamedTuple):
    """How the numbers of a metric are held.

    Attributes:
        kind: "relative", by a share of the size; "absolute", by so much; "seeds", by `RANGES` of the range (greatest
            less least) of the other committed seeds of the same settings at the same place, or by `FLOOR` where that is
            more.
        limit: the share, or how much; of "seeds" how much in any case.
    """

    kind: Literal["relative", "absolute", "seeds"]
    limit: float


def is_share(value: object) -> bool:
    """Whether a number can be a relative tolerance: from 1 on, none of one sign would ever fail."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1


def read(name: str, value: Any) -> Tolerance:
    """What one entry of an experiment's `tolerance` says.

    Args:
        name: of the entry, for the message.
        value: a share, {absolute: how much}, or the word `seeds`; {seeds: how much} for that much in any case.

    Raises:
        UserError: it is none of these.
    """
    if value == "seeds":
        return Tolerance("seeds", 0.0)
    if is_share(value):
        return Tolerance("relative", float(value))
    for kind in ("absolute", "seeds"):
        if isinstance(value, Mapping) and list(value) == [kind] and _is_amount(value[kind]):
            return Tolerance(kind, float(value[kind]))
    raise UserError(
        f"{name} is {value!r}; it must be a share of at least 0 and below 1, the word seeds, {{seeds: AMOUNT}} or "
        "{absolute: AMOUNT}, amounts above 0"
    )


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < sys.float_info.max


def read_all(experiment: str, setting: Any) -> dict[str, Tolerance]:
    """An experiment's tolerances by patterns of TABLE/METRIC; one alone is for all.

    Raises:
        UserError: one of them is wrong.
    """
    if setting is None:
        return {}
    patterns = setting if isinstance(setting, Mapping) and not {"absolute", "seeds"} & {*setting} else {"*": setting}
    return {str(pattern): read(f"{experiment}: tolerance of {pattern}", value) for pattern, value in patterns.items()}


def of_metric(tolerances: Mapping[str, Tolerance], name: str) -> Tolerance:
    """That of a metric, by TABLE/METRIC: the last whose pattern fits, or `TOLERANCE`."""
    fitting = [one for pattern, one in tolerances.items() if fnmatchcase(name, pattern)]
    return fitting[-1] if fitting else Tolerance("relative", TOLERANCE)
