"""Finished runs side by side: those that differ in nothing but the seed put together, differences seed by seed."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from repro.config.identity import NOT_SCIENTIFIC
from repro.config.naming import SEEDS, value, varied, words
from repro.errors import UserError
from repro.storage.metrics import SPLITS
from repro.storage.run_files import read_summary
from repro.storage.statistics import Estimate, mean_in_words, paired
from repro.storage.tables import cell, finite
from repro.text.tables import table

# Where a run lies and how it was asked for says nothing of what it is.
_APART = frozenset(
    {"results_dir", "data_dir", "dataset.data_dir", "force", "trusted", "tensorboard", "wandb", "mlflow"}
)
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


@dataclass(frozen=True)
class Setting:
    """Runs that differ in nothing but the seed, whether their seeds were stacked or trained one by one.

    A seed that several of them have counts once, as the first of them has it.

    Attributes:
        label: what it is called.
        runs: one or more.
        settings: what the runs have in common, by dotted name.
    """

    label: str
    runs: tuple[Finished, ...]
    settings: dict[str, Any]

    @cached_property
    def owners(self) -> dict[int, Finished]:
        """The run that each seed is taken from, in the order of the seeds."""
        owners: dict[int, Finished] = {}
        for run in self.runs:
            for seed in run.seeds:
                owners.setdefault(seed, run)
        return dict(sorted(owners.items()))

    @property
    def seeds(self) -> list[int]:
        """All of them, in order."""
        return list(self.owners)

    @property
    def diverged(self) -> list[int]:
        """The seeds whose loss was no longer finite."""
        return [s for s, run in self.owners.items() if str(s) in run.summary.get("diverged_at_step", {})]

    def values(self, metric: str) -> dict[int, float]:
        """A final metric by seed, where it is finite."""
        values = {s: run.summary["metrics"].get(str(s), {}).get(metric) for s, run in self.owners.items()}
        return {seed: float(value) for seed, value in values.items() if value is not None and finite(value)}


def load(folders: Sequence[Path]) -> list[Finished]:
    """The runs in some folders.

    Raises:
        UserError: fewer than two, one of them twice or in two places, or a damaged summary.
    """
    runs = [loaded(folder) for folder in folders]
    if len(runs) < 2:
        raise UserError("one run has nothing to be compared with; name two or more")
    for i, run in enumerate(runs):
        if any(run.folder.resolve() == other.folder.resolve() for other in runs[:i]):
            raise UserError(f"the run in {run.folder} is named twice; name each once")
    for i, run in enumerate(runs):
        if run.id in {other.id for other in runs[:i]}:
            raise UserError(f"{run.folder} has the same id as another run, {run.id}; they are the same run")
    return runs


def loaded(folder: Path) -> Finished:
    """The run in a folder; raises a `UserError` where its summary is damaged."""
    return Finished(folder.resolve().name.rpartition("-")[2], folder, read_summary(folder))


def one_by_one(runs: Sequence[Finished]) -> list[Setting]:
    """Each run by itself, called by its id."""
    return [Setting(run.id, (run,), run.settings) for run in runs]


def by_setting(runs: Sequence[Finished]) -> list[Setting]:
    """The runs put together that differ in nothing but the seed, each setting called by what is its own in it.

    What follows the seed, as the seed of a data set may, counts as the seed does; what moves no number does not count.
    """
    following = _following(runs)
    together: dict[str, list[Finished]] = {}
    for run in runs:
        own = {n: v for n, v in run.settings.items() if n not in NOT_SCIENTIFIC and n not in following}
        own.pop("choices.experiment", None)
        together.setdefault(json.dumps(own, sort_keys=True), []).append(run)
    groups = [tuple(group) for group in together.values()]
    common = [{n: v for n, v in group[0].settings.items() if n not in following} for group in groups]
    settings = [Setting("", group, own) for group, own in zip(groups, common, strict=True)]
    names = varied([one.settings for one in settings])
    labels = [words(one.settings, names) for one in settings]
    if len(settings) == 1:
        return [replace(settings[0], label="all")]
    unique = {label for label in labels if label and labels.count(label) == 1}
    return [
        replace(one, label=label if label in unique else " ".join(filter(None, [label, one.runs[0].id])))
        for one, label in zip(settings, labels, strict=True)
    ]


def _following(runs: Sequence[Finished]) -> frozenset[str]:
    """The seed, and settings that are the seed in every run."""
    seeds = [run.settings.get("seed") for run in runs]
    names = {name for run in runs for name in run.settings if name.endswith(".seed")}
    own = {name for name in names if [run.settings.get(name) for run in runs] == seeds}
    return frozenset({*SEEDS, *(own if len(set(map(str, seeds))) > 1 else ())})


def by_number(settings: Sequence[Setting]) -> tuple[str, dict[str, list[tuple[float, Setting]]]]:
    """Settings that differ in one number, and perhaps in words.

    Returns:
        The number's name, and for each combination of the words its values with their settings; nothing where there is
        no such number, or more than one.
    """
    names = varied([one.settings for one in settings])
    numbers = [n for n in names if all(finite(value(one.settings, n)) for one in settings)]
    lines: dict[str, list[tuple[float, Setting]]] = {}
    if len(numbers) != 1:
        return "", lines
    for one in settings:
        line = words(one.settings, [name for name in names if name != numbers[0]])
        lines.setdefault(line, []).append((float(value(one.settings, numbers[0])), one))
    return numbers[0], lines


def differing(settings: Sequence[Setting]) -> pd.DataFrame:
    """What is not the same in all settings: a row a name, a column a setting."""
    own = [one.settings for one in settings]
    names = dict.fromkeys(name for one in own for name in one if name not in _APART)
    found = [name for name in names if len({_cell(one, name) for one in own}) > 1]
    # Another activation has another class, which nobody needs to be told.
    chosen = {name.removeprefix("choices.") for name in found if name.startswith("choices.")}
    shown = [n for n in found if not (n.rpartition(".")[2].startswith("_") and n.partition(".")[0] in chosen)]
    shown.sort(key=lambda name: not name.startswith("choices."))
    rows = [(name.removeprefix("choices."), *(_cell(one, name) for one in own)) for name in shown]
    return pd.DataFrame(rows, columns=["setting", *(one.label for one in settings)], dtype="str")


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


def at_the_end(settings: Sequence[Setting], metrics: Sequence[str], heading: str = "setting") -> pd.DataFrame:
    """One row a setting: each metric's mean over the seeds with interval and n, and how many diverged if any did."""
    rows = []
    for one in settings:
        row = {heading: one.label} | {
            metric: mean_in_words(list(one.values(metric).values()), ABSENT) for metric in metrics
        }
        rows.append(row | {"diverged": f"{len(one.diverged)} of {len(one.seeds)}"})
    found = pd.DataFrame(rows)
    return found if any(one.diverged for one in settings) else found.drop(columns="diverged")


