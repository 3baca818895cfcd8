"""A run: its settings, checked, with the id and the name that follow from them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from repro.config.checks import check
from repro.config.groups import limit
from repro.config.identity import identity
from repro.config.naming import named
from repro.config.schema import DiagnosticsConfig, TrainerConfig
from repro.errors import UserError
from repro.storage.run_files import folders_of


@dataclass(frozen=True)
class Run:
    """A resolved configuration: plain values, checked as far as can be done without data.

    Attributes:
        settings: the whole configuration as plain dicts and lists.
        id: ten hexadecimal digits, a hash of everything that can move a number.
        folder: where the run's files go; its name says what differs from the defaults, with the id at its end.
    """

    settings: dict[str, Any]
    id: str
    folder: Path

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the replicas: seed, seed + 1, ..."""
        first = self.settings["seed"]
        return tuple(range(first, first + self.settings["replicas"]))

    @property
    def trainer(self) -> TrainerConfig:
        """Typed view of the trainer group."""
        return TrainerConfig(**self.settings["trainer"] or {})

    @property
    def diagnostics(self) -> DiagnosticsConfig:
        """Typed view of the diagnostics group."""
        return DiagnosticsConfig(**self.settings["diagnostics"] or {})


def resolve(cfg: DictConfig) -> Run:
    """Turn a composed configuration into a checked `Run`, in the folder that it was begun in before, if it was.

    Raises:
        UserError: a value is out of its range or two of them do not go together.
    """
    return found(plain(cfg))


def found(settings: dict[str, Any]) -> Run:
    """The run of plain settings, in the folder that it was begun in before, if it was; raises as `resolve` does."""
    run = checked(settings)
    (folder,) = folders_of([run.folder])
    return replace(run, folder=folder)


def plain(cfg: DictConfig) -> dict[str, Any]:
    """A composed configuration as plain dicts and lists, with every reference looked up.

    Raises:
        UserError: a value is missing.
    """
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise UserError(f"{', '.join(missing)} must be given, e.g. {missing[0]}=VALUE")
    settings = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(settings, dict)
    return {str(key): value for key, value in settings.items()}


def checked(settings: dict[str, Any]) -> Run:
    """The run of plain settings, in the folder of its name whatever is on the disk; raises as `resolve` does."""
    limit(settings)
    noise = settings["activation"].get("noise") if isinstance(settings["activation"], Mapping) else None
    if isinstance(noise, float) and math.isnan(noise):
        settings["activation"]["noise"] = "nan"  # Hydra reads the paper's name of the variant as not-a-number
    check(settings)
    run_id = identity(settings)
    shelf = Path(settings["results_dir"]) / "runs" / _shelf(settings)
    return Run(settings, run_id, shelf / named(settings, run_id))


def _shelf(settings: Mapping[str, Any]) -> str:
    experiment = settings["choices"].get("experiment") or ""
    return str(experiment or settings["choices"].get("dataset") or settings["choices"].get("procedure", "custom"))
