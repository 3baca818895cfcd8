"""Figures of exclusive or: a perceptron's lines, maps of small nets, how many starts learn it and how fast."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, PALETTE, QUIET, TEXT, VERMILLION, explain, figure
from repro.storage.metrics import SHARE
from repro.storage.statistics import share

ENDS = (-0.5, 1.5)  # of the maps
GATES = {"and": (0, 0, 0, 1), "xor": (0, 1, 1, 0)}
CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
SHOWN = 3  # maps


def figures(tables: Tables) -> dict[str, Figure]:
    """Decisions in the plane, and success by size."""
    return {"decisions": _decisions(tables.curves), "success": _success(tables.runs, tables.curves)}


def _decisions(rows: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.1)
    maps = rows[(rows["variant"] == "maps") & (rows["metric"] == "map")]
    seeds = sorted(maps["seed"].unique())[:SHOWN]
    axes = fig.subplots(1, len(GATES) + len(seeds))
    for ax, (gate, values) in zip(axes, GATES.items(), strict=False):
        _lines(ax, rows[rows["metric"] == f"line_{gate}"])
        _corners(ax, values)
        ax.set_title(f"perceptron: {gate.upper()}", fontsize=8)
    for ax, seed in zip(axes[len(GATES) :], seeds, strict=True):
        own = maps[maps["seed"] == seed].sort_values("step")["value"].to_numpy(float)
        side = round(len(own) ** 0.5)
        ax.imshow(own.reshape(side, side), origin="lower", extent=(*ENDS, *ENDS), cmap="RdBu", vmin=0, vmax=1)
        _corners(ax, GATES["xor"])
        ax.set_title(f"2-2-1: XOR, seed {seed}", fontsize=8)
    explain(
        fig,
        "circles 0, crosses 1",
        "lines: the last of each order of the corners; a corner on its line counts as 0",
        "maps: red 0, blue 1",
    )
    return fig


def _lines(ax: Axes, rows: pd.DataFrame) -> None:
    x = np.array(ENDS)
    for _, own in rows.groupby("seed"):
        first, second, bias = own.sort_values("step")["value"].to_numpy(float)
        if second:
            ax.plot(x, -(first * x + bias) / second, color=QUIET, linewidth=0.7)
        elif first:
            ax.axvline(-bias / first, color=QUIET, linewidth=0.7)


def _corners(ax: Axes, values: tuple[int, ...]) -> None:
    for (x, y), value in zip(CORNERS, values, strict=True):
        mark, color = ("x", BLUE) if value else ("o", VERMILLION)
        if value:  # a cross has no edge of its own
            ax.plot(x, y, mark, color="white", markersize=8, markeredgewidth=4)
        ax.plot(x, y, mark, color=color, markersize=6, markeredgewidth=1.5, markeredgecolor=color if value else "white")
    ax.set(xlim=ENDS, ylim=ENDS, aspect="equal")
    ax.set_xticks([0, 1])
    ax.set_yticks([0, 1])
    ax.grid(False)


def _success(runs: pd.DataFrame, rows: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.7)
    one, two = fig.subplots(1, 2)
    nets = [name for name in dict.fromkeys(runs["variant"]) if name.startswith("hidden_")]
    for place, name in enumerate(nets):
        learnt = runs.loc[runs["variant"] == name, "xor_net_learnt"]
        found = share(int(learnt.sum()), len(learnt))
        blocks.error_bars(one, [place], [found], label="_", color=PALETTE[place], within=SHARE)
        steps = np.sort(runs.loc[(runs["variant"] == name) & (runs["xor_net_learnt"] == 1), "xor_net_learnt_step"])
        last = float(rows["step"].max())
        shares = np.arange(len(steps) + 1) / len(learnt)
        label = f"{name.partition('_')[2]} units"
        two.step(np.r_[0, steps, last], np.r_[shares, shares[-1]], where="post", color=PALETTE[place], label=label)
    scales.name_ticks(one.xaxis, range(len(nets)), [name.partition("_")[2] for name in nets])
    one.set(xlabel="hidden units", ylabel="share of starts", title="all four corners right")
    one.set(xlim=(-0.4, len(nets) - 0.6), ylim=(-0.02, 1.05))
    two.set(xlabel="steps", title="how soon", ylim=(-0.02, 1.05))
    explain(fig, f"n={int((runs['variant'] == nets[0]).sum())} starts each, exact 95 % intervals")
    legends.outside(fig, [two], loc="outside upper center", ncols=4)
    return fig
