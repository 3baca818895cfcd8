"""Checks of what a user brings: numbers, and packages of extras."""

import math
from pathlib import Path

import pytest

from repro.errors import UserError, extra, number, whole
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


def test_a_folder_of_its_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty_folder").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("empty_folder", "not_there"):
        with pytest.raises(UserError, match=rf"^x=1 needs the extra: pip install .*'\.\[y\]' .*'{module}'\)$"):
            extra(module, "x=1", "y")
    assert extra("json", "x=1", "y").dumps([1]) == "[1]"
