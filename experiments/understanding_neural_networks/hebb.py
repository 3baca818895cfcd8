"""Figures of what one step does to the outputs' weights: size of change by error, and correlations."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, INK, QUIET, TEXT, VERMILLION, explain, figure
from repro.storage.statistics import estimate

WEIGHTS = {"usual": ("usual weights", BLUE), "large": ("ten times as large", VERMILLION)}
CORRELATIONS = {"error_correlation": "correlation", "error_rank_correlation": "of ranks"}


def figures(tables: Tables) -> dict[str, Figure]:
    """Changes by error, one net of each kind, and how they go together in all nets."""
    return {"changes": _changes(tables.curves), "correlations": _correlations(tables.runs)}


def _changes(rows: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.7)
    axes = fig.subplots(1, len(WEIGHTS), sharey=True)
    a = np.linspace(0, 1, 200)
    for ax, (variant, (title, color)) in zip(axes, WEIGHTS.items(), strict=True):
        own = rows[(rows["variant"] == variant) & (rows["seed"] == rows["seed"].min())]
        error, delta = (own[own["metric"] == name].sort_values("step")["value"] for name in ("error", "delta"))
        ax.plot(a, a * a * (1 - a), color=INK, linewidth=0.9, label="error times slope")
        ax.plot(a, 0.25 * a, ":", color=QUIET, linewidth=0.9, label="in proportion to the error")
        ax.plot(error.to_numpy(float), delta.to_numpy(float), ".", color=color, markersize=3)
        ax.set(title=title, xlabel="error |y − a|", xlim=(-0.02, 1.02))
    axes[0].set_ylabel("size of the change |δ|")
    legends.outside(fig, list(axes), loc="outside upper center", ncols=2)
    explain(fig, "a dot an output and image, one net each")
    return fig


def _correlations(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT * 0.6, 2.6)
    ax = fig.subplots()
    for shift, (variant, (label, color)) in zip((-0.1, 0.1), WEIGHTS.items(), strict=True):
        own = runs[runs["variant"] == variant]
        found = [estimate(own[f"hebb_{name}"].tolist()) for name in CORRELATIONS]
        blocks.error_bars(
            ax, [place + shift for place in range(len(found))], found, label=label, color=color, within=(-1, 1)
        )
        for place, name in enumerate(CORRELATIONS):
            values = own[f"hebb_{name}"].to_numpy(float)
            ax.plot(np.full(len(values), place + 2 * shift), values, ".", color=color, markersize=2.5)
    ax.axhline(0, color=QUIET, linewidth=0.6, zorder=0)
    scales.name_ticks(ax.xaxis, range(len(CORRELATIONS)), list(CORRELATIONS.values()))
    ax.set(ylabel="|δ| with |y − a|", ylim=(-1.05, 1.05), xlim=(-0.6, 1.6))
    legends.outside(fig, [ax], loc="outside upper center", ncols=2)
    explain(fig, f"means and 95 % intervals, a dot a net, n={int(runs.groupby('variant').size().max())} each")
    return fig
