"""Curves of several runs in the same axes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from repro.plots import blocks
from repro.plots.style import PALETTE, TEXT, figure, save, styled
from repro.storage.tables import read
from repro.text.comparison import Finished


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
    colors = PALETTE if len(runs) <= len(PALETTE) else matplotlib.colormaps["viridis"](np.linspace(0, 0.95, len(runs)))
    for ax, name in zip(axes, metrics, strict=True):
        split, _, metric = name.partition("_")
        drawn = []
        for run, color in zip(runs, colors, strict=False):
            curves = read(run.folder / "curves.csv").astype({"value": float})
            rows = curves[(curves["split"] == split) & (curves["metric"] == metric)]
            blocks.curve(ax, rows, "epoch", label=labels[run.id], color=color)
            drawn += rows["value"].tolist()
        if metric != "accuracy" and blocks.spans_decades(drawn):
            blocks.log_axis(ax.yaxis, drawn)
        blocks.whole_ticks(ax.xaxis)
        ax.set_title(name.replace("_", " "))
        ax.set_xlabel("epoch")
    lines, names = axes[0].get_legend_handles_labels()
    several = any(len(run.seeds) > 1 for run in runs)
    title = "lines: median of the seeds; bands: their range" if several else None
    fig.legend(lines, names, loc="outside lower left", title=title, alignment="left")
    return fig
