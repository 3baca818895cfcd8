"""What is left of each claim after each control: a table of verdicts, and figures by control. Reads tables only."""

import re

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import TEXT, explain, figure
from repro.storage.metrics import POSITIVE, SHARE, Range
from repro.storage.statistics import estimate

from .plots.spectra import UNITS

CLAIMS = {
    "C1": "C1 flat directions for ReLU alone",
    "C2": "C2 fewest negative ones for ReLU",
    "C3": "C3 lowest loss for ESP",
    "C3_residuals": "C3 most zero residuals for ESP",
    "C4": "C4 ReLU depends on the net",
}
TOLERANCES = ("at_1e-8", "at_1e-6", "at_1e-4")
MOST = "C1 most flat directions for ReLU"  # what is asked at a tolerance, at which all nets have some
CONTROLS = {
    "raw": "as published",
    "standardized": "inputs standardized",
    "output": "output β for all",
    "plain": "ESP without output β",
    "matched": "at equal loss",
    "at_1e-8": "tolerance 1e-8",
    "at_1e-6": "tolerance 1e-6",
    "at_1e-4": "tolerance 1e-4",
    "at_raw": "no tolerance",
    "8_5": "net 8-5 fails less",
    "10_2": "net 10-2 fails less",
}
BESIDE = 0.06  # how far a mean stands from the dots of its seeds
KINDS = {"linear": "straight", "nonlinear": "curved"}
NETS = {"10": "2-10-1", "8_2": "2-8-2-1"}


def figures(tables: Tables) -> dict[str, Figure]:
    """γ and the loss at the end, by control and activation."""
    runs = tables.runs
    return {
        "flat_directions": _by_control(runs, "hessian_gamma_structural", "γ, share of flat directions", SHARE),
        "loss": _by_control(runs, "hessian_loss", "training loss", POSITIVE, medians=True),
    }


def further_tables(tables: Tables) -> dict[str, pd.DataFrame]:
    """The verdict on each claim (rows) under each control (columns), for the straight and the curved boundary."""
    claims = tables.claims
    rows: dict[tuple[str, str], dict[str, str]] = {}
    pattern = re.compile(
        rf"({'|'.join(sorted(CLAIMS, key=len, reverse=True))})_({'|'.join(CONTROLS)})_({'|'.join(KINDS)})"
    )
    for claim in claims.to_dict("records"):
        if found := pattern.fullmatch(str(claim["claim"])):
            name, control, kind = found.groups()
            asked = MOST if name == "C1" and control in TOLERANCES else CLAIMS[name]
            row = rows.setdefault((name, control), {"claim": asked, "control": CONTROLS[control]})
            row[KINDS[kind]] = str(claim["verdict"])
    order = {name: i for i, name in enumerate(CONTROLS)}
    chosen = sorted(rows, key=lambda key: (list(CLAIMS).index(key[0]), order[key[1]]))
    return {"survival": pd.DataFrame([rows[key] for key in chosen]).fillna("–")}


def _by_control(runs: pd.DataFrame, metric: str, label: str, within: Range, medians: bool = False) -> Figure:
    """Seeds with their mean and its interval; or their median, where some end decades above the others."""
    fig = figure(TEXT, 4.2)
    axes = fig.subplots(2, 2, sharey=True, sharex=True)
    for row, (kind, words) in zip(axes, KINDS.items(), strict=True):
        for ax, (net, shape) in zip(row, NETS.items(), strict=True):
            own = runs[runs["dataset.kind"] == kind]
            for place, (unit, (name, color)) in enumerate(UNITS.items()):
                at, values = _seeds(ax, own, unit, net, metric, 0.18 * (place - 1.5), color)
                if medians:
                    middle = [float(np.median(own_values)) for own_values in values]
                    ax.plot(
                        [place - BESIDE for place in at],
                        middle,
                        "_",
                        color=color,
                        markersize=11,
                        markeredgewidth=2,
                        label=name,
                    )
                else:
                    found = [estimate(own_values) for own_values in values]
                    blocks.error_bars(ax, at, found, label=name, color=color, markersize=3, within=within)
            ax.set(title=f"{words} boundary, {shape}")
            ax.set_xticks(range(3), ["as published", "standardized", "output β\nfor all"])
    scales.value_axis(axes[0, 0].yaxis, runs[metric].dropna(), within)
    for ax in axes[:, 0]:
        ax.set_ylabel(label)
    legends.outside(fig, [axes[0, 0]], loc="outside upper center", ncols=len(UNITS))
    n = int(runs.groupby("run").size().max())
    marks = "strokes: their medians" if medians else "bars: means with 95 % intervals"
    explain(fig, f"n={n} seeds; dots: seeds, {marks}; one range for all panels")
    return fig


def _seeds(
    ax: Axes, runs: pd.DataFrame, unit: str, net: str, metric: str, shift: float, color: str
) -> tuple[list[float], list[list[float]]]:
    """A dot a seed of a unit under each control, ESP with its output β as published; places and values."""
    at, found = [], []
    for place, control in enumerate(("raw", "standardized", "raw" if unit == "esp" else "output")):
        values = runs.loc[runs["variant"] == f"{control}_{unit}_{net}", metric].dropna()
        dots = [place + shift - BESIDE] * len(values)
        ax.plot(dots, values, "o", color=color, markersize=2.5, alpha=0.35, markeredgewidth=0)
        if len(values):
            at.append(place + shift)
            found.append(values.tolist())
    return at, found
