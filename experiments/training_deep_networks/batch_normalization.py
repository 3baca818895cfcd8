"""Figures of the batch normalization study: accuracy by rate and first weights, and Ioffe and Szegedy's net."""

import pandas as pd
from matplotlib.figure import Figure

from repro.plots import blocks, legends
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, QUIET, TEXT, VERMILLION, explain, figure
from repro.plots.sweeps import LOST, footnote, places, sweep

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
    legends.outside(fig, list(axes.flat), loc="outside upper left", ncols=len(NETS))
    footnote(fig, runs, f"{LOST}; dashed: chance")
    return fig


def _mnist(tables: Tables) -> Figure:
    runs = tables.runs[tables.runs["variant"].str.startswith("mnist")]
    curves = tables.curves
    curves = curves[(curves["split"] == "valid") & (curves["metric"] == "accuracy")].merge(runs[["run", "seed", RATE]])
    rates = places(runs, RATE)
    fig = figure(TEXT, 2.6)
    axes = fig.subplots(1, len(rates), sharey=True, squeeze=False)[0]
    for ax, rate in zip(axes, rates, strict=True):
        for suffix, (_, color) in NETS.items():
            own = curves[(curves["variant"] == f"mnist_sigmoid{suffix}") & (curves[RATE] == rate)]
            if len(own):
                # At a rate of 10 some of the seeds learn and some do not: a mean would be of neither.
                blocks.seeds(ax, own, "step", color=color, linewidth=blocks.THIN, alpha=0.8)
        ax.axhline(CHANCE, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
        ax.set(title=f"learning rate {rate:g}", xlabel="updates", ylim=(0, 1.03))
    axes[0].set_ylabel("validation accuracy, MNIST")
    for label, color in NETS.values():
        axes[0].plot([], [], color=color, label=label)
    legends.outside(fig, [axes[0]], loc="outside upper left", ncols=len(NETS))
    explain(fig, f"a line a seed, n={runs.groupby('variant')['seed'].nunique().max()}; dashed: chance")
    return fig
