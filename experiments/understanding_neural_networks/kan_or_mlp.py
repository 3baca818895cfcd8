"""Figures of nets of splines beside MLPs: error by size, the staircase of refinements, learnt edges, hard targets."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.blocks import how_many
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, TEXT, VERMILLION, explain, figure

from .plots.edges import edges, last_of

KANS = {"kan_2_1_1": ("KAN [2,1,1]", BLUE), "kan_2_5_1": ("KAN [2,5,1]", GREEN)}
MLPS = {
    "mlp_5_5": ("MLP 2-5-5-1", 51, ORANGE),
    "mlp_20_20": ("MLP 2-20-20-1", 501, VERMILLION),
    "mlp_50_50": ("MLP 2-50-50-1", 2751, PURPLE),
}
TARGETS = {"smooth": "sin 2πx", "kink": "|x − 0.3|", "jump": "sign(x − 0.3)", "noisy": "sin 2πx, noisy"}
NETS = (("kan", "KAN, 24 parameters", BLUE), ("mlp", "MLP, 25 parameters", VERMILLION))
STUCK = 0.1  # test error with 3 intervals beyond which a start counts as stuck
COARSEST, ORDER = 3, 3  # intervals of the first grid, and of the splines
SLOPED = (3, 5, 10, 20)  # grids that the slope is taken over
PUBLISHED = {21: 1.39e-2, 42: 6.16e-4}  # parameters of [2,1,1], as counted here, and the notebook's test error


def figures(tables: Tables) -> dict[str, Figure]:
    """Error by parameters, error by update, the edges of one net, errors on functions of one number."""
    stages = _stages(tables.curves)
    drawn = {"scaling": _scaling(stages, tables.runs), "staircase": _staircase(tables.curves)}
    learnt = _edges(tables)
    if learnt is not None:
        drawn["edges"] = learnt
    if {f"{net}_{target}" for net in ("kan", "mlp") for target in TARGETS} <= set(tables.runs["variant"]):
        drawn["drawbacks"] = _drawbacks(tables.runs)
    return drawn


def further_columns(tables: Tables) -> pd.DataFrame:
    """The test error with each grid, of all starts; also, and the slope in the grid, of those that do not stick.

    And the seconds of each run, once where it trained several seeds together.
    """
    keys = ["run", "seed"]
    rows: list[dict[str, Any]] = []
    for (run, seed), own in _stages(tables.curves).groupby(keys):
        errors = dict(zip(own["grid"].astype(int), own["error"], strict=True))
        row = {"run": run, "seed": seed} | {f"all_starts_error_{grid}": error for grid, error in errors.items()}
        if errors[min(errors)] < STUCK:
            row |= {f"error_{grid}": error for grid, error in errors.items()}
            used = [grid for grid in SLOPED if grid in errors]
            if len(used) > 1:
                row["slope"] = float(np.polyfit(np.log(used), np.log([errors[grid] for grid in used]), 1)[0])
        rows.append(row)
    timed = tables.runs.sort_values("seed").drop_duplicates("run").rename(columns={"seconds": "seconds_of_a_run"})
    timed = timed[[*keys, "seconds_of_a_run"]]
    return pd.DataFrame(rows).merge(timed, on=keys, how="outer") if rows else timed


def _stages(curves: pd.DataFrame) -> pd.DataFrame:
    """Test error and parameters at the end of the last stage with each grid: run, variant, seed, grid, error."""
    keys = ["run", "variant", "seed", "step"]
    sides = {"error": ("test", "rmse"), "grid": ("schedule", "grid"), "parameters": ("schedule", "parameters")}
    parts = [
        curves[(curves["split"] == split) & (curves["metric"] == metric)].set_index(keys)["value"].rename(name)
        for name, (split, metric) in sides.items()
    ]
    joined = pd.concat(parts, axis=1, join="inner").reset_index().sort_values("step")
    return joined.groupby(["run", "variant", "seed", "grid"], as_index=False).last()


def _scaling(stages: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 3.4)
    ax = fig.subplots()
    for variant, (label, color) in KANS.items():
        own = stages[stages["variant"] == variant]
        for i, (_, line) in enumerate(own.groupby(["run", "seed"])):
            named = label if i == 0 else "_"
            ax.plot(line["parameters"], line["error"], "o-", color=color, markersize=3, linewidth=0.8, label=named)
    for variant, (label, size, color) in MLPS.items():
        own = runs[runs["variant"] == variant]
        if len(own):
            ax.plot([size] * len(own), own["test_rmse"], "D", color=color, markersize=4, label=label)
    ax.plot(list(PUBLISHED), list(PUBLISHED.values()), "x", color=INK, markersize=7, label="published, [2,1,1]")
    first = stages[stages["error"] < STUCK]
    if len(first):
        start = first[first["variant"] == "kan_2_1_1"].sort_values("parameters").iloc[0]
        intervals = np.geomspace(1, 6) * COARSEST
        at = (
            start["parameters"] * (intervals + ORDER + 1) / (COARSEST + ORDER + 1)
        )  # each spline has one more than G + k
        look: dict[str, Any] = {"color": QUIET, "linestyle": "--", "linewidth": 1}
        ax.plot(at, start["error"] * (intervals / COARSEST) ** -4.0, label="intervals⁻⁴", **look)
    ax.set(xscale="log", yscale="log", xlabel="parameters", ylabel="test error (rmse)")
    legends.outside(fig, [ax], loc="outside right upper")
    explain(fig, "a line or dot a seed; along a line the grid grows from 3 to 50 intervals")
    return fig


def _staircase(curves: pd.DataFrame) -> Figure:
    rows = curves[curves["metric"].eq("rmse") & curves["split"].isin(["train", "test"]) & (curves["step"] > 0)]
    chosen = [variant for variant in (*KANS, *MLPS) if (rows["variant"] == variant).any()]
    looks = {**KANS, **{name: (label, color) for name, (label, _, color) in MLPS.items()}}
    fig = figure(TEXT, 3.0)
    ax = fig.subplots()
    for variant in chosen:
        own = rows[(rows["variant"] == variant) & (rows["split"] == "test")]
        middle = own.groupby("step")["value"].median()
        label, color = looks[variant]
        ax.plot(middle.index, middle, color=color, marker="o", markersize=3, label=label)
    for step in _refinements(curves):
        ax.axvline(step, color=QUIET, linewidth=0.7, linestyle=":", zorder=1)
    ax.set(yscale="log", xlabel="update (20 iterations of L-BFGS)", ylabel="test error (rmse)")
    scales.whole_ticks(ax.xaxis)
    legends.outside(fig, [ax], loc="outside right upper")
    explain(
        fig,
        f"median of n={how_many(rows[rows['variant'].isin(chosen)])} seeds, those that stick among them",
        "dotted: the grid of KANs grows, from 3 to 50 intervals",
    )
    return fig


def _refinements(curves: pd.DataFrame) -> list[int]:
    """The updates after which the grid of [2,1,1] grew."""
    rows = curves[curves["variant"].eq("kan_2_1_1") & curves["metric"].eq("grid")]
    return sorted(rows.groupby("value")["step"].max().astype(int))[:-1]


def _edges(tables: Tables) -> Figure | None:
    """The three edges of the first net [2,1,1] that does not stick, drawn from its coefficients by SciPy."""
    good = tables.runs[(tables.runs["variant"] == "kan_2_1_1") & (tables.runs["test_rmse"] < STUCK)]
    if good.empty:
        return None
    one = good.sort_values("seed").iloc[0]
    first, second = (edges(last_of(tables.layers, one), i) for i in (0, 1))
    fig = figure(TEXT, 2.4)
    (x, of_x), (y, of_y), (value, of_value) = first[0, 0], first[1, 0], second[0, 0]
    scale = float(np.polyfit(np.sin(np.pi * x), of_x, 1)[0])  # of the hidden node, which is free
    shown = [
        ("x to the hidden node", "x; dashed: sin πx", x, of_x, np.sin(np.pi * x)),
        ("y to the hidden node", "y; dashed: y²", y, of_y, y**2),
        ("hidden node to output", "value; dashed: exp", value, of_value, np.exp(value / scale)),
    ]
    for ax, (title, says, at, learnt, formula) in zip(fig.subplots(1, 3), shown, strict=True):
        ax.plot(at, learnt, color=BLUE, linewidth=2, label="learnt")
        a, b = np.polyfit(formula, learnt, 1)
        ax.plot(at, a * formula + b, color=INK, linestyle="--", linewidth=1, label="its formula, scaled")
        ax.set(title=title, xlabel=says)
    fig.axes[0].set_ylabel("edge function")
    legends.outside(fig, fig.axes[:1], loc="outside upper center", ncols=2)
    explain(fig, f"seed {one['seed']}, test error {one['test_rmse']:.1e}; dashed: a·formula + b by least squares")
    return fig


def _drawbacks(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.7)
    ax = fig.subplots()
    for shift, (net, label, color) in zip((-0.15, 0.15), NETS, strict=True):
        for place, target in enumerate(TARGETS):
            values = runs[runs["variant"] == f"{net}_{target}"]["test_rmse"]
            at, named = place + shift, label if place == 0 else "_"
            ax.plot([at] * len(values), values, "o", color=color, markersize=3.5, alpha=0.6, label=named)
            ax.plot([at - 0.1, at + 0.1], [values.median()] * 2, color=color, linewidth=2)
    ax.set(yscale="log", ylabel="test error (rmse)", xlim=(-0.6, len(TARGETS) - 0.4))
    scales.name_ticks(ax.xaxis, range(len(TARGETS)), list(TARGETS.values()))
    legends.outside(fig, [ax], loc="outside upper center", ncols=2)
    count = runs[runs["variant"] == "kan_smooth"]["seed"].nunique()
    explain(fig, f"dots: n={count} seeds; bars: their median; noisy: training values only")
    return fig
