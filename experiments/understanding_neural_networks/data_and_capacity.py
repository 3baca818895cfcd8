"""Figures of data and capacity: test accuracy by number of training images, and how far training accuracy is ahead."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, QUIET, TEXT, VERMILLION, figure
from repro.plots.sweeps import footnote, places, sweep

SIZE = "dataset.size"
NAMES = {"linear": "linear", "mlp": "64-64 ReLUs", "nielsen": "784-30-10, Nielsen's recipe", "svm": "SVM"}
COLORS = {"linear": BLUE, "mlp": VERMILLION, "nielsen": GREEN, "svm": QUIET}
# fig/more_data.json and fig/more_data_svm.json of the book's code, per cent
PUBLISHED_SIZES = (100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000)
PUBLISHED = {
    "nielsen": (69.09, 76.37, 85.29, 88.85, 91.27, 93.24, 94.89, 95.85, 95.97),
    "svm": (25.07, 48.93, 75.13, 83.87, 88.49, 91.46, 92.45, 93.47, 94.48),
}


def figures(tables: Tables) -> dict[str, Figure]:
    """Test accuracy of all four, with the published ones, and the gap between training and test accuracy of two."""
    runs = tables.runs
    if not {"test_accuracy", "support_vectors_accuracy"} <= set(runs.columns):
        return {}
    # One column for nets and the machine.
    runs = runs.assign(
        accuracy=runs["test_accuracy"].fillna(runs["support_vectors_accuracy"]),
        gap=runs["train_accuracy"] - runs["test_accuracy"],
    )
    at = sorted({*places(runs, SIZE), *(PUBLISHED_SIZES if runs["scale"].eq("full").any() else ())})
    fig = figure(TEXT, 3.4)
    left, right = fig.subplots(1, 2, width_ratios=(3, 2))
    for name in NAMES:
        _line(left, runs, name, "accuracy", at)
    for name in ("linear", "mlp"):
        _line(right, runs, name, "gap", at)
    for name, published in PUBLISHED.items() if runs["scale"].eq("full").any() else ():
        where = [at.index(size) for size in PUBLISHED_SIZES]
        own = [value / 100 for value in published]
        left.plot(where, own, "x:", color=COLORS[name], label=f"{NAMES[name]}, published", markersize=4, linewidth=0.9)
    left.set(xlabel="training images", ylabel="test accuracy", ylim=(0, 1.03))
    right.axhline(0, color=QUIET, linewidth=0.8, zorder=0)
    right.set(xlabel="training images", ylabel="training − test accuracy")
    for ax in (left, right):
        scales.name_ticks(ax.xaxis, range(len(at)), [_short(value) for value in at])
    legends.outside(fig, [left, right], loc="outside upper left", ncols=3, fontsize="small")
    footnote(fig, runs)
    return {"by_size": fig}


def _line(ax: Axes, runs: pd.DataFrame, name: str, column: str, at: list[float]) -> None:
    sweep(ax, runs[runs["variant"] == name], SIZE, column, at, label=NAMES[name], color=COLORS[name])


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
