"""Figures of Boltzmann machines: energies and features of digits, and how likely the bars become."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import legends
from repro.plots.blocks import curve, error_bars, in_words
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, QUIET, TEXT, VERMILLION, explain, figure
from repro.storage.statistics import estimate

LEARNING = {
    "divergence": ("CD-1", BLUE),
    "persistent": ("persistent chains", VERMILLION),
    "exact": ("true gradient", GREEN),
}
KINDS = {"data": "test images", "shuffled": "their pixels shuffled", "noise": "noise"}
LABELS = {"few": "60 labels", "few_tuned": "60 labels,\npenalty chosen", "all": "all labels"}
INPUTS = {"pixels": ("pixels", QUIET), "features": ("hidden units", BLUE)}


def figures(tables: Tables) -> dict[str, Figure]:
    """Digits: energies, accuracies, reconstruction; bars: log-likelihood by epoch."""
    return {"digits": _digits(tables.runs, tables.curves), "bars": _bars(tables.curves)}


def further_columns(tables: Tables) -> pd.DataFrame:
    """By how much features gain more over pixels with few labels than with all."""
    keys = [f"machine_{labels}_{kind}" for labels in ("few", "all") for kind in INPUTS]
    runs = tables.runs.reindex(columns=["run", "seed", *keys])  # the bars alone have none of these
    few = runs["machine_few_features"] - runs["machine_few_pixels"]
    every = runs["machine_all_features"] - runs["machine_all_pixels"]
    return runs[["run", "seed"]].assign(gain_few_less_gain_all=few - every)


def _digits(runs: pd.DataFrame, rows: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.9)
    energies, labels, error = fig.subplots(1, 3)
    for offset, (learning, (name, color)) in zip((-0.12, 0.12), LEARNING.items(), strict=False):
        own = runs[runs["variant"] == f"digits_{learning}"]
        for place, kind in enumerate(KINDS):
            values = estimate(own[f"machine_energy_{kind}"].tolist())
            error_bars(energies, [place + offset], [values], label=name if place == 0 else "_", color=color)
    energies.set_xticks(range(len(KINDS)), ["test\nimages", "pixels\nshuffled", "noise"], fontsize=7)
    energies.set(ylabel="free energy (nats)", xlim=(-0.5, 2.5))
    legends.inside(energies, loc="lower right", fontsize=6)
    _accuracies(labels, runs[runs["variant"] == "digits_divergence"])
    lines = rows[(rows["metric"] == "reconstruction") & (rows["variant"] == "digits_divergence")]
    curve(error, lines, "step", label="CD-1", color=BLUE, spread="mean")
    error.set(xlabel="epoch", ylabel="squared error an image", ylim=(0, None))
    persistent = runs.loc[runs["variant"] == "digits_persistent", "seed"].nunique()
    also = f"{LEARNING['persistent'][0]}: n={persistent}" if persistent else ""
    explain(fig, in_words(lines), also, "bars: 95 % intervals", "accuracies and errors of CD-1")
    return fig


def _accuracies(ax: Axes, runs: pd.DataFrame) -> None:
    for offset, (kind, (name, color)) in zip((-0.12, 0.12), INPUTS.items(), strict=True):
        columns = (f"few_{kind}", f"few_{kind}_tuned", f"all_{kind}")
        found = [estimate(runs[f"machine_{column}"].tolist()) for column in columns]
        error_bars(ax, [place + offset for place in range(3)], found, label=name, color=color, within=(0.0, 1.0))
    ax.set_xticks(range(3), [*LABELS.values()], fontsize=7)
    ax.set(ylabel="accuracy", xlim=(-0.5, 2.5))
    legends.inside(ax, loc="lower right", fontsize=6)


def _bars(rows: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.9)
    ax = fig.subplots()
    own = rows[rows["split"] == "small_machine"]
    lines = own[own["metric"] == "log_likelihood"]
    for learning, (name, color) in LEARNING.items():
        found = lines[lines["variant"] == f"bars_{learning}"]
        if found["step"].nunique() == 1:
            at = float(found["step"].iloc[0])
            error_bars(ax, [at], [estimate(found["value"].tolist())], label=f"{name}, at the end", color=color)
        else:
            curve(ax, found, "step", label=name, color=color, spread="mean")
    for metric, name in (("bound", "the best there is"), ("uniform", "uniform")):
        at = float(own.loc[own["metric"] == metric, "value"].iloc[0])
        ax.axhline(at, color=QUIET, linestyle=":", linewidth=0.9)
        ax.annotate(
            name,
            (1, at),
            (-2, 2),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            fontsize=7,
            color=QUIET,
        )
    ax.set(xlabel="epoch", ylabel="log-likelihood (nats a pattern)")
    legends.inside(ax, loc="center", bbox_to_anchor=(0.62, 0.35))
    explain(fig, in_words(lines), "bar: 95 % interval")
    return fig
