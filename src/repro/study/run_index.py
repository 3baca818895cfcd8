"""Which run a job is, remembered from one command to the next, since composing a configuration takes its time.

The memory lies in the user's cache folder. It counts only as long as no configuration file, nor the code that makes
configurations into identities, has changed; where it cannot be written, nothing is remembered.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from repro.config.compose import Composer
from repro.config.identity import NUMBERS
from repro.config.run import checked
from repro.datasets.store.files import cache_root
from repro.errors import UserError
from repro.paths import PACKAGE, conf_dir, experiments_dir
from repro.storage.files import write_atomic


@dataclass(frozen=True)
class Planned:
    """A run that is to be, or is there already.

    Attributes:
        id: of the run.
        folder: where its files lie, or would lie.
        seeds: of its replicas.
    """

    id: str
    folder: Path
    seeds: tuple[int, ...]


def planned(jobs: Sequence[Sequence[str]], results_dir: str) -> list[Planned]:
    """The run of each job, given by its words.

    Raises:
        UserError: what `repro train` would say of the same words.
    """
    file = cache_root() / "planned.json"
    now = _fingerprint()
    memory = _read(file)
    known: dict[str, Any] = memory["runs"] if memory.get("fingerprint") == now else {}
    keys = [_key(words) for words in jobs]
    missing = [i for i, key in enumerate(keys) if key not in known]
    if missing:
        fresh = _composed([jobs[i] for i in missing])
        known |= {keys[i]: found for i, found in zip(missing, fresh, strict=True)}
        _write(file, {"fingerprint": now, "runs": {k: v for k, v in known.items() if v[0]}})
    return [Planned(v[1], Path(results_dir) / "runs" / v[2], tuple(v[3])) for v in (known[key] for key in keys)]


def _composed(jobs: Sequence[Sequence[str]]) -> list[list[Any]]:
    """Whether it may be remembered, id, folder below `runs`, and seeds, of each job."""
    if GlobalHydra.instance().is_initialized():
        GlobalHydra.instance().clear()
    found: list[list[Any]] = []
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        compose = Composer()
        for words in jobs:
            run = checked(compose.settings([*words, "results_dir=."]))
            # The identity of these goes by the content of other files.
            own = bool(run.settings["trusted"]) or "path" in (run.settings["dataset"] or {})
            found.append([not own, run.id, str(run.folder.relative_to("runs")), list(run.seeds)])
    return found


def _key(words: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(words)).encode()).hexdigest()[:32]


def _fingerprint() -> str:
    """Hash of everything that a job's identity follows from, besides its words."""
    total = hashlib.sha256(str(NUMBERS).encode())
    own = Path.cwd() / "conf"
    folders = [conf_dir(), experiments_dir(), *([own] if own.resolve() != conf_dir().resolve() else [])]
    for path in [
        *sorted((PACKAGE / "config").glob("*.py")),
        *(f for folder in folders for f in sorted(folder.rglob("*.yaml"))),
    ]:
        total.update(str(path).encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def _read(file: Path) -> dict[str, Any]:
    try:
        memory = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return memory if isinstance(memory, dict) and isinstance(memory.get("runs"), dict) else {}


def _write(file: Path, memory: dict[str, Any]) -> None:
    try:
        write_atomic(file, json.dumps(memory))
    except UserError:  # no place to remember it in
        return
