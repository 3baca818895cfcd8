"""The runs of a results folder at a glance: how each ended, what is its own in its settings, its final metrics."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from repro.config.groups import flatten
from repro.config.naming import differences, value, written
from repro.errors import UserError, unknown
from repro.storage.cache import Cache
from repro.storage.files import read_json
from repro.storage.metrics import SPLITS, main_metric
from repro.storage.run_files import DAMAGED, FAILED, STATUSES, UNFINISHED, read_summary, run_folders
from repro.storage.tables import finite

MOST = 100_000  # seeds of a run; beyond, its settings are not to be believed


@dataclass(frozen=True)
class Listed:
    """A run in a results folder.

    Attributes:
        folder: of the run.
        name: its path below `runs`.
        status: one of STATUSES.
        when: it ended, or was last saved.
        settings: all of them by dotted name; none where the run is damaged.
        seeds: in order.
        metric: the name of its main metric; None where it was scored on nothing.
        values: the metric at the end by split, the mean over the seeds that did not diverge.
    """

    folder: Path
    name: str
    status: str
    when: datetime
    settings: Mapping[str, Any]
    seeds: Sequence[int]
    metric: str | None
    values: Mapping[str, float]

    @property
    def id(self) -> str:
        """The end of its folder's name."""
        return self.name.rpartition("-")[2]

    @property
    def own(self) -> dict[str, Any]:
        """The settings that are not the default ones; the data set only where the folder above is not called by it."""
        found = differences(self.settings)
        return {n: v for n, v in found.items() if n != "dataset" or v != self.name.rpartition("/")[0]}


def runs_in(results_dir: Path, cache: Cache) -> list[Listed]:
    """The runs of a results folder, the newest first.

    Args:
        cache: where the settings of runs that have not finished are remembered: reading YAML takes its time.
    """
    runs = results_dir / "runs"
    folders = run_folders(runs)
    unfinished = {_key(folder): folder for folder in folders if not (folder / "done.json").is_file()}
    known = cache.read(unfinished)
    fresh = {key: settings_of(folder) for key, folder in unfinished.items() if key not in known}
    cache.write({key: settings for key, settings in fresh.items() if settings})
    settings = {folder: (known | fresh)[key] for key, folder in unfinished.items()}
    found = [_listed(folder, runs, settings.get(folder)) for folder in folders]
    return sorted(found, key=lambda run: (run.when, run.name), reverse=True)


def _key(folder: Path) -> str:
    """A run's config.yaml as it is now."""
    try:
        at = (folder / "config.yaml").stat()
    except OSError:
        return str(folder.resolve())
    return f"{folder.resolve()}:{at.st_mtime_ns}:{at.st_size}"


def settings_of(folder: Path) -> dict[str, Any]:
    """The settings of a run, finished or not, by dotted name; none where its files are damaged."""
    from omegaconf import OmegaConf

    from repro.config.yaml_files import load

    try:
        if (folder / "summary.json").is_file():
            return dict(read_summary(folder)["settings"])
        content: Any = OmegaConf.to_container(load(folder / "config.yaml"), resolve=False)
        flat = flatten(content) if isinstance(content, Mapping) else {}
        return {name: v for name, v in json.loads(json.dumps(flat)).items() if not name.startswith("reproduction")}
    except (UserError, TypeError, ValueError, RecursionError):
        return {}


def _listed(folder: Path, runs: Path, unfinished: Mapping[str, Any] | None) -> Listed:
    name = folder.relative_to(runs).as_posix()
    if unfinished is not None:
        status = FAILED if (folder / "failed.json").is_file() else UNFINISHED
        seed, replicas = unfinished.get("seed"), unfinished.get("replicas", 1)
        if not (isinstance(seed, int) and isinstance(replicas, int) and replicas <= MOST):
            return Listed(folder, name, DAMAGED, _saved(folder), {}, (), None, {})
        seeds = range(seed, seed + replicas)
        return Listed(folder, name, status, _saved(folder), unfinished, seeds, None, {})
    try:
        summary = read_summary(folder)
    except UserError:
        return Listed(folder, name, DAMAGED, _saved(folder), {}, (), None, {})
    metric, values = _scores(summary["metrics"])
    status = summary["status"] if summary["status"] in STATUSES else DAMAGED
    return Listed(folder, name, status, _ended(folder), summary["settings"], sorted(summary["seeds"]), metric, values)


