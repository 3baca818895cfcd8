"""Figures of saturation: accuracy and vanishing ratio by depth, errors by layer beside the published, the start."""

import pandas as pd
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, ORANGE, QUIET, TEXT, VERMILLION, activation_look, explain, figure
from repro.plots.sweeps import footnote, places, sweep

DEPTH, STD = "architecture.depth", "initialization.std"
NAMES = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU"}
CHANCE = 0.1
# By the net's depth, the average error by layer (fig/ of mnielsen/neural-networks-and-deep-learning).
PUBLISHED = {2: [0.0657, 0.3092], 3: [0.0118, 0.0600, 0.2831], 4: [0.00298, 0.0171, 0.0695, 0.2851]}


def figures(tables: Tables) -> dict[str, Figure]:
    """By depth, by layer before training, and by the size of the first weights; those that the tables have rows for."""
    if not {"test_accuracy", "first_vanishing_ratio"} <= set(tables.runs.columns):
        return {}
    drawn = {"by_depth": _by_depth(tables.runs)}
    if not (errors := tables.layers[tables.layers["quantity"] == "mean_gradient_norm"]).empty:
        drawn["errors"] = _errors(errors, tables.runs)
    if (tables.runs["variant"] == "start").any():
        drawn["starts"] = _starts(tables)
    return drawn


def _by_depth(runs: pd.DataFrame) -> Figure:
    trained = runs[runs["variant"].isin(NAMES)]
    at = places(trained, DEPTH)
    fig = figure(TEXT, 2.9)
    left, right = fig.subplots(1, 2)
    for name in (name for name in NAMES if (trained["variant"] == name).any()):
        own, color = trained[trained["variant"] == name], activation_look(name).color
        sweep(left, own, DEPTH, "test_accuracy", at, label=NAMES[name], color=color)
        sweep(right, own, DEPTH, "first_vanishing_ratio", at, label=NAMES[name], color=color)
    left.axhline(CHANCE, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
    left.set(xlabel="hidden layers", ylabel="test accuracy", ylim=(0, 1.03))
    right.axhline(1, color=QUIET, linewidth=0.8, zorder=1)
    right.set(xlabel="hidden layers", ylabel="gradient before training,\nfirst layer over last")
    scales.log_axis(right.yaxis, [1.0, *trained["first_vanishing_ratio"]])
    legends.outside(fig, [left, right], loc="outside upper left", ncols=3, fontsize="small")
    footnote(fig, trained, "dashed: always the same class")
    return fig


def _errors(errors: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """A panel a depth: our seeds, one line each, and the published nets."""
    errors = errors[errors["step"] == 0].merge(runs[["run", "seed", DEPTH]], on=["run", "seed"])
    depths = sorted({int(depth) for depth in errors[DEPTH]})
    fig = figure(TEXT, 2.5)
    for ax, depth in zip(fig.subplots(1, len(depths), sharey=True, squeeze=False)[0], depths, strict=True):
        own = errors[errors[DEPTH] == depth]
        for i, (_, one) in enumerate(own.groupby("seed")):
            one = one.sort_values("depth")
            ax.plot(one["depth"], one["value"], color=BLUE, label="ours" if i == 0 else None, **blocks.SEED)
        ax.plot(range(1, depth + 1), PUBLISHED[depth], "D", color=VERMILLION, markerfacecolor="none", label="Nielsen")
        ax.set(xlabel="layer", title=f"{depth} layers", xticks=range(1, depth + 1))
        scales.log_axis(ax.yaxis, [*errors["value"], *(error for layers in PUBLISHED.values() for error in layers)])
    fig.axes[0].set_ylabel("norm of the mean error")
    legends.outside(fig, fig.axes[:1], loc="outside upper left", ncols=2, fontsize="small")
    seeds = errors["seed"].nunique()
    explain(fig, f"untrained nets of 30 sigmoids a layer, 1,000 images; ours: {seeds} seeds, a line each")
    return fig


def _starts(tables: Tables) -> Figure:
    runs = tables.runs[tables.runs["variant"] == "start"]
    layers = tables.layers[(tables.layers["quantity"] == "saturated_share") & (tables.layers["step"] == 0)]
    share = layers[layers["depth"] == 1].rename(columns={"value": "share"})[["run", "seed", "share"]]
    runs = runs.merge(share, on=["run", "seed"])
    at = places(runs, STD)
    fig = figure(TEXT, 2.6)
    left, right = fig.subplots(1, 2)
    sweep(left, runs, STD, "share", at, label="", color=ORANGE)
    sweep(right, runs, STD, "test_accuracy", at, label="", color=BLUE)
    right.axhline(CHANCE, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
    for ax, what in ((left, "saturated share of layer 1\nbefore training"), (right, "test accuracy")):
        ax.set(xlabel="standard deviation of the first weights", ylabel=what, ylim=(-0.03, 1.03))
    footnote(fig, runs, "two layers of sigmoids; dashed: always the same class")
    return fig
