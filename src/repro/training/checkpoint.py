"""Checkpoints: plain containers, written atomically, the one before kept until the next is safe."""

import logging
import os
import secrets
import zipfile
from pathlib import Path
from typing import Any

import torch

from repro.errors import UserError
from repro.storage.files import UNFINISHED, open_regular

log = logging.getLogger(__name__)

FORMAT = 1
NAMES = ("checkpoint.pt", "checkpoint.previous.pt")


def save(folder: Path, run_id: str, state: dict[str, Any]) -> None:
    """Write a checkpoint; a process killed at any moment leaves this one or the one before."""
    latest, previous = (folder / name for name in NAMES)
    fresh = folder / f".checkpoint.{secrets.token_hex(4)}{UNFINISHED}"  # of no name that somebody could have guessed
    try:
        with fresh.open("xb") as file:
            torch.save({"format": FORMAT, "run": run_id, "state": state}, file)
            file.flush()
            os.fsync(file.fileno())  # else a power failure could leave the name without the content
        if latest.exists():
            latest.replace(previous)
        fresh.replace(latest)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        raise UserError(
            f"cannot write a checkpoint to {folder}: {error}; free space there or choose another "
            "results_dir; the same command then resumes"
        ) from error


def load(folder: Path, run_id: str) -> dict[str, Any] | None:
    """The newest checkpoint that can be read, or None where there is none at all.

    Raises:
        UserError: there are checkpoints, but none of them can be read or is of this run.
    """
    problems = []
    for name in NAMES:
        path = folder / name
        if not path.exists():
            continue
        try:
            content = _read(path)
        except Exception as error:  # a damaged pickle can raise anything
            problems.append(f"{path} is damaged ({type(error).__name__})")
            continue
        if not (isinstance(content, dict) and content.get("format") == FORMAT and content.get("run") == run_id):
            problems.append(f"{path} is not a checkpoint of this run")
            continue
        for problem in problems:
            log.warning("%s; going on from %s", problem, name)
        state: dict[str, Any] = content["state"]
        return state
    if problems:
        raise UserError(f"{'; '.join(problems)}; start this run again with force=true")
    return None


def _read(path: Path) -> Any:
    # torch does not look at the checksums of its own files: flipped bits in a tensor would go unnoticed.
    with os.fdopen(open_regular(path), "rb") as file, zipfile.ZipFile(file) as parts:
        # Nor does it ask how large they become; its own are stored as they are.
        if packed := [part.filename for part in parts.infolist() if part.compress_type != zipfile.ZIP_STORED]:
            raise ValueError(f"{packed[0]} is compressed")
        if broken := parts.testzip():
            raise ValueError(f"{broken} is damaged")
    with os.fdopen(open_regular(path), "rb") as file:
        return torch.load(file, weights_only=True, map_location="cpu")
