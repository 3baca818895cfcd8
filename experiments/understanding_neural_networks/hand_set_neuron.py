"""Figures of the neuron set by hand: its weights, what it is shown, what it answers."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, TEXT, VERMILLION, explain, figure

from .datasets.bar import SIDE, stimuli, weights

KINDS = {"bar": "bar", "block": "block", "upright": "upright bar", "noise": "noise"}
NEURONS = {
    "surround": ("as set", BLUE),
    "no_surround": ("no negative weights", VERMILLION),
    "no_bias": ("no bias", GREEN),
}


def figures(tables: Tables) -> dict[str, Figure]:
    """Weights and stimuli with the answers below, and answers of three such neurons."""
    return {"stimuli": _stimuli(tables.runs), "answers": _answers(tables.runs)}


def _stimuli(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 1.9)
    axes = fig.subplots(1, 1 + len(KINDS))
    axes[0].imshow(weights(True), cmap="RdBu", vmin=-1, vmax=1, interpolation="nearest")
    axes[0].set_title("weights", fontsize=8)
    means = runs[runs["variant"] == "surround"].mean(numeric_only=True)
    example = np.random.default_rng(0).uniform(size=(SIDE, SIDE))
    for ax, (name, image) in zip(axes[1:], stimuli(example).items(), strict=True):
        ax.imshow(image, cmap="Greys_r", vmin=0, vmax=1, interpolation="nearest")
        ax.set_title(KINDS[name], fontsize=8)
        ax.set_xlabel(f"{float(means[f'hand_set_neuron_{name}']):.2g}")
    for ax in axes:
        ax.set_xticks([])
        ax.set_yticks([])
    explain(
        fig, "weights: blue +1, red −1", "numbers: activation", "noise: one image, and the mean over those measured"
    )
    return fig


def _answers(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT * 0.7, 2.6)
    ax = fig.subplots()
    for shift, (variant, (label, color)) in zip((-0.2, 0.0, 0.2), NEURONS.items(), strict=True):
        own = runs[runs["variant"] == variant]
        for place, name in enumerate(KINDS):
            values = own[f"hand_set_neuron_{name}"].to_numpy(float)
            along = place + shift + np.linspace(-0.07, 0.07, len(values))
            ax.plot(along, values, ".", color=color, markersize=3, label=label if place == 0 else None)
    scales.name_ticks(ax.xaxis, range(len(KINDS)), list(KINDS.values()))
    ax.set(ylabel="activation", ylim=(-0.03, 1.03))
    legends.outside(fig, [ax], loc="outside upper center", ncols=3)
    explain(fig, f"a dot an image of noise, n={int(runs.groupby('variant').size().max())}; the rest is always the same")
    return fig
