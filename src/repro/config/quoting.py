"""What a shell has passed on, in quotes where Hydra's grammar would refuse it or take it for something else."""

import os
import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException

from repro.config.groups import GROUPS

_COLUMNS = ("path", "target", "separator", "decimal", "group", "time", "data_dir")
FOLDERS = frozenset(("results_dir", "hydra.sweep.dir"))
"""Settings that a whole sweep has one of: commas are part of it."""
PLACES = FOLDERS | {"dataset.path"}
"""Settings that may begin with ~, as what a shell expands."""
TEXT = FOLDERS | {"data_dir", *(f"dataset.{name}" for name in _COLUMNS)}
"""Settings that are text whatever it looks like."""


def quoted(words: Sequence[str]) -> list[str]:
    """Words of a command line with the values in quotes that need them; flags and choices of options stay.

    In a sweep (-m or --multirun) commas separate values, as ever, but for its folders.
    """
    sweeping = bool({"-m", "--multirun"} & set(words))
    parser = OverridesParser.create()
    return [_quoted(word, parser, sweeping) for word in words]


def _quoted(word: str, parser: OverridesParser, sweeping: bool) -> str:
    key, equals, value = word.partition("=")
    if not equals or not key or word.startswith("-") or key in GROUPS or "/" in key or "${" in value:
        return word
    name = key.lstrip("+")
    if name in PLACES and value.startswith("~"):  # as a shell has it, for which a stranger's home is no mistake
        return f"{key}={in_quotes(os.path.expanduser(value))}"  # noqa: PTH111
    try:
        (parsed,) = parser.parse_overrides([word])
    except OverrideParseException:
        if items := re.fullmatch(r"\[([^][{}'\"]*)\]", value):  # a list, of columns' names say
            return f"{key}=[{','.join(in_quotes(item.strip()) for item in items[1].split(','))}]"
        return f"{key}={in_quotes(value)}"
    if name in TEXT and value and not _is_text(parsed, sweeping and name not in FOLDERS):
        return f"{key}={in_quotes(value)}"
    return word


def _is_text(parsed: Override, sweeping: bool) -> bool:
    if parsed.is_sweep_override():
        return sweeping
    return parsed.value() is None or isinstance(parsed.value(), str)


def in_quotes(value: str) -> str:
    """A text as Hydra reads it back: backslashes count as such unless a quote follows."""
    escaped = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), value)
    return f"'{escaped}'"
