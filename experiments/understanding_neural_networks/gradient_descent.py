"""Figures of gradient descent: where starts end, and what an update costs."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from repro.plots import blocks, legends
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, INK, QUIET, TEXT, VERMILLION, explain, figure
from repro.storage.statistics import estimate

WAYS = {"plain": ("steps by the slope", BLUE), "momentum": ("momentum", GREEN), "noise": ("noise", VERMILLION)}
ENDS = (-4.0, 4.0)  # of the starts
UPDATES = {"full": ("all samples", VERMILLION), "minibatch": ("mini-batch", BLUE)}


def figures(tables: Tables) -> dict[str, Figure]:
    """Minima by start, and milliseconds by data set's size."""
    return {"minima": _minima(tables.curves, tables.runs), "cost": _cost(tables.curves)}


def _minima(rows: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.9)
    one, two, three = fig.subplots(1, 3, gridspec_kw={"width_ratios": [3, 3, 2]})
    w = np.linspace(*ENDS, 400)
    one.plot(w, 0.05 * w**4 - 0.6 * w**2 + 0.3 * w + np.sin(3 * w), color=INK, linewidth=1)
    at, value = (_series(rows, name).groupby("step")["value"].first() for name in ("minimum_at", "minimum_value"))
    one.plot(at.to_numpy(float), value.to_numpy(float), "o", color=VERMILLION, markersize=4)
    one.set(title="a line with four minima", xlabel="w", ylabel="cost")
    for name, (_, color) in WAYS.items():
        own = _series(rows, f"end_{name}")
        starts = np.linspace(*ENDS, int(own["step"].max()) + 1)
        if name != "noise":
            first = own[own["seed"] == own["seed"].min()].sort_values("step")
            shift = 0.06 if name == "momentum" else 0.0
            two.plot(starts, first["value"].to_numpy(float) + shift, ".", color=color, markersize=4)
    two.set(title="where each start ends", xlabel="start", ylabel="end")
    for place, (name, (label, color)) in enumerate(WAYS.items()):
        found = estimate(runs[f"gradient_descent_lowest_{name}"].tolist())
        blocks.error_bars(three, [place], [found], label=label, color=color)
    three.set_xticks([])
    three.set_xlim(-0.5, len(WAYS) - 0.5)
    three.set(title="in the lowest", ylabel="share of starts", ylim=(0, 1))
    legends.outside(fig, [three], loc="outside upper center", ncols=3)
    explain(fig, f"mean of n={len(runs)} seeds, 95 % interval", "middle: without noise, momentum moved up a little")
    return fig


def _cost(rows: pd.DataFrame) -> Figure:
    fig = figure(TEXT * 0.6, 2.7)
    ax = fig.subplots()
    own = rows[rows["metric"].str.endswith("_milliseconds")].assign(size=lambda r: r["step"])
    for name, (label, color) in UPDATES.items():
        blocks.curve(ax, own[own["metric"] == f"{name}_milliseconds"], "size", label=label, color=color, marker="o")
    first = own[own["metric"] == "full_milliseconds"].groupby("size")["value"].median()
    sizes = first.index.to_numpy(float)
    ax.plot(sizes, float(first.iloc[0]) * sizes / sizes[0], ":", color=QUIET, linewidth=0.9, label="in proportion")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set(xlabel="samples in the data set", ylabel="milliseconds an update")
    legends.outside(fig, [ax], loc="outside upper center", ncols=3)
    explain(fig, blocks.in_words(own, ("metric",), center="median"), "this machine's")
    return fig


def _series(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    return rows[rows["metric"] == metric]
