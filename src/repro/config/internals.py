"""What Hydra and OmegaConf have no public name for. Besides `yaml_loader.py` nothing else touches them.

Written for hydra-core 1.3 and omegaconf 2.3; a later version may keep these things elsewhere.
"""

import copy
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, Node, OmegaConf, ValueNode
from omegaconf.errors import OmegaConfBaseException

from repro.config.groups import GROUPS
from repro.errors import UserError

__all__ = [
    "PLUGINS",
    "FileConfigSource",
    "children",
    "chooses",
    "composed_once",
    "flags_first",
    "is_reference",
    "is_single",
    "put",
]

PLUGINS = ("hydra_plugins.", "hydra._internal.core_plugins.")
"""What the addresses of launchers and sweepers begin with."""


def put(values: Sequence[Override], cfg: DictConfig) -> None:
    """Put values on top of a composed configuration, in place, as Hydra does; unknown keys are refused."""
    OmegaConf.set_struct(cfg, True)
    ConfigLoaderImpl._apply_overrides_to_config(list(values), cfg)
    OmegaConf.set_struct(cfg, None)


def chooses(override: Override) -> bool:
    """Whether a word of the command line chooses an option, and is no value of a setting."""
    return override.key_or_group in GROUPS or "/" in override.key_or_group or override.package is not None


@contextmanager
def composed_once() -> Iterator[None]:
    """Within it Hydra composes each choice of options once for all jobs of a sweep, and puts a job's values on top.

    It reads and merges some twenty files a job otherwise, which takes longer than training a small net. What no job
    goes by is left out of its configuration: an experiment's claims, and the jobs that its sweeper was handed.
    """
    slow = ConfigLoaderImpl.load_sweep_config
    parser = OverridesParser.create()
    chosen: dict[tuple[str, ...], DictConfig] = {}

    def fast(loader: ConfigLoaderImpl, master: DictConfig, words: list[str]) -> DictConfig:
        parsed = parser.parse_overrides(words)
        if any(one.is_hydra_override() for one in parsed):
            return slow(loader, master, words)
        options = tuple(word for word, one in zip(words, parsed, strict=True) if chooses(one))
        if options not in chosen:
            chosen[options] = slow(loader, master, list(options))
            chosen[options].reproduction = None
            if "jobs" in chosen[options].hydra.sweeper:
                chosen[options].hydra.sweeper.jobs = []
        cfg = copy.deepcopy(chosen[options])
        ConfigLoaderImpl._apply_overrides_to_config([one for one in parsed if not chooses(one)], cfg)
        cfg.hydra.overrides.task = list(words)
        parts = cfg.hydra.job.config.override_dirname
        cfg.hydra.job.override_dirname = get_overrides_dirname(
            parsed, kv_sep=parts.kv_sep, item_sep=parts.item_sep, exclude_keys=parts.exclude_keys
        )
        return cfg

    def load(self: ConfigLoaderImpl, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        try:
            return fast(self, master_config, sweep_overrides)
        except (HydraException, OmegaConfBaseException):
            return slow(self, master_config, sweep_overrides)  # which refuses it in Hydra's own words

    ConfigLoaderImpl.load_sweep_config = load  # type: ignore[method-assign]
    try:
        yield
    finally:
        ConfigLoaderImpl.load_sweep_config = slow  # type: ignore[method-assign]


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
