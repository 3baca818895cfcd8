"""Figures of the digit network: its first layer's weights, its answers to noise, accuracy from unlike starts."""

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.blocks import curve, error_bars, in_words
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, TEXT, VERMILLION, explain, figure
from repro.plots.sweeps import seed_dots
from repro.plots.tiles import tiles
from repro.storage.statistics import estimate

NOISES = {"uniform": "uniform", "black_and_white": "black, white", "shuffled": "shuffled"}
STARTS = {
    "uniform": ("N(0, 1)", BLUE),
    "scaled": ("N(0, 1/n)", GREEN),
    "zeros": ("zeros", PURPLE),
    "wide": ("N(0, 100)", VERMILLION),
}
ASKED = {"definite_share": "share with an output > ½", "greatest_output": "greatest output, mean"}


def figures(tables: Tables) -> dict[str, Figure]:
    """Tiles of one net's weights, how sure nets are of what is no digit, and what their start does."""
    runs = tables.runs
    drawn = {}
    if (runs["variant"] == "tiles").any():
        drawn["weights"] = _weights(runs, tables.layers)
    if set(NOISES) <= set(runs["variant"]):
        drawn["answers"] = _answers(runs)
    if set(STARTS) & set(runs["variant"]):
        drawn["starts"] = _starts(tables.curves)
    return drawn


def _weights(runs: pd.DataFrame, layers: pd.DataFrame) -> Figure:
    one = runs[runs["variant"] == "tiles"].iloc[0]
    own = layers[(layers["run"] == one["run"]) & (layers["seed"] == one["seed"]) & (layers["depth"] == 1)]
    own = own[own["quantity"].str.startswith("weight_entry_")]
    images = {step: _images(rows) for step, rows in own.groupby("step")}
    largest = max(float(np.abs(image).max()) for image in images.values())
    fig = figure(TEXT, 3.5)
    for part, (step, image) in zip(
        fig.subfigures(1, len(images), squeeze=False)[0], sorted(images.items()), strict=True
    ):
        part.suptitle("before training" if step == 0 else f"after {step:,} updates", fontsize=8.5)
        tiles(part, image, largest)
    explain(
        fig,
        f"incoming weights of {len(image)} units, seed {one['seed']}; blue −{largest:.1f}, white 0, red {largest:.1f}",
    )
    return fig


def _images(rows: pd.DataFrame) -> np.ndarray:
    """(units, side, side) out of numbered entries, row by row of the matrix (16, side²)."""
    order = rows["quantity"].str.removeprefix("weight_entry_").astype(int)
    values = rows["value"].to_numpy()[np.argsort(order.to_numpy(), kind="stable")]
    side = math.isqrt(len(values) // 16)
    return values.reshape(16, side, side)


def _answers(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.6)
    names = ["digits", *NOISES.values()]
    for ax, (metric, label) in zip(fig.subplots(1, len(ASKED)), ASKED.items(), strict=True):
        groups = [runs[runs["variant"] == "uniform"][f"test_{metric}"]]
        groups += [runs[runs["variant"] == noise][f"valid_{metric}"] for noise in NOISES]
        for place, values in enumerate(groups):
            color = BLUE if place == 0 else ORANGE
            seed_dots(ax, place - 0.2, values.tolist(), color)
        error_bars(
            ax, range(len(groups)), [estimate(values.tolist()) for values in groups], label="", color=INK, markersize=4
        )
        ax.set(ylabel=label, ylim=(0, 1.02), xlim=(-0.6, len(groups) - 0.4))
        scales.name_ticks(ax.xaxis, range(len(groups)), names)
    count = runs[runs["variant"] == "uniform"]["seed"].nunique()
    explain(fig, f"dots: n={count} seeds; bars: mean and 95 % interval; digits are the test images, the others noise")
    return fig


def _starts(curves: pd.DataFrame) -> Figure:
    rows = curves[(curves["split"] == "test") & (curves["metric"] == "accuracy")]
    rows = rows[rows["variant"].isin(STARTS)]
    fig = figure(TEXT, 2.9)
    ax = fig.subplots()
    for variant, (label, color) in STARTS.items():
        if (rows["variant"] == variant).any():
            curve(ax, rows[rows["variant"] == variant], "epoch", label=label, color=color, spread="interval")
    scales.whole_ticks(ax.xaxis)
    ax.axhline(0.1, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
    ax.set(xlabel="epoch", ylabel="test accuracy", ylim=(0, 1))
    legends.outside(fig, [ax], loc="outside upper center", ncols=4, title="weights at the start")
    explain(fig, in_words(rows, center="mean"), "dashed: chance")
    return fig
