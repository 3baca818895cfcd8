"""Figures of the activation study: dead units and accuracy against the learning rate. Reads tables, trains nothing."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import PALETTE, QUIET, TEXT, activation_look, explain, figure
from repro.plots.sweeps import LOST, add_quantity, footnote, places, sweep

RATE = "optimizer.lr"
UNITS = {"relu": "ReLU", "leaky_relu": "leaky ReLU", "elu": "ELU", "tanh": "tanh"}
ROWS = {"": "digits", "adam_": "digits, Adam", "mnist_": "MNIST"}
CHANCE = 0.1


def figures(tables: Tables) -> dict[str, Figure]:
    """Dead share and accuracy by learning rate, and where in the net the dead units are."""
    if "test_accuracy" not in tables.runs.columns:
        return {}
    return {"rates": _rates(tables.runs.merge(further_columns(tables), how="left")), "layers": _layers(tables)}


def further_columns(tables: Tables) -> pd.DataFrame:
    """The share of all units of a net that is dead after the last step; its layers are equally wide."""
    dead = add_quantity(tables.runs[["run", "seed"]], tables.layers, "dead_share", lambda values: float(values.mean()))
    return dead.rename(columns={"dead_share": "net_dead_share"})


def _there(runs: pd.DataFrame) -> dict[str, str]:
    return {prefix: title for prefix, title in ROWS.items() if (runs["variant"] == f"{prefix}relu").any()}


def _rates(runs: pd.DataFrame) -> Figure:
    datasets = _there(runs)
    fig = figure(TEXT, 0.5 + 2.3 * len(datasets))
    axes = fig.subplots(len(datasets), 2, squeeze=False)
    for (left, right), (prefix, title) in zip(axes, datasets.items(), strict=True):
        at = places(runs[runs["variant"] == f"{prefix}relu"], RATE)
        for unit, label in UNITS.items():
            own = runs[runs["variant"] == prefix + unit]
            color = activation_look(unit).color
            sweep(left, own, RATE, "net_dead_share", at, label=label, color=color)
            sweep(right, own, RATE, "test_accuracy", at, label=label, color=color)
        left.set(title=f"{title}: dead units", ylabel="dead share of all units", ylim=(-0.03, 1.03))
        right.set(title=f"{title}: test accuracy", ylim=(-0.03, 1.03))
        right.axhline(CHANCE, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
    for ax in axes[-1]:
        ax.set_xlabel("learning rate")
    legends.outside(fig, list(axes.flat), loc="outside upper left", ncols=len(UNITS))
    footnote(fig, runs, f"{LOST}; dashed: chance")
    return fig


def _layers(tables: Tables) -> Figure:
    """Dead ReLU units layer by layer, one line a rate."""
    layers = tables.layers
    layers = layers[(layers["quantity"] == "dead_share") & (layers["step"] > 0)].merge(
        tables.runs.loc[tables.runs["status"] == "done", ["run", "seed", RATE]]
    )
    last = layers[layers["step"] == layers.groupby(["run", "seed"])["step"].transform("max")]
    datasets = _there(tables.runs)
    fig = figure(TEXT, 3.2)
    axes = fig.subplots(1, len(datasets), sharey=True, squeeze=False)[0]
    for ax, (prefix, title) in zip(axes, datasets.items(), strict=True):
        relu = last[last["variant"] == f"{prefix}relu"]
        for rate, color in zip(places(relu, RATE), PALETTE, strict=False):
            own = relu[relu[RATE] == rate]
            blocks.profile(ax, own, label=f"{rate:g}", color=color, linewidth=1.0, markersize=3, spread="mean")
        ax.set_title(f"{title}, ReLU")
        ax.set(xlabel="layer", ylim=(-0.03, 1.03))
        _under(ax)
        scales.whole_ticks(ax.xaxis)
    axes[0].set_ylabel("share of dead units")
    explain(
        fig,
        "after training; colours: learning rate",
        blocks.in_words(last[last["variant"].isin([f"{p}relu" for p in datasets])], ("variant", RATE)),
        "diverged seeds are left out",
    )
    return fig


def _under(ax: Axes) -> None:
    """The legend below its panel, whose rates are others than the next panel's."""
    look: dict[str, Any] = {"title": "learning rate", "fontsize": 6, "title_fontsize": 6.5, "ncols": 2}
    legends.inside(ax, loc="upper center", bbox_to_anchor=(0.5, -0.22), **look)