def to_first(one: Setting, first: Setting, metric: str) -> Estimate | None:
    """Mean of a metric minus the first setting's, over the seeds that both have; None where there is none."""
    own, others = one.values(metric), first.values(metric)
    both = [seed for seed in own if seed in others]
    return paired([own[seed] for seed in both], [others[seed] for seed in both]) if both else None


def differences_to_first(
    settings: Sequence[Setting], metrics: Collection[str], heading: str = "setting"
) -> pd.DataFrame:
    """One row a setting that has a seed in common with the first; no rows where none has."""
    first, rows = settings[0], []
    for one in settings[1:]:
        if set(one.seeds) & set(first.seeds):
            found = {metric: to_first(one, first, metric) for metric in metrics}
            rows.append(
                {heading: one.label}
                | {m: f"{ABSENT} (n=0)" if difference is None else str(difference) for m, difference in found.items()}
            )
    return pd.DataFrame(rows, columns=[heading, *metrics])


def told(settings: Sequence[Setting], metrics: Sequence[str], heading: str = "setting") -> list[str]:
    """Final metrics and the differences seed by seed, a paragraph each.

    Args:
        metrics: at least one.
        heading: what a setting is.
    """
    first = settings[0]
    parts = [
        f"at the end: mean over the seeds, 95 % interval, n\n{table(at_the_end(settings, metrics, heading), 'text')}"
    ]
    pairs = differences_to_first(settings, metrics, heading)
    if len(pairs):
        parts.append(f"minus {first.label}, seed by seed\n{table(pairs, 'text')}")
    idle = [run.id for one in settings for run in one.runs if run not in one.owners.values()]
    if idle:
        parts.append(f"not counted, since runs of the same settings have the same seeds: {', '.join(idle)}")
    others = [one.label for one in settings[1:] if not set(one.seeds) & set(first.seeds)]
    if others:
        parts.append(f"{', '.join(others)}: other seeds than {first.label}, so there is no difference seed by seed")
    return parts
