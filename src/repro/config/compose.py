"""From overrides to a configuration, for everything that is not Hydra's own command line."""

import copy
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from hydra import compose as slow_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from repro.config.assemble import Assembler
from repro.config.groups import GROUPS, OPTIONAL, option_files
from repro.config.internals import chooses, put
from repro.config.run import Run, found, plain
from repro.config.short_keys import spelled_out
from repro.config.template import Template, filled
from repro.config.yaml_files import stamps
from repro.config.yaml_loader import fast_yaml
from repro.errors import UserError, unknown
from repro.paths import conf_dir

ERRORS = (HydraException, OmegaConfBaseException)

hydra_compose = fast_yaml()(slow_compose)


def compose(overrides: Sequence[str]) -> DictConfig:
    """Compose a run's configuration, as `repro train` would from the same words.

    Raises:
        UserError: unknown option or key, wrong type, bad syntax.
    """
    with initialized():
        return composer()(spelled_out(overrides))


def run_of(overrides: Sequence[str]) -> Run:
    """The checked run of these words, in the folder that it was begun in before, if it was.

    Raises:
        UserError: as `compose` and `resolve`, or a value refers to a setting that there is not.
    """
    with initialized():
        settings = composer().settings(spelled_out(overrides))
    return found(settings)


@contextmanager
def initialized() -> Iterator[None]:
    """Hydra with repro's files, whatever it was at before."""
    if GlobalHydra.instance().is_initialized():
        GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        yield


