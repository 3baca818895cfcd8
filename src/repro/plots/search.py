"""What a search has tried, and what came of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import scales
from repro.plots.style import BLUE, QUIET, TEXT, VERMILLION, figure, save, styled
from repro.storage.tables import read

MOST = 5  # settings that have a panel of their own


def draw(table: Path, settings: Sequence[str], metric: str, direction: str, path: Path) -> list[Path]:
    """Draw the metric by trial, with the best so far, and against every setting that was searched.

    Args:
        table: search.csv, with the columns trial, the settings and the metric.
        direction: minimize or maximize.
        path: of the files, without suffix.

    Returns:
        The files.

    Raises:
        UserError: the table is damaged, or the files cannot be written.
    """
    with styled():
        return save(_panels(read(table), list(settings)[:MOST], metric, direction), path)


def _panels(runs: pd.DataFrame, settings: Sequence[str], metric: str, direction: str) -> Figure:
    fig = figure(TEXT, 2.5)
    axes = fig.subplots(1, 1 + len(settings), sharey=True, squeeze=False)[0]
    values = runs[metric].to_numpy(float)
    known = np.isfinite(values)
    way = np.fmin if direction == "minimize" else np.fmax
    first, at = (
        axes[0],
        int((np.nanargmin if direction == "minimize" else np.nanargmax)(np.where(known, values, np.nan))),
    )
    first.plot(runs["trial"], values, "o", color=BLUE, markersize=3.5)
    first.plot(runs["trial"], way.accumulate(values), color=QUIET, linewidth=1, label="best so far")
    first.set_xlabel("trial")
    first.set_ylabel(metric.replace("_", " "))
    scales.whole_ticks(first.xaxis)
    first.legend(loc="best")
    for ax, setting in zip(axes[1:], settings, strict=True):
        places = _places(ax, runs[setting])
        ax.plot(places[known], values[known], "o", color=BLUE, markersize=3.5)
        for x in places[~known]:  # diverged: at the edge where the metric is worst
            edge = 0.97 if direction == "minimize" else 0.03
            ax.plot([x], [edge], "x", color=QUIET, transform=ax.get_xaxis_transform(), clip_on=False)
        ax.plot(places[at], values[at], "o", color=VERMILLION, markersize=5)
        ax.set_xlabel(setting)
    first.plot(runs["trial"].iloc[at], values[at], "o", color=VERMILLION, markersize=5)
    if (positive := values[known]).min() > 0 and scales.spans_decades(positive.tolist()):
        scales.log_axis(first.yaxis, positive.tolist())
    return fig


def _places(ax: Axes, tried: "pd.Series[str]") -> np.ndarray:
    """Where the values of a setting stand on an axis, which gets their names where they are words."""
    numbers = pd.to_numeric(tried, errors="coerce").to_numpy(float)
    if np.isfinite(numbers).all():
        if numbers.min() > 0 and scales.spans_decades(numbers.tolist()):
            scales.log_axis(ax.xaxis, numbers.tolist())
        return numbers
    names = sorted({str(value) for value in tried})
    ax.set_xticks(range(len(names)), names, rotation=20, ha="right")
    ax.set_xlim(-0.5, len(names) - 0.5)
    return np.array([names.index(str(value)) for value in tried], dtype=float)
