"""Curves of several settings in the same axes: their seeds, and the seeds' mean."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.diagnostics.ranges import range_of
from repro.plots import legends, scales
from repro.plots.style import TEXT, activation_look, colors, figure, save, styled
from repro.storage.tables import read
from repro.text.comparison import Setting
from repro.text.result import data_name

WIDEST = 90  # letters of a line of the legend, which has the figure's width


def draw(settings: Sequence[Setting], metrics: Sequence[str], labels: Sequence[str], path: Path) -> list[Path]:
    """Draw some metrics by epoch, a colour a setting: a thin line a seed, a thick one their mean.

    Args:
        metrics: "<split>_<metric>".
        labels: what each setting is called.
        path: of the files, without suffix.

    Returns:
        The files.

    Raises:
        UserError: a run's curves are missing or damaged, or the files cannot be written.
    """
    with styled():
        return save(_overlay(settings, metrics, labels), path)


def _overlay(settings: Sequence[Setting], metrics: Sequence[str], labels: Sequence[str]) -> Figure:
    fig = figure(TEXT, 2.7 + 0.16 * len(settings))
    axes = fig.subplots(1, len(metrics), squeeze=False)[0]
    curves = [_curves(one) for one in settings]
    shades, meaning = setting_colors(settings)
    for ax, name in zip(axes, metrics, strict=True):
        split, _, metric = name.partition("_")
        drawn: list[float] = []
        for one, rows, label, color in zip(settings, curves, labels, shades, strict=True):
            own = rows[(rows["split"] == split) & (rows["metric"] == metric) & np.isfinite(rows["value"])]
            seeds_and_mean(ax, own, one.diverged, label=label, color=color)
            drawn += own["value"].tolist()
        scales.value_axis(ax.yaxis, drawn, range_of(metric))
        scales.whole_ticks(ax.xaxis)
        ax.set_title(name.replace("_", " "))
        ax.set_xlabel("epoch")
    fig.suptitle(", ".join(dict.fromkeys(data_name(one.settings) for one in settings)), x=0.01, ha="left")
    if any(len(one.seeds) > 1 for one in settings):
        meaning += "; thin: a seed; thick: mean of the seeds, as far as all of them go"
    legends.outside(fig, axes, widest=WIDEST, loc="outside lower left", title=meaning, alignment="left")
    return fig


def setting_colors(settings: Sequence[Setting]) -> tuple[list[Any], str]:
    """A colour a setting, and what it stands for: the activations, where no two settings have the same."""
    units = [(str(one.settings.get("choices.activation")), one.settings.get("activation.noise")) for one in settings]
    own = [activation_look(*unit).color for unit in units]
    if len(set(own)) == len(settings):
        return own, "colour: activation"
    return colors(len(settings)), "colour: setting, in the order given"


def _curves(one: Setting) -> pd.DataFrame:
    """The curves of all seeds of a setting."""
    parts = []
    for run in one.runs:
        rows = read(run.folder / "curves.csv").astype({"value": float})
        parts.append(rows[rows["seed"].isin([seed for seed, owner in one.owners.items() if owner is run])])
    return pd.concat(parts, ignore_index=True)


def seeds_and_mean(ax: Axes, rows: pd.DataFrame, diverged: Sequence[int], *, label: str, color: Any) -> None:
    """A metric by epoch: a thin line a seed, a thick one the mean of those that did not diverge.

    Args:
        rows: columns seed, epoch, value; finite.
        diverged: seeds left out of the mean, unless all are.
    """
    wide = rows.pivot_table(index="epoch", columns="seed", values="value")
    if len(wide.columns) > 1:
        for seed in wide.columns:
            ax.plot(wide.index, wide[seed], color=color, linewidth=0.5, alpha=0.45)
    left = [seed for seed in wide.columns if int(str(seed)) not in diverged] or list(wide.columns)
    means = wide[left].dropna().mean(axis="columns")
    ax.plot(means.index, means, color=color, label=label, linewidth=1.8, marker="o" if len(means) == 1 else None)
