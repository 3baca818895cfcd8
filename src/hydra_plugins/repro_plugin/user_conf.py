"""The user's own `conf/` as a source of configuration: parts of a run, and nothing that Hydra itself would act on."""

from os.path import normpath
from pathlib import Path
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import DictConfig

from repro.config.internals import FileConfigSource
from repro.config.yaml_files import load
from repro.errors import UserError

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