def check_groups(overrides: Sequence[str]) -> None:
    """Refuse `=3`, and `group=` with what is no option's name, or with nothing where the group is needed."""
    for group, equals, option in (word.partition("=") for word in overrides):
        if equals and not group.lstrip("+~"):
            raise UserError(f"cannot read {'=' + option!r}: there is no name before the =; write KEY=VALUE")
        if group not in GROUPS or not equals:
            continue
        if group not in ("experiment", *OPTIONAL) and option in ("null", "", "[]"):
            raise UserError(f"{group} needs an option, not {option or 'nothing'}; see: repro list {group}")
        if re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?|true|false|\[.*", option, re.IGNORECASE):
            raise unknown(group, option, option_files(group))


def without_nulls(overrides: Sequence[str]) -> list[str]:
    """The overrides with `group=null` of an optional group as Hydra spells it, `~group`; it trips over the other."""
    nulls = {f"{group}={option}": f"~{group}" for group in OPTIONAL for option in ("null", "")}
    return [nulls.get(word, word) for word in overrides]


def with_choices(cfg: DictConfig, chosen: Any) -> DictConfig:
    """The configuration without Hydra's own node, with the names of the chosen options under `choices`.

    An experiment's scales and claims are left out: they are many times as long as the rest, and no run goes by them.

    Raises:
        UserError: a name that leads out of its group's folder; runs are put into folders of these names.
    """
    names = _names(chosen)
    for group, option in names.items():
        if option.startswith("/") or ".." in option.split("/"):
            raise UserError(f"{group}={option} leads out of conf/{group}; see: repro list {group}")
    with open_dict(cfg):
        if "hydra" in cfg:
            del cfg["hydra"]
        cfg.choices, cfg.reproduction = names, None
    return cfg


def _names(chosen: Any) -> dict[str, str]:
    return {group: str(chosen[group]) for group in GROUPS if chosen.get(group) not in (None, "null")}


def explain(error: Exception, overrides: Sequence[str]) -> UserError:
    """Say in one line what was wrong with overrides that Hydra refused."""
    text = str(error)
    if isinstance(error, OverrideParseException):
        return UserError(
            f"cannot read the override {error.override!r} ({_first_line(text)}); write KEY=VALUE or "
            "GROUP=OPTION, in quotes where the shell needs them"
        )
    if match := re.search(r"Ambiguous value for argument '(.*)'", text):
        return UserError(f"{match.group(1)} gives several values; for a sweep add -m, for a list write KEY=[A,B]")
    if match := re.search(r"Could not find 'hydra/(\w+)/([^']*)'", text):
        return _unknown_plugin(*match.groups())
    if "does not support sweep type : INTERVAL" in text:
        return UserError(
            "an interval is for a search: add hydra/sweeper=optuna, or give single values, as in KEY=A,B,C"
        )
    if "requires --multirun" in text:
        return UserError(f"{text.split(chr(39))[1]} gives several values; for a sweep or a search add -m")
    if match := re.search(r"Could not find '([\w-]+)/([^']*)'", text):
        group, name = match.groups()
        return unknown(group, name, option_files(group))
    if match := re.search(r"(?:Could not override '|Could not append.*?')([\w./@-]+)'", text):
        return _unknown_key(match.group(1), overrides)
    if match := re.search(r"Key '([^']+)' (?:not in|is not in)", text):
        full = re.search(r"full_key: (\S+)", text)
        return _unknown_key(full.group(1) if full else match.group(1), overrides)
    cause = str(error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error)
    full = re.search(r"full_key: (\S+)", cause)
    return UserError(_plain(full.group(1), cause) if full else _first_line(cause))


EXTRAS = {"joblib": "sweep", "submitit_local": "slurm", "submitit_slurm": "slurm", "ray": "ray"}
"""Launchers by the extra that brings them."""


def _unknown_plugin(group: str, name: str) -> UserError:
    if group == "launcher" and name in EXTRAS:
        extra = EXTRAS[name]
        return UserError(f"hydra/launcher={name} needs the extra: pip install -c constraints.txt -e '.[{extra}]'")
    known = [word.removesuffix(".yaml") for word in ConfigStore.instance().list(f"hydra/{group}")]
    return unknown(f"hydra/{group}", name, {*known, *option_files(f"hydra/{group}")} - {"reproduction"})


REFUSALS = (
    (r"Value '(?P<was>.*)' of type '.*' could not be converted to Integer", "must be a whole number, not '{was}'"),
    (r"Value '(?P<was>.*)' of type '.*' could not be converted to Float", "must be a number, not '{was}'"),
    (r"Value '(?P<was>.*)' is not a valid bool", "must be true or false, not '{was}'"),
    (r"field '.*' is not Optional", "must not be null"),
    (r"(?P<was>\w+) is not a ListConfig", "must be a list, e.g. {key}=[A,B], not {was}"),
    (r"does not support deletion", "cannot be taken away; give it a value instead"),
)


def _plain(key: str, text: str) -> str:
    """A type that the schema refuses, in words a user would use."""
    for pattern, says in REFUSALS:
        if match := re.search(pattern, text):
            return f"{key} {says.format(key=key, **match.groupdict())}"
    return f"{key}: {_first_line(text)}"


def _unknown_key(key: str, overrides: Sequence[str]) -> UserError:
    parent, _, name = key.rpartition(".")
    known = _keys(parent, overrides)
    prefix = f"{parent}." if parent else ""
    if not parent:
        known = [k for k in known if k not in ("choices", "reproduction")]
    if parent and (inside := [p for part in known if name in _keys(p := f"{parent}.{part}", overrides)]):
        return UserError(f"{key} is a setting of several parts; write {' or '.join(f'{p}.{name}' for p in inside)}")
    if name in known:
        return UserError(f"{key} cannot be set this way; see: repro train --help")
    if not known and parent:
        above = parent.rpartition(".")[0]
        if parent.rpartition(".")[2] in _keys(above, overrides):
            return UserError(f"unknown setting {key!r}: {parent} has no settings here")
        return _unknown_key(parent, overrides)
    if not parent and (inside := [k for k in _settings(overrides) if k.rpartition(".")[2] == name]):
        return UserError(f"unknown setting {key!r}; did you mean {' or '.join(inside)}?")
    return unknown("setting", key, [prefix + k for k in known])


def _settings(overrides: Sequence[str]) -> list[str]:
    """The groups' settings, e.g. optimizer.lr."""
    return [f"{group}.{key}" for group in GROUPS for key in _keys(group, overrides)]


def _keys(parent: str, overrides: Sequence[str]) -> list[str]:
    """The keys under a node, with the options chosen that can be chosen."""
    parser = OverridesParser.create()
    chosen = [
        o
        for o, parsed in zip(overrides, parser.parse_overrides(list(overrides)), strict=True)
        if (parsed.key_or_group in GROUPS or o.startswith("hydra/")) and not parsed.is_sweep_override()
    ]
    with initialize_or_keep():
        try:
            cfg = hydra_compose("train", chosen, return_hydra_config=parent.startswith("hydra"))
        except ERRORS:
            cfg = hydra_compose("train", [])
    node = OmegaConf.select(cfg, parent) if parent else cfg  # None where there is no such node
    if not isinstance(node, DictConfig):
        return []
    values = [node[key] for key in node if not OmegaConf.is_missing(node, key)]
    parts = [part for part in values if isinstance(part, DictConfig) and "_target_" in part and parent]
    inside = [k for part in parts for k in part]  # each of these has a short name; see short_keys.py
    return [k for k in dict.fromkeys([*map(str, node), *map(str, inside)]) if not k.startswith("_")]


class initialize_or_keep:  # noqa: N801 - reads as a word of the with statement
    """Initialize Hydra unless a caller has done so."""

    def __enter__(self) -> None:
        self.own = None
        if not GlobalHydra.instance().is_initialized():
            self.own = initialize_config_dir(str(conf_dir().resolve()), version_base="1.3")
            self.own.__enter__()

    def __exit__(self, *error: Any) -> None:
        if self.own is not None:
            self.own.__exit__(*error)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0].rstrip(".") if text.strip() else "not a valid configuration"


