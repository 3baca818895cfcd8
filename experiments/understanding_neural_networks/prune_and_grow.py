"""Figures of pruning and growing: accuracy by size on the way down, on the way up and of new nets, and chosen sizes."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.blocks import error_bars
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, QUIET, TEXT, VERMILLION, figure
from repro.plots.sweeps import footnote, seed_dots
from repro.storage.metrics import SHARE
from repro.storage.statistics import estimate

NAMES = {"prune": ("deleting units", BLUE), "grow": ("adding units", VERMILLION), "fresh": ("a new net each", GREEN)}
ON_THE_WAY = ("prune", "grow")
TUNED, CHANGED = "prune_and_grow_test_accuracy_of_", "prune_and_grow_changed_accuracy_of_"


def further_columns(tables: Tables) -> pd.DataFrame:
    """Test accuracy of each run's net of the size that the validation split chooses."""
    runs = tables.runs.dropna(subset=["prune_and_grow_chosen_size"])
    rows = [
        (row["run"], row["seed"], row[f"{TUNED}{row['prune_and_grow_chosen_size']:.0f}"]) for _, row in runs.iterrows()
    ]
    return pd.DataFrame(rows, columns=["run", "seed", "test_accuracy_of_chosen_size"])


def figures(tables: Tables) -> dict[str, Figure]:
    """Test accuracy against size, and which sizes the validation split chooses."""
    runs = tables.runs
    if "prune_and_grow_chosen_size" not in runs.columns:
        return {}
    fig = figure(TEXT, 3.3)
    left, right = fig.subplots(1, 2, width_ratios=(3, 1))
    at = _sizes(runs, TUNED)
    for name, (label, color) in NAMES.items():
        own = runs[runs["variant"] == name]
        _line(left, own, TUNED, at, label, color, "o-")
    before = runs[runs["variant"] == "prune"]
    _line(left, before, CHANGED, at, "deleting, before the rest is tuned", QUIET, "x:")
    scales.name_ticks(left.xaxis, range(len(at)), [str(size) for size in at])
    left.set(xlabel="hidden units", ylabel="test accuracy", ylim=(0, 1.03))
    # New nets were made of fewer sizes, among which another one would be chosen.
    for place, name in enumerate(ON_THE_WAY):
        label, color = NAMES[name]
        values = runs.loc[runs["variant"] == name, "prune_and_grow_chosen_size"].dropna().tolist()
        seed_dots(right, place, values, color)
        error_bars(right, [place], [estimate(values)], label=label, color=color)
    scales.name_ticks(right.xaxis, range(len(ON_THE_WAY)), ["deleting", "adding"])
    right.set(ylabel="chosen size", xlim=(-0.5, len(ON_THE_WAY) - 0.5))
    right.set_ylim(bottom=0)
    legends.outside(fig, [left], loc="outside upper left", ncols=2, fontsize="small")
    footnote(fig, runs)
    return {"by_size": fig}


def _sizes(runs: pd.DataFrame, prefix: str) -> list[int]:
    return sorted(int(name.removeprefix(prefix)) for name in runs.columns if name.startswith(prefix))


def _line(ax: Axes, runs: pd.DataFrame, prefix: str, at: list[int], label: str, color: str, marks: str) -> None:
    found = {size: runs[f"{prefix}{size}"].dropna().tolist() for size in _sizes(runs, prefix)}
    there = [size for size in at if found.get(size)]
    means = [estimate(found[size]) for size in there]
    places = [at.index(size) for size in there]
    error_bars(ax, places, means, label=label, color=color, within=SHARE, fmt=marks, markersize=4)
