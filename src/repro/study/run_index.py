"""Which run a job is, remembered from one command to the next, since composing a configuration takes its time.

What is remembered counts only as long as no configuration file, nor the code that makes configurations into identities,
has changed.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from repro.bars import tracked
from repro.config.compose import Composer
from repro.config.identity import NUMBERS
from repro.config.run import checked
from repro.paths import PACKAGE, conf_dir, experiments_dir, own_conf
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
    fingerprint = _fingerprint()
    cache = Cache(cache_root(), "runs", fingerprint)
    keys = [_key(words) for words in jobs]
    known = cache.read(dict.fromkeys(keys))
    missing = [i for i, key in enumerate(keys) if key not in known]
    if missing:
        fresh = dict(
            zip((keys[i] for i in missing), _composed([jobs[i] for i in missing], _composer(fingerprint)), strict=True)
        )
        known |= fresh
        cache.write({key: run for key, run in fresh.items() if run[0]})
    runs = [known[key] for key in keys]
    folders = folders_of(Path(results_dir) / "runs" / run[2] for run in runs)
    return [PlannedRun(run[1], folder, tuple(run[3])) for run, folder in zip(runs, folders, strict=True)]


@lru_cache(maxsize=1)
def _composer(_fingerprint: str) -> Composer:
    """One for all experiments, as long as no file changes."""
    return Composer()


def _composed(jobs: Sequence[Sequence[str]], compose: Composer) -> list[list[Any]]:
    """Whether it may be remembered, id, folder below `runs`, and seeds, of each job."""
    if GlobalHydra.instance().is_initialized():
        GlobalHydra.instance().clear()
    runs: list[list[Any]] = []
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        for words in tracked(jobs, "composing", "run"):
            run = checked(compose.settings([*words, "results_dir=."]))
            # The identity of these goes by the content of other files.
            own = bool(run.settings["trusted"]) or "path" in (run.settings["dataset"] or {})
            runs.append([not own, run.id, str(run.folder.relative_to("runs")), list(run.seeds)])
    return runs


def _key(words: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(words)).encode()).hexdigest()[:32]


def _fingerprint() -> str:
    """Hash of everything that a job's identity follows from, besides its words."""
    total = hashlib.sha256(str(NUMBERS).encode())
    own = own_conf()
    folders = [conf_dir(), experiments_dir(), *([own] if own else [])]
    for path in [
        *sorted((PACKAGE / "config").glob("*.py")),
        *(f for folder in folders for f in sorted(folder.rglob("*.yaml")) if f.is_file()),
    ]:
        total.update(str(path).encode())
        total.update(path.read_bytes())
    return total.hexdigest()
