"""Figures of over-fitting in the plane: what nets say where, and accuracy by size and by what holds a net back."""

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from repro.diagnostics.ranges import range_of
from repro.plots import legends, scales
from repro.plots.blocks import error_bars
from repro.plots.experiment import Tables
from repro.plots.regions import boundary, classes, connected, regions
from repro.plots.style import BLUE, TEXT, VERMILLION, explain, figure
from repro.plots.sweeps import seed_dots
from repro.storage.statistics import estimate

POINTS = {"circle": "a disc in a ring, 15 % of labels wrong", "outliers": "three clouds a class"}
SHOWN = {"3": "3 units", "6": "6 units", "20": "20 units", "l2_001": "λ 0.001", "l2_01": "λ 0.01", "l2_1": "λ 0.1"}
NETS = {
    **{str(size): str(size) for size in (1, 2, 3, 6, 20, 100)},
    **{"l2_0001": "λ 1e-4", "l2_001": "λ 0.001", "l2_01": "λ 0.01", "l2_1": "λ 0.1"},
    **{"dropout_2": "drop 0.2", "dropout_5": "drop 0.5"},
    **{"noise_3": "noise 0.3", "noise_6": "noise 0.6", "noise_10": "noise 1"},
}
CLASSES = (VERMILLION, BLUE)
EDGE = 6.0
SEED = 0


def figures(tables: Tables) -> dict[str, Figure]:
    """Regions of the kinds of points whose nets are there, and accuracies."""
    runs = tables.runs
    there = [name for name in POINTS if runs["variant"].str.startswith(f"{name}_").any()]
    drawn = {f"regions_{name}": _regions(runs, tables.predictions, name) for name in there}
    return drawn | {"accuracy": _accuracy(runs, there)}


def further_columns(tables: Tables) -> pd.DataFrame:
    """How many regions each net makes and how long their border is, of those whose answers on the grid are there."""
    grids = tables.predictions[tables.predictions["split"] == "valid"].groupby(["run", "seed"])
    rows = [(run, seed, connected(grid), boundary(grid)) for (run, seed), grid in grids]
    return pd.DataFrame(rows, columns=["run", "seed", "regions", "boundary_cells"])


def _regions(runs: pd.DataFrame, predictions: pd.DataFrame, points: str) -> Figure:
    nets = {net: title for net, title in SHOWN.items() if (runs["variant"] == f"{points}_{net}").any()}
    fig = figure(TEXT, 1.9 * math.ceil(len(nets) / 3) + 0.4)
    axes = fig.subplots(math.ceil(len(nets) / 3), 3, squeeze=False).flatten()
    for ax in axes:
        ax.set_axis_off()
    for ax, (net, title) in zip(axes, nets.items(), strict=False):
        own = runs[runs["variant"] == f"{points}_{net}"]
        rows = predictions[predictions["run"].isin(own["run"])]
        grids = [grid for _, grid in rows[rows["split"] == "valid"].groupby("seed")]
        parts, lengths = np.mean([connected(grid) for grid in grids]), np.mean([boundary(grid) for grid in grids])
        seen = rows[rows["seed"] == SEED]
        regions(ax, seen[seen["split"] == "valid"], EDGE, CLASSES)
        classes(ax, seen[seen["split"] == "train"], CLASSES, markersize=2)
        test = own["test_accuracy"].mean()
        ax.set_title(f"{title}: test {test:.2f}\n{parts:.1f} regions, border {lengths:.0f} cells", fontsize=7.5)
    said = f"{POINTS[points]}; λ with 20 units; regions and training points of seed {SEED}"
    explain(fig, said, f"numbers: means of n={own['seed'].nunique()} seeds")
    return fig


def _accuracy(runs: pd.DataFrame, there: list[str]) -> Figure:
    fig = figure(TEXT, 2.3 * len(there) + 0.6)
    axes = fig.subplots(len(there), 1, squeeze=False, sharex=True)[:, 0]
    for ax, points in zip(axes, there, strict=True):
        for split, color, shift in (("train", VERMILLION, -0.12), ("test", BLUE, 0.12)):
            groups = {net: runs[runs["variant"] == f"{points}_{net}"][f"{split}_accuracy"].dropna() for net in NETS}
            at = {place + shift: values for place, values in enumerate(groups.values()) if len(values)}
            for place, values in at.items():
                seed_dots(ax, place + shift, values.tolist(), color)
            label = "training points" if split == "train" else "test points"
            estimates = [estimate(values.tolist()) for values in at.values()]
            error_bars(ax, [*at], estimates, label=label, color=color, markersize=4, within=range_of("accuracy"))
        ax.set(title=POINTS[points], ylabel="accuracy", xlim=(-0.6, len(NETS) - 0.4), ylim=(0, 1.03))
    scales.name_ticks(axes[-1].xaxis, range(len(NETS)), [*NETS.values()])
    axes[-1].set_xlabel("hidden units, or 20 of them with a penalty, dropout or noise on the inputs")
    legends.outside(fig, [*axes], loc="outside upper center", ncols=2)
    explain(fig, f"dots: n={runs['seed'].nunique()} seeds, each with points of its own; bars: mean and 95 % interval")
    return fig
