"""What Hydra and OmegaConf have no public name for. Besides `yaml_loader.py` nothing else touches them.

Written for hydra-core 1.3 and omegaconf 2.3; a later version may keep these things elsewhere.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig, Node, OmegaConf, ValueNode

from repro.errors import UserError

__all__ = ["PLUGINS", "FileConfigSource", "children", "flags_first", "is_reference", "is_single", "put"]

PLUGINS = ("hydra_plugins.", "hydra._internal.core_plugins.")
"""What the addresses of launchers and sweepers begin with."""


def put(values: Sequence[Override], cfg: DictConfig) -> None:
    """Put values on top of a composed configuration, in place, as Hydra does; unknown keys are refused."""
    OmegaConf.set_struct(cfg, True)
    ConfigLoaderImpl._apply_overrides_to_config(list(values), cfg)
    OmegaConf.set_struct(cfg, None)


def children(node: Any) -> Iterator[tuple[Any, Node]]:
    """Keys and nodes of a mapping or list, nothing looked up; nothing of what is null or a reference itself."""
    if not isinstance(node, (DictConfig, ListConfig)) or node._is_none() or node._is_interpolation():
        return
    keys = range(len(node)) if isinstance(node, ListConfig) else list(node)
    for key in keys:
        child = node._get_node(key, validate_access=False)
        assert isinstance(child, Node)
        yield key, child


def is_reference(node: Node) -> bool:
    """Whether a node stands for another one, as `${...}` does."""
    return node._is_interpolation()


def is_single(cfg: DictConfig, key: str, or_list: bool = False) -> bool:
    """Whether there is a single value of its own at a dotted key; with `or_list`, or a list."""
    node: Node | None = cfg
    for part in key.split("."):
        if not isinstance(node, DictConfig) or node._is_none() or node._is_interpolation():
            return False
        child = node._get_node(part, validate_access=False)
        node = child if isinstance(child, Node) else None
    return isinstance(node, (ValueNode, ListConfig) if or_list else ValueNode) and not node._is_interpolation()


def flags_first(words: Sequence[str]) -> list[str]:
    """The words of a command line with its flags, and their values, in front: Hydra reads settings on one side only.

    Raises:
        UserError: a flag that Hydra does not have, or has with other values.
        SystemExit: Hydra has answered by itself, as for --version.
    """
    from hydra._internal.utils import get_args_parser  # a tenth of a second

    parser, said = get_args_parser(), io.StringIO()
    valued = {name for action in parser._actions if action.nargs is None for name in action.option_strings}
    perhaps = {name for action in parser._actions if action.nargs == "?" for name in action.option_strings}
    flags: list[str] = []
    settings: list[str] = []
    last: list[str] = []  # would take the next setting as its value
    rest = list(reversed(words))
    while rest:
        word = rest.pop()
        if not word.startswith("-"):
            settings.append(word)
            continue
        own = last if word in perhaps else flags
        own.append(word)
        if rest and (word in valued or (word in perhaps and "=" not in rest[-1] and not rest[-1].startswith("-"))):
            own.append(rest.pop())
    try:
        with redirect_stderr(said):
            _, others = parser.parse_known_args([*flags, *settings, *last])
    except SystemExit as refusal:
        if refusal.code == 0:
            raise
        reason = said.getvalue().strip().rpartition("error: ")[2]
        raise UserError(f"{reason}; see: repro train --help") from None
    if others:
        raise UserError(f"unknown flag {others[0]}; see: repro train --help")
    return [*flags, *settings, *last]
