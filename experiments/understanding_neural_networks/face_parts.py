"""Figures of faces: what the images are, how often both are right, and how closely hidden units go with parts."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import legends
from repro.plots.blocks import error_bars, how_many
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, TEXT, VERMILLION, explain, figure
from repro.storage.statistics import estimate

from .procedures.faces_drawn import PARTS, draw

KINDS = {"hand_set": ("set by hand", VERMILLION), "net": ("net", BLUE)}
VARIANTS = {"quiet": "noise of 0.1", "noisy": "noise of 0.3"}
SHARE = (0.0, 1.0)
SHOWN = 8  # images


def figures(tables: Tables) -> dict[str, Figure]:
    """Images as they are drawn; accuracies, and correlations by part."""
    return {"images": _images(), "parts": _parts(tables.runs, tables.curves)}


def _images() -> Figure:
    """Not of a run: drawn anew, by the function that draws for runs."""
    x, there, _ = draw(SHOWN, 0.3, np.random.default_rng(0))
    fig = figure(TEXT, 1.5)
    for ax, image, parts in zip(fig.subplots(1, SHOWN), x, there, strict=True):
        ax.imshow(image.reshape(16, 16), cmap="gray_r", vmin=-0.5, vmax=1.5)
        ax.set(xticks=[], yticks=[])
        ax.set_title("face" if parts.all() else f"{(~parts).sum()} wrong", fontsize=7)
    explain(fig, "noise of 0.3; wrong: so many of seven parts are absent or elsewhere")
    return fig


def _parts(runs: pd.DataFrame, rows: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.9)
    right, closest = fig.subplots(1, 2, width_ratios=(1, 2))
    for offset, (kind, (label, color)) in zip((-0.1, 0.1), KINDS.items(), strict=True):
        found = [estimate(runs.loc[runs["variant"] == v, f"faces_{kind}_accuracy"].tolist()) for v in VARIANTS]
        error_bars(right, [place + offset for place in range(2)], found, label=label, color=color, within=SHARE)
        own = rows[(rows["metric"] == f"{kind}_part_correlation") & (rows["variant"] == "noisy")]
        found = [estimate(part["value"].tolist()) for _, part in own.groupby("step")]
        error_bars(closest, [i + offset for i in range(len(found))], found, label=label, color=color, within=SHARE)
    _named(right, [*VARIANTS.values()], "accuracy")
    _named(closest, [*PARTS], "greatest |correlation| of a unit")
    closest.tick_params("x", rotation=30)
    closest.set_ylim(0, 1.02)
    legends.inside(closest, loc="lower left")
    explain(fig, f"mean of n={how_many(runs)} starts with its 95 % interval", "correlations with noise of 0.3")
    return fig


def _named(ax: Axes, names: list[str], what: str) -> None:
    ax.set_xticks(range(len(names)), names, fontsize=7)
    ax.set(ylabel=what, xlim=(-0.5, len(names) - 0.5))
