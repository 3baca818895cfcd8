"""Figures of batches that end at the same loss: what they tell then, and how long it took; gradients."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.diagnostics.ranges import range_of
from repro.plots import scales
from repro.plots.blocks import error_bars
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, QUIET, TEXT, VERMILLION, explain, figure
from repro.plots.sweeps import seed_dots
from repro.storage.statistics import estimate

FITTED = 0.02  # training loss


def figures(tables: Tables) -> dict[str, Figure]:
    """Test accuracy and epochs at the loss, and relative errors of gradients; whichever there are runs of."""
    found = {}
    fitted = _fitted(tables.curves)
    if len(fitted):
        found["at_equal_loss"] = _at_equal_loss(fitted)
    errors = tables.curves[tables.curves["metric"] == "relative"]
    if len(errors):
        found["gradient_error"] = _errors(errors)
    return found


def _fitted(curves: pd.DataFrame) -> pd.DataFrame:
    """Of each run the first evaluation with a training loss below 0.02: its epoch and its test accuracy."""
    keys = ["variant", "seed", "step"]
    own = curves[curves["variant"].str.startswith("batch_")]
    loss = own[(own["split"] == "train") & (own["metric"] == "loss") & (own["value"] < FITTED)]
    first = loss.sort_values("step").groupby(["variant", "seed"], as_index=False).first()[[*keys, "epoch"]]
    told = own[(own["split"] == "test") & (own["metric"] == "accuracy")][[*keys, "value"]]
    found = first.merge(told, on=keys)
    return found.assign(size=found["variant"].str.removeprefix("batch_").astype(int))


def _at_equal_loss(fitted: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.6)
    left, right = fig.subplots(1, 2)
    _by_size(left, fitted, "value", range_of("accuracy"))
    _by_size(right, fitted, "epoch", (0.0, np.inf))
    left.set(ylabel="test accuracy")
    right.set(ylabel="epochs")
    scales.value_axis(right.yaxis, fitted["epoch"].tolist())
    counts = sorted(fitted.groupby("size")["seed"].nunique().unique())
    explain(
        fig,
        f"at the first evaluation with a mean training loss below {FITTED:g}",
        f"mean of n={' to '.join(map(str, counts))} seeds and its 95 % interval; dots: seeds",
    )
    return fig


def _by_size(ax: Axes, fitted: pd.DataFrame, column: str, within: tuple[float, float]) -> None:
    groups = {float(size): fitted[fitted["size"] == size][column].tolist() for size in sorted(fitted["size"].unique())}
    for size, values in groups.items():
        seed_dots(ax, size, values, BLUE)
    means = [estimate(values) for values in groups.values()]
    error_bars(ax, [*groups], means, label="_mean", color=BLUE, within=within, fmt="o-", markersize=4)
    ax.set_xlabel("samples in a batch")
    scales.log_axis(ax.xaxis, [*groups])


def _errors(errors: pd.DataFrame) -> Figure:
    fig = figure(TEXT * 0.6, 2.6)
    ax = fig.subplots()
    groups = {float(n): errors[errors["step"] == n]["value"].tolist() for n in sorted(errors["step"].unique())}
    for size, values in groups.items():
        seed_dots(ax, size, values, BLUE)
    sizes = np.array([*groups])
    means = np.array([np.mean(values) for values in groups.values()])
    ax.plot(sizes, means, "o-", color=BLUE, markersize=4, label="mean")
    ax.plot(sizes, means[0] * np.sqrt(sizes[0] / sizes), ":", color=VERMILLION, label="one over the root")
    ax.plot(sizes, means[0] * sizes[0] / sizes, "--", color=QUIET, label="one over the size")
    ax.set(xlabel="samples in a batch", ylabel="relative error of the gradient")
    scales.log_axis(ax.xaxis, [*groups])
    scales.value_axis(ax.yaxis, [*means, means[0] / sizes[-1]])
    ax.legend(loc="lower left")
    explain(fig, f"root mean square over batches; mean of n={errors['seed'].nunique()} seeds; dots: seeds")
    return fig
