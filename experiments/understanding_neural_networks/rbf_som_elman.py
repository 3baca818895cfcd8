"""Figures of older nets: a map as it orders itself, and where Elman's net and radial basis functions stand."""

import math

import pandas as pd
from matplotlib.figure import Figure

from repro.plots import scales
from repro.plots.blocks import curve, error_bars, how_many, in_words
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, QUIET, TEXT, VERMILLION, explain, figure
from repro.storage.statistics import estimate

COURSE = {"torn_share": "torn apart (share of images)", "quantization_error": "distance to the best unit"}


def figures(tables: Tables) -> dict[str, Figure]:
    """The map by epoch; the other two beside each other."""
    return {"map": _map(tables.curves), "others": _others(tables.runs)}


def _map(rows: pd.DataFrame) -> Figure:
    own = rows[(rows["variant"] == "som") & rows["metric"].isin(COURSE)]
    fig = figure(TEXT, 2.6)
    for ax, (metric, name) in zip(fig.subplots(1, 2), COURSE.items(), strict=True):
        curve(ax, own[own["metric"] == metric], "step", label="map", color=BLUE, spread="mean", marker="o")
        ax.set(xlabel="epoch", ylabel=name)
        scales.linear_from_zero(ax.yaxis, own.loc[own["metric"] == metric, "value"])
        scales.whole_ticks(ax.xaxis)
    explain(
        fig,
        in_words(own, each=("metric",)),
        "test images",
        "torn apart: the second best unit is no neighbour of the best",
    )
    return fig


def _others(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.4)
    letters, points = fig.subplots(1, 2)
    own = runs[runs["variant"] == "elman"]
    for place, kind in enumerate(("consonant", "vowel")):
        error_bars(letters, [place], [estimate(own[f"elman_{kind}_loss"].tolist())], label="_", color=VERMILLION)
    letters.axhline(math.log(3), color=QUIET, linestyle=":", linewidth=0.9)
    letters.set_xticks(range(2), ["consonants", "vowels"])
    letters.set(ylabel="loss (nats a letter)", xlim=(-0.5, 1.5), title="Elman's net")
    own = runs[runs["variant"] == "rbf"]
    for place, column in enumerate(("radial_basis_accuracy", "radial_basis_linear_accuracy")):
        error_bars(points, [place], [estimate(own[column].tolist())], label="_", color=BLUE, within=(0.0, 1.0))
    points.set_xticks(range(2), ["eight bumps", "a straight line"])
    points.set(ylabel="accuracy", xlim=(-0.5, 1.5), ylim=(0, 1.02), title="a disc in a ring")
    n = how_many(runs[runs["variant"].isin(["elman", "rbf"])])
    explain(
        fig, f"mean of n={n} starts with its 95 % interval; dotted: log 3, three consonants as likely as one another"
    )
    return fig
