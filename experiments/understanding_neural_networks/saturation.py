"""Figures of saturation: accuracy and the vanishing ratio against depth, activation by activation."""

from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import QUIET, TEXT, activation_look, figure
from repro.plots.sweeps import footnote, places, sweep

DEPTH = "architecture.depth"
NAMES = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU"}
CHANCE = 0.1


def figures(tables: Tables) -> dict[str, Figure]:
    """Test accuracy, and the first layer's gradient over the last's before training."""
    runs = tables.runs
    if not {"test_accuracy", "first_vanishing_ratio"} <= set(runs.columns):
        return {}
    at = places(runs, DEPTH)
    fig = figure(TEXT, 2.9)
    left, right = fig.subplots(1, 2)
    for name in (name for name in NAMES if (runs["variant"] == name).any()):
        own, color = runs[runs["variant"] == name], activation_look(name).color
        sweep(left, own, DEPTH, "test_accuracy", at, label=NAMES[name], color=color)
        sweep(right, own, DEPTH, "first_vanishing_ratio", at, label=NAMES[name], color=color)
    left.axhline(CHANCE, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
    left.set(xlabel="hidden layers", ylabel="test accuracy", ylim=(0, 1.03))
    right.axhline(1, color=QUIET, linewidth=0.8, zorder=0)
    right.set(xlabel="hidden layers", ylabel="gradient before training,\nfirst layer over last")
    scales.log_axis(right.yaxis, [1.0, *runs["first_vanishing_ratio"]])
    legends.outside(fig, [left, right], loc="outside upper left", ncols=3, fontsize="small")
    footnote(fig, runs, "dashed: always the same class")
    return {"by_depth": fig}