class Composer:
    """Composes many jobs, each choice of components once; inside `initialize_config_dir`.

    Hydra reads and merges some twenty files for a configuration, and values on top of them take a tenth of that. Most
    choices need no Hydra at all, and most values no more than filling in.
    """

    def __init__(self) -> None:
        self._parser = OverridesParser.create()
        self._parsed: dict[str, Override] = {}
        self._chosen: dict[tuple[str, ...], DictConfig] = {}
        self._assembler = Assembler()
        self._parts: dict[tuple[str, ...], dict[str, Template]] = {}
        self._choices: dict[tuple[str, ...], dict[str, Any]] = {}

    def __call__(self, overrides: Sequence[str]) -> DictConfig:
        """What `compose` gives for the same words; raises as it does."""
        groups, values = self._sorted(overrides)
        try:
            return self._with_values(groups, values)
        except ERRORS as error:
            raise explain(error, overrides) from error

    def settings(self, overrides: Sequence[str]) -> dict[str, Any]:
        """What `plain` gives for the configuration of these words; raises as composing it does."""
        groups, values = self._sorted(overrides)
        try:
            settings = filled(self._parts_of(groups), values)
            if settings is None:
                return plain(self._with_values(groups, values))
        except ERRORS as error:
            raise explain(error, overrides) from error
        return settings | {key: copy.copy(value) for key, value in self._choices[groups].items()}

    def _parts_of(self, groups: tuple[str, ...]) -> dict[str, Template]:
        """The configuration of these components in parts, by root key, but for what is in `_choices`."""
        if groups not in self._parts:
            options, parts = self._assembler.options(groups), self._assembler.parts(groups)
            if options is None or parts is None:
                cfg = self._of(groups)
                whole = Template(copy.deepcopy(cfg), [str(key) for key in cfg])
                self._parts[groups], self._choices[groups] = dict.fromkeys(whole.plain, whole), {}
            else:
                self._parts[groups] = parts
                self._choices[groups] = {"choices": _names(options), "reproduction": None}
        return self._parts[groups]

    def _sorted(self, overrides: Sequence[str]) -> tuple[tuple[str, ...], list[Override]]:
        """The words that choose components, and the others, parsed."""
        check_groups(overrides)
        try:
            for word in overrides:
                if word not in self._parsed:
                    (self._parsed[word],) = self._parser.parse_overrides([word])
        except ERRORS as error:
            raise explain(error, overrides) from error
        chosen = [chooses(self._parsed[word]) for word in overrides]
        groups = tuple(word for word, is_group in zip(overrides, chosen, strict=True) if is_group)
        return groups, [self._parsed[w] for w, is_group in zip(overrides, chosen, strict=True) if not is_group]

    def _of(self, groups: tuple[str, ...]) -> DictConfig:
        """The configuration of these components, without further values; not to be changed."""
        if groups not in self._chosen:
            cfg = hydra_compose("train", without_nulls(groups), return_hydra_config=True)
            self._chosen[groups] = with_choices(cfg, cfg.hydra.runtime.choices)
        return self._chosen[groups]

    def _with_values(self, groups: tuple[str, ...], values: list[Override]) -> DictConfig:
        cfg = copy.deepcopy(self._of(groups))
        put(values, cfg)
        return cfg


def composer() -> Composer:
    """One for all, as long as no file of a configuration changes; inside `initialize_config_dir`."""
    return _composer(stamps())


@lru_cache(maxsize=1)
def _composer(_stamps: tuple[Any, ...]) -> Composer:
    return Composer()
