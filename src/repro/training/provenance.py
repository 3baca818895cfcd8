"""How a run came about: code, versions, machine, command, times."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from repro.paths import CLONE

SOURCES = ("src", "conf", "experiments/*.yaml", "pyproject.toml", "constraints.txt")  # what a run is made of
PACKAGES = ("repro", "torch", "numpy", "scipy", "hydra-core", "omegaconf", "scikit-learn")


def provenance(device: torch.device, threads: int) -> dict[str, Any]:
    """What is known when a run starts; `finished` is added at its end."""
    commit, dirty = code_version()
    return {
        "commit": commit,
        "dirty": dirty,
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "kernels": torch.backends.cpu.get_cpu_capability(),  # other instructions round otherwise
        "device": describe(device),
        "threads": threads,
        "argv": sys.argv,
        "started": now(),
    }


def code_version() -> tuple[str | None, bool | None]:
    """Commit of the clone this package runs from and whether what a run is made of differs from it.

    The commit is that of the process's first run: a sweep goes on with the code it was started with, whatever is
    committed beside it. Pages and results do not count as differences: publishing one experiment changes them, and
    moves no number of the next.

    None where the package does not run from a clone.
    """
    if not (CLONE / ".git").exists():
        return None, None
    try:
        commit = _commit()
        return commit, bool(_git("diff", "--name-only", commit, "--", *SOURCES))
    except (OSError, subprocess.CalledProcessError):
        return None, None


@cache
def _commit() -> str:
    return _git("rev-parse", "HEAD")


def describe(device: torch.device) -> str:
    """The device in words: "cpu", or the model of the accelerator."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(CLONE), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
