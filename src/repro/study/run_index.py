"""Which run a job is, remembered from one command to the next, since composing a configuration takes its time.

What is remembered counts only as long as no file has changed that a job's identity follows from: its experiment's,
those of the components, and the code that makes configurations into identities.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.bars import tracked
from repro.config import yaml_files
from repro.config.compose import composer, initialized
from repro.config.identity import NUMBERS
from repro.config.run import checked
from repro.paths import PACKAGE, conf_dirs, experiments_dir, own_conf
from repro.storage.cache import Cache, cache_root
from repro.storage.run_files import folders_of


@dataclass(frozen=True)
class PlannedRun:
    """A run that is to be, or is there already.

    Attributes:
        id: of the run.
        folder: where its files lie, or would lie.
        seeds: of its replicas.
    """

    id: str
    folder: Path
    seeds: tuple[int, ...]


def runs_of(jobs: Sequence[Sequence[str]], results_dir: str) -> list[PlannedRun]:
    """The run of each job, given by its words.

    Raises:
        UserError: what `repro train` would say of the same words.
    """
    cache = Cache(cache_root(), "runs", _hash(_shared()))
    own = {name: _hash(_files_of(name)) for name in {_experiment(words) for words in jobs}}
    keys = [_key(words, own[_experiment(words)]) for words in jobs]
    known = cache.read(dict.fromkeys(keys))
    missing = [i for i, key in enumerate(keys) if key not in known]
    if missing:
        fresh = dict(zip((keys[i] for i in missing), _composed([jobs[i] for i in missing]), strict=True))
        known |= fresh
        cache.write({key: run for key, run in fresh.items() if run[0]})
    runs = [known[key] for key in keys]
    folders = folders_of(Path(results_dir) / "runs" / run[2] for run in runs)
    return [PlannedRun(run[1], folder, tuple(run[3])) for run, folder in zip(runs, folders, strict=True)]


def _composed(jobs: Sequence[Sequence[str]]) -> list[list[Any]]:
    """Whether it may be remembered, id, folder below `runs`, and seeds, of each job."""
    runs: list[list[Any]] = []
    with initialized():
        compose = composer()
        for words in tracked(jobs, "composing", "run"):
            run = checked(compose.settings([*words, "results_dir=."]))
            # The identity of these goes by the content of other files.
            own = bool(run.settings["trusted"]) or "path" in (run.settings["dataset"] or {})
            runs.append([not own, run.id, str(run.folder.relative_to("runs")), list(run.seeds)])
    return runs


def _key(words: Sequence[str], experiment: str) -> str:
    return hashlib.sha256(json.dumps([*words, experiment]).encode()).hexdigest()[:32]


def _experiment(words: Sequence[str]) -> str:
    """The experiment that a job names; empty where it names none."""
    return next((word.partition("=")[2] for word in reversed(words) if word.startswith("experiment=")), "")


def _shared() -> list[Path]:
    """The files that the identity of every job follows from, besides its words."""
    own = own_conf()
    folders = [*conf_dirs(), *([own] if own else [])]
    return [
        *sorted((PACKAGE / "config").glob("*.py")),
        *(f for folder in folders for f in sorted(folder.rglob("*.yaml")) if f.is_file()),
    ]


def _experiments() -> list[Path]:
    return sorted(experiments_dir().glob("*/*.yaml"))


def _files_of(experiment: str) -> list[Path]:
    """The file of an experiment; those of all where it is made of others, or is none that comes with repro."""
    path = experiments_dir() / f"{experiment}.yaml"
    if not experiment or not path.is_file():
        return _experiments()
    defaults = yaml_files.read(path).get("defaults") or []
    return [path] if all(map(_chooses, defaults)) else _experiments()


def _chooses(entry: Any) -> bool:
    """Whether an entry of a file's defaults chooses components, and takes in no other file."""
    return entry == "_self_" or (isinstance(entry, Mapping) and all(str(key).startswith("override ") for key in entry))


def _hash(files: Iterable[Path]) -> str:
    total = hashlib.sha256(str(NUMBERS).encode())
    for path in files:
        total.update(str(path).encode())
        total.update(path.read_bytes())
    return total.hexdigest()
