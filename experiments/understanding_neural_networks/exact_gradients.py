"""Figures of exact gradients: how far what is written out is off, and batch norm's Jacobian."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, QUIET, TEXT, VERMILLION, explain, figure

ERRORS = {
    "four_equations": "four equations",
    "scalar_chain": "one unit a layer",
    "paths": "sum over paths",
    "jacobians": "products of Jacobians",
    "input_output": "input to output",
    "softmax": "softmax",
    "batch_norm": "batch normalization",
    "float32": "float32 against float64",
}
LEAST = 1e-20  # exact zeros are drawn there


def figures(tables: Tables) -> dict[str, Figure]:
    """Differences from automatic differentiation; finite differences by step; batch normalization's Jacobian."""
    return {
        "errors": _errors(tables.runs),
        "differences": _differences(tables.curves),
        "batch_norm": _batch_norm(tables.curves),
    }


def _errors(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT * 0.8, 2.8)
    ax = fig.subplots()
    for place, name in enumerate(ERRORS):
        values = runs[f"exact_gradients_{name}_error"].to_numpy(float)
        places = place + np.linspace(-0.25, 0.25, len(values))
        ax.plot(np.maximum(values, LEAST), places, ".", color=VERMILLION if name == "float32" else BLUE, markersize=4)
    ax.axvline(1e-12, color=QUIET, linewidth=0.8, linestyle=":")
    ax.set_xscale("log")
    ax.set_xlim(LEAST / 3, 1e-5)
    scales.name_ticks(ax.yaxis, range(len(ERRORS)), list(ERRORS.values()))
    ax.set_ylim(len(ERRORS) - 0.5, -0.5)
    ax.set_xlabel("greatest absolute difference")
    explain(fig, f"a dot a net, n={len(runs)}", "at the left edge: none at all", "dotted: what counts as equal")
    return fig


def _differences(rows: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.8)
    one, two = fig.subplots(1, 2)
    found = _by_power(rows, "difference_error")
    blocks.curve(one, found, "power", label="worst of three weights", color=BLUE)
    at = np.array([1e-4, 1e-1])
    _slope(one, at, 1e-3 * (at / 0.1) ** 2, "step²")
    at = np.array([1e-12, 1e-5])
    _slope(one, at, 3e-2 * at / 1e-12 * (at / 1e-12) ** -2, "1/step")
    one.set(title="central differences", xlabel="step", ylabel="relative error")
    null = _by_power(rows, "batch_norm_of_normalized")
    blocks.curve(two, null, "power", label="J x̂, greatest entry", color=BLUE)
    two.set(title="batch normalization", xlabel="ε", ylabel="J x̂, greatest entry")
    for ax in (one, two):
        ax.set_xscale("log")
        ax.set_yscale("log")
    legends.outside(fig, [one], loc="outside upper center", ncols=3)
    explain(fig, blocks.in_words(found, center="median"))
    return fig


def _by_power(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    own = rows[rows["metric"] == metric]
    return own.assign(power=10.0 ** -own["step"].astype(float))


def _slope(ax: Axes, at: np.ndarray, values: np.ndarray, label: str) -> None:
    ax.plot(at, values, color=QUIET, linewidth=0.8, linestyle="--" if "²" in label else ":", label=label)


def _batch_norm(rows: pd.DataFrame) -> Figure:
    own = rows[rows["metric"] == "batch_norm_jacobian"]
    first = own[own["seed"] == own["seed"].min()].sort_values("step")["value"].to_numpy(float)
    side = round(len(first) ** 0.5)
    largest = float(np.abs(first).max())
    fig = figure(TEXT * 0.55, 2.9)
    ax = fig.subplots()
    image = ax.imshow(first.reshape(side, side), cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
    ax.set(xlabel="value that moves", ylabel="output that answers")
    ax.set_xticks([])
    ax.set_yticks([])
    fig.colorbar(image, ax=ax, label="derivative")
    explain(fig, f"one batch of {side} values")
    return fig
