"""Configurations put together from repro's own files, without Hydra: a part for each component, merged once.

Hydra reads and merges some twenty files for every choice of components, a quarter of a second each time; here a part
that is chosen again is there already. Only what all of repro's own files do is known here: components without
packages, whose defaults do no more than choose other components, and experiments of one level. For everything else
`parts` is None, and Hydra has its way.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from repro.config.groups import GROUPS, OPTIONAL, default_options, option_files
from repro.config.schema import DiagnosticsConfig, RunConfig, TrainerConfig
from repro.config.template import Template
from repro.config.yaml_files import read
from repro.errors import UserError
from repro.paths import conf_dir, conf_dirs

CHOOSES = re.compile(r"override /(\w+)(@_global_\.\1)?")
NOTHING = ("null", "")
ROOT = tuple(field.name for field in fields(RunConfig))
TYPED = {"trainer": TrainerConfig, "diagnostics": DiagnosticsConfig}
LATER = ("choices", "reproduction")  # root keys that no file's values are taken for


@dataclass(frozen=True)
class File:
    """A file of a configuration.

    Attributes:
        values: what it sets.
        chosen: the options of other groups that it chooses.
    """

    values: dict[str, Any]
    chosen: dict[str, str | None]


class Assembler:
    """Puts configurations together; keeps the parts, so that it is good for as long as the files stay as they are."""

    def __init__(self) -> None:
        self._options = cache(option_files)
        self._file = cache(_read)
        self._part = cache(self._merged)
        self._own = [folder.resolve() for folder in conf_dirs()]

    def parts(self, words: Iterable[str]) -> dict[str, Template] | None:
        """The parts of the configuration that these choices of components give, by root key, in the schema's order.

        `choices` and `reproduction` are left out. None where it takes more than is known here, or is refused.
        """
        options = self.options(words)
        if options is None:
            return None
        study = options["experiment"] or ""
        body = self._body(study)
        parts: dict[str, Template] = {}
        try:
            for key in ROOT:
                if key not in LATER:
                    is_group = key in GROUPS and key != "experiment"
                    own = study if (key in body if is_group else body.keys() - set(GROUPS)) else ""
                    parts[key] = self._part(key if is_group else "", options[key] if is_group else None, own)
        except OmegaConfBaseException:
            return None
        return parts

    def options(self, words: Iterable[str]) -> dict[str, str | None] | None:
        """The option of every group; None where it takes more than is known here."""
        given = _chosen(words)
        if given is None:
            return None
        if study := given.get("experiment"):
            if (file := self._found("experiment", study)) is None:
                return None
            given = file.chosen | given  # an experiment's choices win over those of components' files
        options = {**dict.fromkeys(GROUPS), **default_options(), **given}
        further: dict[str, str | None] = {}
        for group, option in options.items():
            if option is not None and group != "experiment":
                if (file := self._found(group, option)) is None:
                    return None
                by_file = {other: chosen for other, chosen in file.chosen.items() if other not in given}
                if any(options[other] is not None or other in further for other in by_file):
                    return None  # two files choose; Hydra knows which of them counts
                further |= by_file
        for group, option in further.items():
            file = self._found(group, option) if option is not None else None
            if file is None or file.chosen:
                return None
        return options | further

    def _found(self, group: str, option: str) -> File | None:
        path = self._options(group).get(option)
        if path is None or not (group == "experiment" or any(path.is_relative_to(own) for own in self._own)):
            return None
        return self._file(path, group == "experiment")

    def _body(self, study: str) -> Mapping[str, Any]:
        file = self._found("experiment", study) if study else None
        return file.values if file else {}

    def _merged(self, group: str, option: str | None, study: str) -> Template:
        """A group's part, or that of the root's single values where the group is ""; as Hydra merges, and in its order.

        Args:
            study: the experiment that sets something there; "" for none.
        """
        if group in TYPED:
            cfg = OmegaConf.create({group: OmegaConf.structured(TYPED[group])})
        else:
            cfg = OmegaConf.create({group: None}) if group else OmegaConf.structured(RunConfig)
        keys = [group] if group else [key for key in ROOT if key == "experiment" or key not in (*GROUPS, *LATER)]
        if option is not None:
            file = self._found(group, option)
            assert file is not None
            cfg.merge_with({group: file.values})
        for values in (self._body(study), _base()):
            known = {key: value for key, value in values.items() if key in keys or (not group and key not in ROOT)}
            cfg.merge_with({key: value for key, value in known.items() if key != "hydra"})
        return Template(cfg, keys)


def _chosen(words: Iterable[str]) -> dict[str, str | None] | None:
    """Group and option of words such as `activation=tanh`; None where one has another form, or a group comes twice."""
    given: dict[str, str | None] = {}
    for word in words:
        group, equals, option = word.partition("=")
        if group not in GROUPS or group in given or not equals or not re.fullmatch(r"[\w/]*", option):
            return None
        given[group] = option or None
        if option in NOTHING:
            if group not in (*OPTIONAL, "experiment"):
                return None
            given[group] = None
    return given


def _read(path: Path, is_study: bool) -> File | None:
    """None for a file that does more than is known here."""
    try:
        values = read(path)
        head = path.read_text(encoding="utf-8")[:512]
    except (UserError, OSError):
        return None
    package = re.search(r"^\s*#\s*@package\s+(\S+)", head, re.MULTILINE)
    if not isinstance(values, dict) or (package[1] if package else None) != ("_global_" if is_study else None):
        return None
    chosen: dict[str, str | None] = {}
    for entry in values.get("defaults") or []:
        if not isinstance(entry, dict) or len(entry) != 1:
            return None
        ((chooses, option),) = entry.items()
        match = CHOOSES.fullmatch(str(chooses))
        if not match or match[1] not in GROUPS or match[1] == "experiment" or bool(match[2]) == is_study:
            return None
        if not (option is None or (isinstance(option, str) and re.fullmatch(r"[\w/]+", option))):
            return None
        chosen[match[1]] = option
    if is_study and "hydra" in values:
        return None
    return File({key: value for key, value in values.items() if key not in ("defaults", "reproduction")}, chosen)


@cache
def _base() -> dict[str, Any]:
    """What `train.yaml` itself sets."""
    values: dict[str, Any] = read(conf_dir() / "train.yaml")
    return {key: value for key, value in values.items() if key not in ("defaults", "hydra")}
