"""Figures of the batch normalization study: accuracy by rate and first weights, and Ioffe and Szegedy's net."""

import pandas as pd
from matplotlib.figure import Figure

from repro.plots import blocks, legends
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, QUIET, TEXT, VERMILLION, figure
from repro.plots.sweeps import footnote, places, sweep

RATE = "optimizer.lr"
ACTIVATIONS = {"tanh": ("tanh", "Xavier"), "relu": ("ReLU", "He")}
INITIALIZATIONS = {"small": "std 0.01", "large": "std 1", "scaled": ""}
NETS = {"": ("without", VERMILLION), "_bn": ("batch normalization", BLUE)}
CHANCE = 0.1


def figures(tables: Tables) -> dict[str, Figure]:
    """Accuracy on digits by learning rate for each first weights; learning curves on MNIST where they were run."""
    runs = tables.runs
    drawn = {}
    if "test_accuracy" in runs.columns:
        drawn["rates"] = _rates(runs[~runs["variant"].str.startswith("mnist")])
        if (runs["variant"] == "mnist_sigmoid").any():
            drawn["mnist"] = _mnist(tables)
    return drawn


def _rates(runs: pd.DataFrame) -> Figure:
    at = places(runs, RATE)
    fig = figure(TEXT, 4.0)
    axes = fig.subplots(len(ACTIVATIONS), len(INITIALIZATIONS), sharex=True, sharey=True)
    for row, (activation, (shown, scaled)) in zip(axes, ACTIVATIONS.items(), strict=True):
        for ax, (initialization, title) in zip(row, INITIALIZATIONS.items(), strict=True):
            for suffix, (label, color) in NETS.items():
                own = runs[runs["variant"] == f"{activation}_{initialization}{suffix}"]
                sweep(ax, own, RATE, "test_accuracy", at, label=label, color=color)
            ax.axhline(CHANCE, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
            ax.set(title=f"{shown}, {title or scaled}", ylim=(0, 1.03))
        row[0].set_ylabel("test accuracy")
    for ax in axes[-1]:
        ax.set_xlabel("learning rate")
    legends.inside(axes[0][-1], axes.flat, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    footnote(fig, runs, "×: some seeds diverged, left out; dashed: chance")
    return fig


def _mnist(tables: Tables) -> Figure:
    runs = tables.runs[tables.runs["variant"].str.startswith("mnist")]
    curves = tables.curves
    curves = curves[(curves["split"] == "valid") & (curves["metric"] == "accuracy")].merge(runs[["run", "seed", RATE]])
    rates = places(runs, RATE)
    fig = figure(TEXT, 2.6)
    axes = fig.subplots(1, len(rates), sharey=True, squeeze=False)[0]
    for ax, rate in zip(axes, rates, strict=True):
        for suffix, (label, color) in NETS.items():
            own = curves[(curves["variant"] == f"mnist_sigmoid{suffix}") & (curves[RATE] == rate)]
            if len(own):
                blocks.curve(ax, own, "step", label=label, color=color, spread="interval")
        ax.axhline(CHANCE, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
        ax.set(title=f"learning rate {rate:g}", xlabel="updates", ylim=(0, 1.03))
    axes[0].set_ylabel("validation accuracy, MNIST")
    legends.inside(axes[1], axes, loc="lower right", fontsize="small")
    footnote(fig, runs, "dashed: chance")
    return fig
