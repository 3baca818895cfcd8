"""Building blocks for sweeps: a number at the end of training against the values of a swept setting."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, scales
from repro.plots.style import QUIET
from repro.storage.statistics import estimate


def places(runs: pd.DataFrame, setting: str) -> list[float]:
    """The values of a swept setting, in order."""
    return sorted(float(value) for value in runs[setting].dropna().unique())


def sweep(
    ax: Axes,
    runs: pd.DataFrame,
    setting: str,
    metric: str,
    at: Sequence[float],
    *,
    label: str,
    color: Any,
    **style: Any,
) -> None:
    """Mean and interval of a column of the runs table at each value of a setting, evenly spaced so that 0 has a place.

    A cross at the lower edge tells that some of the seeds diverged; they are left out of the mean.

    Args:
        runs: of one variant.
        at: the values on the axis.
        style: as in `blocks.error_bars`.
    """
    estimates, where = [], []
    for place, value in enumerate(at):
        own = runs[runs[setting] == value]
        lost = own["status"] == "diverged"  # what was measured in them on the way says nothing of the end
        values = [float(v) for v in own.loc[~lost, metric] if np.isfinite(v)]
        if values:
            where.append(place)
            estimates.append(estimate(values))
        if lost.any():
            mark_diverged(ax, place, color)
    if len(runs):
        look = {"fmt": "o-", "markersize": 4, **style}
        blocks.error_bars(ax, where, estimates, label=label, color=color, within=scales.range_of(metric), **look)
    scales.name_ticks(ax.xaxis, range(len(at)), [f"{value:g}" for value in at])
    ax.set_xlim(-0.4, len(at) - 0.6)


def mark_diverged(ax: Axes, place: float, color: Any) -> None:
    """A cross at the lower edge, above those that stand there already."""
    there = sum(line.get_gid() == f"diverged {place:g}" for line in ax.lines)
    ax.plot(
        [place],
        [0.03 + 0.05 * there],
        "x",
        color=color,
        transform=ax.get_xaxis_transform(),
        clip_on=False,
        gid=f"diverged {place:g}",
    )


def add_quantity(
    runs: pd.DataFrame, layers: pd.DataFrame, quantity: str, over_layers: Callable[["pd.Series[float]"], float]
) -> pd.DataFrame:
    """The runs table with a column of that name: the quantity after the last step, put together over the layers."""
    rows = layers[layers["quantity"] == quantity]
    last = rows[rows["step"] == rows.groupby(["run", "seed"])["step"].transform("max")]
    values = last.groupby(["run", "seed"])["value"].agg(over_layers).rename(quantity).reset_index()
    return runs.merge(values, on=["run", "seed"], how="left")


def whole_norm(norms: "pd.Series[float]") -> float:
    """The norm of all weights from those of the layers."""
    return float(np.sqrt((norms**2).sum()))


def footnote(fig: Figure, runs: pd.DataFrame, more: str = "") -> None:
    """Number of seeds and meaning of the bars, at the lower right."""
    counts = sorted(runs.groupby("variant")["seed"].nunique().unique())
    text = f"mean of n={' to '.join(map(str, counts))} seeds and its 95 % interval"
    fig.supxlabel("; ".join(filter(None, [text, more])), x=0.99, ha="right", fontsize=6.5, color=QUIET)
