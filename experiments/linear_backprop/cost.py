"""Figures of the cost of activation derivatives: time and memory without them over with them. Reads tables only."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import QUIET, TEXT, activation_look, explain, figure
from repro.storage.metrics import POSITIVE
from repro.storage.statistics import estimate

NET = "net: width × layers"
RATIOS = {
    "cost_backward_ratio": "backward pass",
    "cost_step_ratio": "forward and backward",
    "cost_trained_ratio": "both, backward=linear",
}


def figures(tables: Tables) -> dict[str, Figure]:
    """Time and memory by net and activation."""
    return {"time": _time(tables.runs), "memory": _memory(tables.runs)}


def _time(runs: pd.DataFrame) -> Figure:
    nets = _nets(runs)
    fig = figure(TEXT, 1.3 + 0.42 * len(nets))
    axes = fig.subplots(1, len(RATIOS), sharex=True, sharey=True)
    for ax, (column, title) in zip(axes, RATIOS.items(), strict=True):
        _panel(ax, runs, column, nets)
        ax.set(title=title, xlabel="time ratio")
    axes[0].set_ylabel(NET)
    legends.outside(fig, list(axes), loc="outside upper left", ncols=4, fontsize="small")
    explain(
        fig,
        "seconds without derivatives over seconds with them, dashed: equal",
        f"mean of n={_n(runs)} measurements, 95 % interval",
    )
    return fig


def _memory(runs: pd.DataFrame) -> Figure:
    nets = _nets(runs)
    fig = figure(TEXT * 0.6, 1.3 + 0.42 * len(nets))
    ax = fig.subplots()
    _panel(ax, runs, "cost_memory_ratio", nets)
    ax.set(title="memory kept for the backward pass", xlabel="memory ratio", ylabel=NET)
    legends.outside(fig, [ax], loc="outside upper left", ncols=4, fontsize="small")
    explain(fig, "bytes without derivatives over bytes with them")
    return fig


def _panel(ax: Axes, runs: pd.DataFrame, column: str, nets: list[str]) -> None:
    activations = list(dict.fromkeys(runs["activation"]))
    for i, activation in enumerate(activations):
        own = runs[runs["activation"] == activation]
        places, found = [], []
        for place, net in enumerate(nets):
            values = own.loc[own["variant"] == net, column].dropna().tolist()
            if values:
                places.append(place + 0.16 * (i - (len(activations) - 1) / 2))
                found.append(estimate(values))
        look = activation_look(activation)
        blocks.error_bars(
            ax,
            places,
            found,
            label=activation,
            color=look.color,
            fmt=look.marker,
            across=True,
            within=POSITIVE,
            markersize=4,
        )
    ax.axvline(1, color=QUIET, linewidth=0.8, linestyle="--", zorder=1)
    scales.name_ticks(ax.yaxis, range(len(nets)), [net.replace("_d", " × ").replace("w", "") for net in nets])
    ax.set_ylim(len(nets) - 0.5, -0.5)


def _nets(runs: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(runs["variant"]))


def _n(runs: pd.DataFrame) -> int:
    return int(runs.groupby(["variant", "activation"]).size().mode().max())
