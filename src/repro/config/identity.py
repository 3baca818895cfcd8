"""A run's identity: a hash of everything in its configuration that can move a number."""

import hashlib
import importlib.machinery
import importlib.util
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from repro.config.groups import COMPONENTS, without_addresses
from repro.paths import is_file, is_folder, working_folder

# Raise this when a change moves numbers: every run's identity changes with it, so that
# `repro status` calls older results stale and `repro reproduce` trains them anew.
NUMBERS = 1

# What a run is called, where it runs and where it puts things; none of it moves a number.
NOT_SCIENTIFIC = {
    "device",
    "threads",
    "results_dir",
    "data_dir",
    "dataset.data_dir",
    "force",
    "trusted",
    "variant",
    "experiment",
    "choices",
    "reproduction",
    "trainer.checkpoint_seconds",
    "trainer.channels_last",
    "trainer.compile",
    "tensorboard",
    "wandb",
    "mlflow",
}


def identity(settings: Mapping[str, Any]) -> str:
    """Hash of the scientific part of a configuration.

    Repro's own components count by the names of group and option and by their settings, wherever their code lies. What
    is not repro's own counts by its content: a table by its bytes, a trusted package by its source and the addresses
    in it.
    """
    own_code = [_source_hash(package) for package in sorted(_packages(settings) - {"repro", "torch"})]
    options = settings["choices"]
    named = {group: without_addresses(group, options.get(group), settings[group]) for group in COMPONENTS}
    text = json.dumps([NUMBERS, _scientific({**settings, **named}), *own_code], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _packages(value: Any) -> set[str]:
    """The packages that the targets in a configuration come from."""
    if isinstance(value, Mapping):
        target = value.get("_target_")
        own = {target.partition(".")[0]} if isinstance(target, str) else set()
        return own.union(*map(_packages, value.values()))
    return set().union(*map(_packages, value)) if isinstance(value, list | tuple) else set()


def _source_hash(package: str) -> str:
    """Hash of a package's Python files, found where importing it would find them; nothing is imported."""
    spec = importlib.util.find_spec(package) or importlib.machinery.PathFinder.find_spec(
        package, [str(working_folder())]
    )
    if spec is None:
        return ""  # building it will say so
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    files = (
        [Path(spec.origin)] if spec.origin and not folders else [f for d in folders for f in sorted(d.rglob("*.py"))]
    )
    total = hashlib.sha256()
    for file in files:
        if file.is_file():
            total.update(file.read_bytes())
    return total.hexdigest()


def _scientific(value: Any, key: str = "") -> Any:
    """What counts of a value; `key` is its dotted name."""
    if isinstance(value, Mapping):
        inside = {f"{key}.{k}" if key else str(k): (k, v) for k, v in value.items()}
        # Null counts as absent, so that a new option that is off by default leaves older identities alone.
        return {
            k: _scientific(v, full) for full, (k, v) in inside.items() if full not in NOT_SCIENTIFIC and v is not None
        }
    if isinstance(value, list | tuple):
        return [_scientific(v, f"{key}.{i}") for i, v in enumerate(value)]
    if key.rpartition(".")[2] == "path" and isinstance(value, str) and is_file(value):
        return hashlib.sha256(Path(value).read_bytes()).hexdigest()
    if key == "dataset.path" and isinstance(value, str) and is_folder(value):
        files = sorted(file for file in Path(value).iterdir() if file.is_file())
        return [[file.name, hashlib.sha256(file.read_bytes()).hexdigest()] for file in files]
    if isinstance(value, float) and math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return int(value)  # 1 and 1.0 are the same setting
    return value
