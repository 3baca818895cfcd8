"""Figures of the activation study: dead units and accuracy against the learning rate. Reads tables, trains nothing."""

import pandas as pd
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    QUIET,
    SKY,
    TEXT,
    VERMILLION,
    WINE,
    activation_look,
    explain,
    figure,
)
from repro.plots.sweeps import LOST, add_quantity, footnote, places, sweep

RATE = "optimizer.lr"
UNITS = {"relu": "ReLU", "leaky_relu": "leaky ReLU", "elu": "ELU", "tanh": "tanh"}
ROWS = {"": "digits", "adam_": "digits, Adam", "mnist_": "MNIST"}
CHANCE = 0.1
SHADES = (SKY, BLUE, GREEN, PURPLE, ORANGE, VERMILLION, WINE, BLACK)  # of the learning rates, from the least on


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
    relu = last[last["variant"].isin([f"{prefix}relu" for prefix in datasets])]
    rates = places(relu, RATE)
    shades = dict(zip(rates, SHADES, strict=False))
    fig = figure(TEXT, 3.2)
    axes = fig.subplots(1, len(datasets), sharey=True, squeeze=False)[0]
    for ax, (prefix, title) in zip(axes, datasets.items(), strict=True):
        here = relu[relu["variant"] == f"{prefix}relu"]
        for rate in places(here, RATE):
            own, label = here[here[RATE] == rate], f"{rate:g}"
            blocks.profile(ax, own, label=label, color=shades[rate], linewidth=1.0, markersize=3, spread="mean")
        ax.set(title=f"{title}, ReLU", xlabel="layer", ylim=(-0.03, 1.03))
        scales.whole_ticks(ax.xaxis)
    axes[0].set_ylabel("share of dead units")
    named = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    labels = sorted(named, key=float)
    fig.legend(
        [named[label] for label in labels],
        labels,
        loc="outside upper left",
        ncols=8,
        title="learning rate",
        alignment="left",
    )
    explain(
        fig,
        "after training; one colour a learning rate in all panels",
        blocks.in_words(relu, ("variant", RATE)),
        "diverged seeds are left out",
    )
    return fig
