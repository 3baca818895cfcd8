"""Finished runs side by side: the settings they differ in, their final metrics, differences seed by seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from repro.errors import UserError
from repro.storage.metrics import SPLITS
from repro.storage.run_files import read_summary
from repro.storage.statistics import Estimate, estimate, paired, with_interval
from repro.storage.tables import cell, finite

# Where a run lies and how it was asked for says nothing of what it is.
_APART = frozenset({"results_dir", "data_dir", "dataset.data_dir", "force", "trusted", "tensorboard"})
ABSENT = "–"


@dataclass(frozen=True)
class Finished:
    """A finished run.

    Attributes:
        id: the end of its folder's name.
        summary: content of its summary.json.
    """

    id: str
    folder: Path
    summary: dict[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """By dotted name."""
        return dict(self.summary["settings"])

    @property
    def seeds(self) -> list[int]:
        """All of them, in order."""
        return sorted(self.summary["seeds"])

    def values(self, metric: str) -> dict[int, float]:
        """A final metric by seed, where it is finite."""
        values = {int(seed): own.get(metric) for seed, own in self.summary["metrics"].items()}
        return {seed: float(value) for seed, value in sorted(values.items()) if value is not None and finite(value)}


def load(folders: Sequence[Path]) -> list[Finished]:
    """The runs in some folders.

    Raises:
        UserError: fewer than two, one of them twice or in two places, or a damaged summary.
    """
    runs = [Finished(f.resolve().name.rpartition("-")[2], f, read_summary(f)) for f in folders]
    if len(runs) < 2:
        raise UserError("one run has nothing to be compared with; name two or more")
    for i, run in enumerate(runs):
        if any(run.folder.resolve() == other.folder.resolve() for other in runs[:i]):
            raise UserError(f"the run in {run.folder} is named twice; name each once")
    for i, run in enumerate(runs):
        if run.id in {other.id for other in runs[:i]}:
            raise UserError(f"{run.folder} has the same id as another run, {run.id}; they are the same run")
    return runs


def differences(runs: Sequence[Finished]) -> pd.DataFrame:
    """The settings that are not the same in all runs: a row a setting, a column a run."""
    settings = [run.settings for run in runs]
    names = dict.fromkeys(name for own in settings for name in own if name not in _APART)
    differing = [name for name in names if len({_cell(own, name) for own in settings}) > 1]
    # Another activation has another class, which nobody needs to be told.
    chosen = {name.removeprefix("choices.") for name in differing if name.startswith("choices.")}
    shown = [n for n in differing if not (n.rpartition(".")[2].startswith("_") and n.partition(".")[0] in chosen)]
    shown.sort(key=lambda name: not name.startswith("choices."))
    rows = [(name.removeprefix("choices."), *(_cell(own, name) for own in settings)) for name in shown]
    return pd.DataFrame(rows, columns=["setting", *(run.id for run in runs)], dtype="str")


def _cell(settings: dict[str, Any], name: str) -> str:
    if name not in settings:
        return ABSENT
    value = settings[name]
    return "null" if value is None else cell(value)


def final_metrics(runs: Sequence[Finished]) -> list[str]:
    """The final metrics of the first split, of test, valid and train, that any run was scored on."""
    known = dict.fromkeys(name for run in runs for own in run.summary["metrics"].values() for name in own)
    for split in reversed(SPLITS):
        if own := [name for name in known if name.startswith(f"{split}_") and not name.endswith("_at_best_valid")]:
            return own
    return []


def at_the_end(runs: Sequence[Finished], metrics: Sequence[str]) -> pd.DataFrame:
    """One row a run: each metric's mean over the seeds with interval and n, and how many seeds diverged if any did."""
    rows = []
    for run in runs:
        row = {"run": run.id} | {metric: _told(list(run.values(metric).values())) for metric in metrics}
        rows.append(row | {"diverged": f"{len(run.summary.get('diverged_at_step', {}))} of {len(run.seeds)}"})
    table = pd.DataFrame(rows)
    return table if any(run.summary.get("diverged_at_step") for run in runs) else table.drop(columns="diverged")


def _told(values: Sequence[float]) -> str:
    if not values:
        return f"{ABSENT} (n=0)"
    mean = estimate(values)
    return with_interval(mean.value, mean.interval, mean.n)


def to_first(run: Finished, first: Finished, metric: str) -> Estimate | None:
    """Mean of a run's metric minus the first's, seed by seed; None where they have other seeds, or no values."""
    own, others = run.values(metric), first.values(metric)
    both = [seed for seed in own if seed in others]
    if run.seeds != first.seeds or not both:
        return None
    return paired([own[seed] for seed in both], [others[seed] for seed in both])


def differences_to_first(runs: Sequence[Finished], metrics: Sequence[str]) -> pd.DataFrame:
    """One row a run with the same seeds as the first; no rows where no run has them."""
    first, rows = runs[0], []
    for run in runs[1:]:
        if run.seeds == first.seeds:
            ratios = {metric: to_first(run, first, metric) for metric in metrics}
            rows.append(
                {"run": run.id}
                | {m: with_interval(f.value, f.interval, f.n) if f else f"{ABSENT} (n=0)" for m, f in ratios.items()}
            )
    return pd.DataFrame(rows, columns=["run", *metrics])
