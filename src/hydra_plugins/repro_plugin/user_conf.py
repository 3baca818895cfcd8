"""The user's own `conf/` as a source of configuration: parts of a run, and nothing that Hydra itself would act on."""

import re
from collections.abc import Mapping
from os.path import normpath
from pathlib import Path
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import DictConfig, OmegaConf

from repro.config.internals import PLUGINS, FileConfigSource
from repro.config.yaml_files import load
from repro.errors import UserError

OWN = "repro_plugin"  # the sweeper behind `reproduce` takes words of a command line as its jobs
SEARCH = "hydra_plugins.repro_plugin.search.Search"  # and this one takes numbers and names
RUN = ("setup", "python", "srun_args", "additional_parameters", "_args_")  # submitit runs or passes on what these say
HARMLESS = re.compile(r"\$\{(hydra[.:][\w.]+|oc\.env:\w+)\}")
CHOSEN_BY_NAME = ("launcher", "sweeper")  # under conf/hydra/; Hydra builds nothing but its own plugins for these


class UserConf(ConfigSource):
    """Files as Hydra's own source finds them. Hydra calls whatever its callbacks and loggers name, and sets variables
    of the environment; a file that came with somebody's `conf/` must not say what.
    """

    def __init__(self, provider: str, path: str) -> None:
        super().__init__(provider, path)
        self._files = FileConfigSource(provider, f"file://{self.path}")

    @staticmethod
    def scheme() -> str:
        """What an address of this source begins with."""
        return "own"

    def load_config(self, config_path: str) -> ConfigResult:
        """One file.

        Raises:
            UserError: it is no YAML of plain values, or has settings of Hydra's.
        """
        file = Path(self.path) / self._normalize_file_name(config_path)
        if not file.is_file():
            raise ConfigLoadError(f"Config not found : {file}")
        config = load(file)
        with file.open(encoding="utf-8") as stream:
            header = self._get_header_dict(stream.read(512))
        _check(file, normpath(config_path).split("/"), config, header.get("package") or "")
        return ConfigResult(self.provider, self.full_path(), config, header)

    def available(self) -> bool:
        """Whether there is such a folder."""
        return self._files.available()

    def is_group(self, config_path: str) -> bool:
        """Whether it is a folder."""
        return self._files.is_group(config_path)

    def is_config(self, config_path: str) -> bool:
        """Whether it is a file."""
        return self._files.is_config(config_path)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """What is in a folder."""
        return self._files.list(config_path, results_filter)


def _check(file: Path, place: list[str], config: Any, package: str) -> None:
    own = config if isinstance(config, DictConfig) else {}
    # A package that a name is put into could become Hydra's.
    elsewhere = [package, *map(str, own.get("defaults") or [])]
    if (
        (place[0] == "hydra" and (len(place) != 3 or place[1] not in CHOSEN_BY_NAME))
        or "hydra" in own
        or any("hydra" in words or "_name_" in words for words in elsewhere)
    ):
        raise UserError(f"{file} has settings of Hydra's own, which run what they name; give them on the command line")
    if place[0] == "hydra":
        _check_plugin(file, OmegaConf.to_container(config, resolve=False), "hydra." + place[1])


def _check_plugin(file: Path, value: Any, key: str) -> None:
    """Refuse what would be built or run besides the launcher or sweeper itself: Hydra builds every node in it."""
    outermost = key.count(".") == 1
    if isinstance(value, Mapping):
        target = value.get("_target_")
        known = target == SEARCH or (str(target).startswith(PLUGINS) and OWN not in str(target))
        if target is not None and not (outermost and known):
            raise UserError(
                f"{file} names {target!r} as {key}._target_, which is no launcher or sweeper of hydra_plugins"
            )
        for name, inside in value.items():
            if name in RUN:
                raise UserError(f"{file} sets {key}.{name}, which runs what it names; give it on the command line")
            _check_plugin(file, inside, f"{key}.{name}")
    elif isinstance(value, list):
        for i, inside in enumerate(value):
            _check_plugin(file, inside, f"{key}.{i}")
    elif isinstance(value, str) and "${" in HARMLESS.sub("", value):
        raise UserError(f"{file} sets {key} to {value!r}, which may stand for anything; write a plain value")
