"""Folders of runs, and files that say how a run ended. They may come from anywhere: what is in them is looked at."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from repro.errors import UserError
from repro.storage.files import read_json

NUMBER = (int, float, type(None))
SUMMARY: Mapping[str, Any] = {
    "run": str,
    "status": str,
    "statuses": {str: str},
    "diverged_at_step": {str: int},
    "seeds": [int],
    "steps": int,
    "epochs": NUMBER,
    "stopped_early": bool,
    "seconds": NUMBER,
    "steps_per_second": NUMBER,
    "device": str,
    "samples": {str: NUMBER},
    "evaluated": {str: int},
    "methods": {str: str},
    "parameters": int,
    "data": str,
    "metrics": {str: {str: NUMBER}},
    "settings": {str: object},
    # Of a table of one's own: names of classes, how it was read, scores of what predicts without a net.
    "classes": [str],
    "notes": [str],
    "baselines": {str: {str: NUMBER}},
}
"""What summary.json holds: types, lists of one type, mappings from one type to another."""
NEEDED = ("run", "status", "seeds", "steps", "epochs", "seconds", "device", "metrics", "settings")
"""What every reader of a single run needs of it."""

DAMAGED, FAILED, UNFINISHED = "damaged", "failed", "unfinished"
STATUSES = ("done", "diverged", FAILED, UNFINISHED, DAMAGED)
"""How a run that is looked at from outside may stand."""

SIGNS = frozenset({"config.yaml", "summary.json", "done.json", "failed.json", "checkpoint.pt"})
"""A folder with one of these is a run's."""


def run_folders(runs: Path) -> list[Path]:
    """The folders of all runs below a folder, in the order of their paths; links are not followed."""
    return sorted(_below(runs))


def _below(folder: Path) -> Iterator[Path]:
    with suppress(OSError), os.scandir(folder) as found:
        entries = list(found)
        if any(entry.name in SIGNS for entry in entries):
            yield folder
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _below(Path(entry.path))


def folders_of(folders: Iterable[Path]) -> list[Path]:
    """Where runs lie: each in its own folder, or in another one of the same id beside it, as older names had it.

    A finished run goes before one that is not, and the run's own folder before others.

    Args:
        folders: as the runs are called now, each name ending in "-ID".
    """

    @cache
    def beside(shelf: Path) -> Mapping[str, list[str]]:
        by_id: dict[str, list[str]] = {}
        with suppress(OSError), os.scandir(shelf) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    by_id.setdefault(entry.name.rpartition("-")[2], []).append(entry.name)
        return by_id

    def one(folder: Path) -> Path:
        names = beside(folder.parent).get(folder.name.rpartition("-")[2], [])
        if not set(names) - {folder.name}:
            return folder
        there = sorted((folder.with_name(name) for name in names), key=lambda f: (f != folder, f.name))
        for sign in ("done.json", "checkpoint.pt"):
            if begun := [f for f in there if (f / sign).is_file()]:
                return begun[0]
        return there[0]

    return [one(folder) for folder in folders]


def read_summary(folder: Path, whole: bool = True) -> dict[str, Any]:
    """The content of a run's summary.json.

    Args:
        folder: of the run.
        whole: refuse it too where a key is missing.

    Raises:
        UserError: there is none, or it is not what a run writes.
    """
    path = folder / "summary.json"
    content = read_json(path)
    missing = [key for key in NEEDED if key not in content] if whole else []
    wrong = [key for key, shape in SUMMARY.items() if key in content and not fits(content[key], shape)]
    if missing or wrong:
        what = f"no {missing[0]}" if missing else f"{wrong[0]} is {str(content[wrong[0]])[:40]!r}"
        raise UserError(f"{path} is damaged ({what}); train the run again with force=true")
    return content


def fits(value: Any, shape: Any) -> bool:
    """Whether a value out of JSON has a shape as in `SUMMARY`."""
    if isinstance(shape, Mapping):
        ((key, inside),) = shape.items()
        return isinstance(value, dict) and all(isinstance(k, key) and fits(v, inside) for k, v in value.items())
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(v, shape[0]) for v in value)
    return isinstance(value, shape) and (shape in (bool, object) or not isinstance(value, bool))
