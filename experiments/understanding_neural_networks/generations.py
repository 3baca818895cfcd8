"""Figures of generations of nets: accuracies on test images, and the spikes of a small net that looks at a digit."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from repro.diagnostics.ranges import range_of
from repro.plots import scales
from repro.plots.blocks import error_bars
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, TEXT, VERMILLION, explain, figure
from repro.storage.statistics import estimate

from .plots import spikes
from .plots.edges import last_of, numbered

NETS = {
    "perceptron, last": ("perceptron", "digit_perceptron_plain_accuracy", ORANGE),
    "perceptron, mean": ("perceptron", "digit_perceptron_averaged_accuracy", ORANGE),
    "one hidden layer": ("mlp", "test_accuracy", BLUE),
    "convolutional": ("cnn", "test_accuracy", GREEN),
    "spiking": ("spiking", "test_accuracy", PURPLE),
}
STEPS, SHOWN = 20, 3  # of time in the raster, and the digit that it is of


def figures(tables: Tables) -> dict[str, Figure]:
    """Accuracy of every net, and what one image makes a small spiking net do."""
    drawn = {"accuracy": _accuracy(tables.runs)}
    if (tables.runs["variant"] == "raster").any():
        drawn["raster"] = _raster(tables)
    return drawn


def _accuracy(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.5)
    ax = fig.subplots()
    found = []
    for place, (variant, metric, color) in enumerate(NETS.values()):
        values = runs[runs["variant"] == variant][metric].tolist()
        ax.plot(values, [place - 0.2] * len(values), "o", color=color, markersize=2.5)
        found.append(estimate(values))
        ax.annotate(f"{found[-1].value:.3f}", (0.03, place), va="center", fontsize=8, color=INK)
    within = range_of("test_accuracy")
    places = range(len(NETS))
    error_bars(ax, places, found, label="", color=INK, across=True, within=within, markersize=3.5)
    ax.set(xlabel="test accuracy", xlim=(0, 1), ylim=(len(NETS) - 0.4, -0.6))
    ax.axvline(0.1, color=QUIET, linewidth=0.8, linestyle=":", zorder=0)
    scales.name_ticks(ax.yaxis, places, list(NETS))
    count = runs[runs["variant"] == "spiking"]["seed"].nunique()
    explain(fig, f"dots: n={count} seeds; bars and numbers: mean and 95 % interval; dotted: chance")
    return fig


def _raster(tables: Tables) -> Figure:
    one = tables.runs[tables.runs["variant"] == "raster"].iloc[0]
    layers = last_of(tables.layers, one)
    hidden, output = (numbered(layers[layers["layer"] == name], "weight_entry_") for name in ("hidden", "output"))
    images, classes = load_digits(return_X_y=True)
    image = images[np.flatnonzero(classes == SHOWN)[0]] / 16
    incoming = (np.random.default_rng(0).uniform(size=(STEPS, 64)) < image).astype(float)
    fired, _ = spikes.fired(incoming, hidden.reshape(-1, 64))
    potentials = spikes.integrated(fired, output.reshape(10, -1))
    fig = figure(TEXT, 2.8)
    axes = fig.subplots(1, 4, width_ratios=[1, 1.6, 1.6, 1.6])
    axes[0].imshow(image.reshape(8, 8), cmap="gray_r", interpolation="nearest")
    axes[0].set(title="image", xticks=[], yticks=[])
    for ax, rows, name in ((axes[1], incoming, "pixels"), (axes[2], fired, "hidden neurons")):
        step, neuron = np.nonzero(rows)
        ax.plot(step + 1, neuron, "|", color=INK, markersize=3 if rows is incoming else 7)
        ax.set(title=name, xlabel="step of time", xlim=(0, STEPS + 1), ylim=(-1, rows.shape[1]))
        scales.whole_ticks(ax.yaxis)
    for k in range(10):
        color, width = (VERMILLION, 2.0) if k == SHOWN else (QUIET, 0.8)
        axes[3].plot(np.arange(1, STEPS + 1), potentials[:, k], color=color, linewidth=width)
    axes[3].set(title="outputs", xlabel="step of time", ylabel="potential")
    explain(fig, f"a mark is a spike; red: the output of the right class, {SHOWN}; seed {one['seed']}")
    return fig
