"""Numbers that the arithmetic of a run can hold."""

from collections.abc import Iterator, Mapping
from typing import Any

from repro.config.groups import COMPONENTS, own_option
from repro.errors import UserError

# Greatest and least normal number; below the latter processors count what is left as zero, or take very long.
SINGLE = (3.4028234663852886e38, 1.1754943508222875e-38)
DOUBLE = (1.7976931348623157e308, 2.2250738585072014e-308)


def check_range(settings: Mapping[str, Any]) -> None:
    """Refuse numbers that the run's arithmetic has not: infinite, too large, or so small that they count as zero.

    Whole numbers are sizes, seeds and the like, as long as the option is one by default.

    Raises:
        UserError: names the setting, its value and the range.
    """
    precision = (settings["trainer"] or {}).get("precision")
    name, (most, least) = ("float64", DOUBLE) if precision == "float64" else ("float32", SINGLE)
    groups = [(group, settings[group]) for group in (*COMPONENTS, "trainer")]
    for key, value in (pair for group, node in groups for pair in _numbers(settings, group, node)):
        if value != value or value in (float("inf"), float("-inf")):
            raise UserError(f"{key} must be a finite number, not {value}")
        if abs(value) > most or 0 < abs(value) < least:
            other = "; trainer.precision=float64 has a wider range" if name == "float32" else ""
            raise UserError(
                f"{key}={value} is beyond what {name} can hold: 0, or between {least:.2g} and {most:.2g} in size{other}"
            )


def _numbers(settings: Mapping[str, Any], group: str, node: Any) -> Iterator[tuple[str, float]]:
    """Every number of a group that enters its arithmetic, by dotted name."""
    option = settings["choices"].get(group)
    usual = own_option(group, option) if option else {}
    for key, value in _values(node, ""):
        whole = isinstance(value, int) and not isinstance(usual.get(key), float)
        if isinstance(value, int | float) and not isinstance(value, bool) and not whole:
            yield f"{group}.{key}", value


def _values(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for name, inside in node.items():
            yield from _values(inside, f"{key}.{name}" if key else str(name))
    elif isinstance(node, list | tuple):
        for inside in node:
            yield from _values(inside, key)
    else:
        yield key, node
