"""Curves of several runs in the same axes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.style import PALETTE, TEXT, activation_look, figure, save, styled
from repro.storage.tables import read
from repro.text.comparison import Finished
from repro.text.run import data_name

WIDEST = 90  # letters of a line of the legend, which has the figure's width


def draw(runs: Sequence[Finished], metrics: Sequence[str], labels: Mapping[str, str], path: Path) -> list[Path]:
    """Draw some metrics of all runs by epoch, a colour a run with its range over the seeds.

    Args:
        metrics: "<split>_<metric>".
        labels: what a run is called, by id.
        path: of the files, without suffix.

    Returns:
        The files.

    Raises:
        UserError: a run's curves are missing or damaged, or the files cannot be written.
    """
    with styled():
        return save(_overlay(runs, metrics, labels), path)


def _overlay(runs: Sequence[Finished], metrics: Sequence[str], labels: Mapping[str, str]) -> Figure:
    fig = figure(TEXT, 2.7 + 0.16 * len(runs))
    axes = fig.subplots(1, len(metrics), squeeze=False)[0]
    colors, meaning = _colors(runs)
    for ax, name in zip(axes, metrics, strict=True):
        split, _, metric = name.partition("_")
        drawn = []
        for run, color in zip(runs, colors, strict=True):
            curves = read(run.folder / "curves.csv").astype({"value": float})
            rows = curves[(curves["split"] == split) & (curves["metric"] == metric)]
            blocks.curve(ax, rows, "epoch", label=labels[run.id], color=color)
            drawn += rows["value"].tolist()
        scales.value_axis(ax.yaxis, drawn, scales.range_of(metric))
        scales.whole_ticks(ax.xaxis)
        ax.set_title(name.replace("_", " "))
        ax.set_xlabel("epoch")
    fig.suptitle(", ".join(dict.fromkeys(data_name(run.settings) for run in runs)), x=0.01, ha="left")
    several = any(len(run.seeds) > 1 for run in runs)
    title = meaning + ("; lines: median of the seeds; bands: their range" if several else "")
    legends.outside(fig, axes, widest=WIDEST, loc="outside lower left", title=title, alignment="left")
    return fig


def _colors(runs: Sequence[Finished]) -> tuple[list[Any], str]:
    """A colour a run, and what it stands for: the activations, where no two runs have the same."""
    units = [(str(run.settings.get("choices.activation")), run.settings.get("activation.noise")) for run in runs]
    own = [activation_look(*unit).color for unit in units]
    if len(set(own)) == len(runs):
        return own, "colour: activation"
    if len(runs) <= len(PALETTE):
        return list(PALETTE[: len(runs)]), "colour: run, in the order given"
    return list(matplotlib.colormaps["viridis"](np.linspace(0, 0.95, len(runs)))), "colour: run, in the order given"