def _scores(metrics: Mapping[str, Mapping[str, Any]]) -> tuple[str | None, dict[str, float]]:
    """The main metric, and its mean over the seeds by split."""
    names = dict.fromkeys(name for own in metrics.values() for name in own if not name.endswith("_at_best_valid"))
    split = [name.partition("_") for name in names]
    main = main_metric(rest for part, _, rest in split if part in SPLITS)
    values = {}
    for part in SPLITS if main else ():
        numbers = [own[f"{part}_{main}"] for own in metrics.values() if finite(own.get(f"{part}_{main}"))]
        if numbers:
            values[part] = sum(numbers) / len(numbers)
    return main, values


def _ended(folder: Path) -> datetime:
    """When a run ended, as it says itself: a copy of it has other times."""
    try:
        at = datetime.fromisoformat(str(read_json(folder / "provenance.json")["finished"]))
        return at.astimezone(UTC)
    except (UserError, KeyError, ValueError, OverflowError):
        return _saved(folder)


def _saved(folder: Path) -> datetime:
    """When a run was last written to."""
    times = [0.0]
    for name in ("done.json", "failed.json", "checkpoint.pt", "config.yaml"):
        with suppress(OSError):
            times.append((folder / name).stat().st_mtime)
    try:
        return datetime.fromtimestamp(max(times), UTC)
    except (ValueError, OverflowError, OSError):  # a time that no calendar has
        return datetime.fromtimestamp(0, UTC)


def chosen(runs: Sequence[Listed], filters: Sequence[str]) -> list[Listed]:
    """The runs that every filter fits.

    Args:
        filters: KEY=VALUE for a setting, a group's option, `status` or `seed`, VALUE being several with commas between
            them, or patterns; or a part of a run's name.

    Raises:
        UserError: no run has such a setting, or can have such a status.
    """
    left = list(runs)
    for word in filters:
        key, equals, wanted = word.partition("=")
        if not equals:
            left = [run for run in left if word in run.name]
            continue
        if key == "status":
            _check_statuses(wanted.split(","))
        if runs and key not in ("status", "seed") and not any(_names(run, key) for run in runs):
            raise _unknown(key, runs)
        left = [run for run in left if any(_fits(one, wanted.split(",")) for one in _values(run, key))]
    return left


def _check_statuses(words: Sequence[str]) -> None:
    for word in words:
        if not any(fnmatchcase(status, word) for status in STATUSES):
            raise unknown("status", word, STATUSES)


def _values(run: Listed, key: str) -> list[Any]:
    if key == "status":
        return [run.status]
    if key == "seed":
        return list(run.seeds)
    return [value(run.settings, name) for name in _names(run, key)]


def _names(run: Listed, key: str) -> list[str]:
    """The settings that a key means: the one of that name, or those that end with it."""
    if key in run.settings or f"choices.{key}" in run.settings:
        return [key]
    return [name for name in run.settings if name.endswith(f".{key}") and not name.startswith("choices.")]


def _fits(one: Any, wanted: Sequence[str]) -> bool:
    if finite(one):
        return any(_number(word) == one for word in wanted)
    return any(fnmatchcase(written(one), word) for word in (*wanted, ",".join(wanted)))


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _unknown(key: str, runs: Sequence[Listed]) -> UserError:
    known = {name.removeprefix("choices.") for run in runs for name in run.settings} | {"status", "seed"}
    near = get_close_matches(key, sorted(known | {name.rpartition(".")[2] for name in known}), n=3)
    hint = f" (did you mean {' or '.join(near)}?)" if near else "; settings are called as in repro train --cfg job"
    return UserError(f"no run has a setting {key!r}{hint}")
