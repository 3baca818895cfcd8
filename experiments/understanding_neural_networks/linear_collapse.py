"""Figures of depth without non-linearity: what three nets tell of three data sets, and how fast they learn one."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.blocks import curve, error_bars, in_words
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, QUIET, TEXT, activation_look, explain, figure
from repro.plots.sweeps import seed_dots
from repro.storage.statistics import estimate

SETS = {"circles": "circles", "xor": "exclusive or", "digits": "digits"}
NETS = {
    "linear": ("one linear layer", BLUE, "-"),
    "deep": ("five linear layers", GREEN, "--"),
    "relu": ("five layers, ReLU between", activation_look("relu").color, "-"),
}
APART = 0.2  # between the nets of a data set, on an axis on which data sets are 1 apart


def figures(tables: Tables) -> dict[str, Figure]:
    """Test accuracies of what was trained, and training loss on the last of the data sets."""
    runs = tables.runs
    there = {name: title for name, title in SETS.items() if runs["variant"].str.startswith(f"{name}_").any()}
    fig = figure(TEXT, 3.0)
    left, right = fig.subplots(1, 2)
    _accuracies(left, runs, there)
    last = [*there][-1]
    rows = tables.curves
    rows = rows[(rows["split"] == "train") & (rows["metric"] == "loss") & rows["variant"].str.startswith(f"{last}_")]
    for net, (label, color, dashes) in NETS.items():
        curve(right, rows[rows["variant"] == f"{last}_{net}"], "step", label=label, color=color, linestyle=dashes)
    right.set(title=there[last], xlabel="update", ylabel="training loss")
    scales.value_axis(right.yaxis, rows["value"])
    legends.outside(fig, [left, right], loc="outside upper center", ncols=3)
    explain(
        fig,
        "left: mean and 95 % interval, dots: seeds, dotted: chance of two classes",
        f"right: {in_words(rows, center='median')}",
    )
    return {"nets": fig}


def _accuracies(ax: Axes, runs: pd.DataFrame, there: dict[str, str]) -> None:
    for i, (net, (label, color, _)) in enumerate(NETS.items()):
        groups = [runs[runs["variant"] == f"{name}_{net}"]["test_accuracy"].dropna().tolist() for name in there]
        at = [place + (i - 1) * APART for place in range(len(there))]
        for place, values in zip(at, groups, strict=True):
            seed_dots(ax, place, values, color)
        error_bars(ax, at, [*map(estimate, groups)], label=label, color=color, markersize=4, within=(0, 1))
    ax.axhline(0.5, color=QUIET, linewidth=0.8, linestyle=":", zorder=0)
    scales.name_ticks(ax.xaxis, range(len(there)), [*there.values()])
    ax.set(ylabel="test accuracy", ylim=(0, 1.03), xlim=(-0.6, len(there) - 0.4))
