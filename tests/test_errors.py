"""Checks of numbers."""

import math

import pytest

from repro.errors import UserError, number, whole
from repro.storage.tables import finite

NO_NUMBERS = [
    "1",
    True,
    None,
    [1],
    math.nan,
    math.inf,
    -math.inf,
    10**400,
    -(10**400),
]  # the last two beyond all floats


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(value)[:5])
def test_no_number(value: object) -> None:
    assert not finite(value)
    with pytest.raises(UserError, match=r"^x must be a finite number, not "):
        number("x", value)


def test_a_number_in_its_range() -> None:
    assert [number("x", value, 0, 1) for value in (0, 0.5, 1)] == [0.0, 0.5, 1.0]
    for value, ends in ((0, "(]"), (1, "[)"), (-0.1, "[]"), (1.1, "[]")):
        with pytest.raises(UserError, match=f"x must be a finite number .*, not {value}$"):
            number("x", value, 0, 1, ends)


@pytest.mark.parametrize("value", [0, 1.0, True, "2", None])
def test_no_whole_number(value: object) -> None:
    with pytest.raises(UserError, match="x must be a whole number of 1 or more, not "):
        whole("x", value, 1)
