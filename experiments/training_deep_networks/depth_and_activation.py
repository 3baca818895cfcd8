"""Figures of the depth study: activation × depth on MNIST, as maps and as lines. Reads tables, trains nothing."""

import math
from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from repro.plots import blocks, heat_maps, legends, scales
from repro.plots.experiment import Tables
from repro.plots.heat_maps import Cell
from repro.plots.style import QUIET, TEXT, Look, activation_look, explain, figure
from repro.plots.sweeps import seed_dots
from repro.storage.statistics import Estimate, estimate

DEPTH = "architecture.depth"
NAMES = {
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "ReLU",
    "hard_tanh": "hard tanh",
    "noisy_tanh_nan": "noisy tanh (NAN)",
    "noisy_tanh_nah": "noisy tanh (NAH)",
    "esp": "ESP",
}
# Ratios further from 1 than this many powers of ten have the full colour; their numbers stand in the cells.
FULL_COLOR = 6.0
BESIDE = 0.7  # layers, between a mean and the dots of its seeds
LEAST = float(np.finfo(np.float32).smallest_subnormal)


def figures(tables: Tables) -> dict[str, Figure]:
    """Maps of accuracy and of the vanishing ratio before and after training, and the ratio against depth."""
    runs = tables.runs
    drawn = {}
    if {"test_accuracy", "first_vanishing_ratio"} <= set(runs.columns):
        drawn["accuracy_and_first_ratio"] = _accuracy_and_ratio(runs)
    if "vanishing_ratio" in runs.columns:
        drawn["ratio_after_training"] = _after_training(runs)
    if {"first_vanishing_ratio", "vanishing_ratio"} <= set(runs.columns):
        drawn["ratio_by_depth"] = _by_depth(runs)
    return drawn


def _accuracy_and_ratio(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 3.3)
    left, right = fig.subplots(1, 2, sharey=True)
    _accuracy_map(left, runs)
    _ratio_map(right, runs, "first_vanishing_ratio")
    right.set_title("log₁₀ vanishing ratio at initialization")
    explain(fig, _footnote(runs))
    return fig


def _after_training(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT * 0.62, 3.3)
    ax = fig.subplots()
    _ratio_map(ax, runs, "vanishing_ratio")
    ax.set_title("log₁₀ vanishing ratio after training")
    explain(fig, _footnote(runs, "\n"))
    return fig


def _accuracy_map(ax: Axes, runs: pd.DataFrame) -> None:
    cells = _cells(runs, "test_accuracy", float, lambda mean: f"{mean:.3f}")
    _map(ax, cells, runs, matplotlib.colormaps["cividis"], Normalize(0, 1))
    ax.set_title("test accuracy")


def _ratio_map(ax: Axes, runs: pd.DataFrame, column: str) -> None:
    cells = _cells(runs, column, _exponent, _signed)
    _map(ax, cells, runs, matplotlib.colormaps["PuOr"], Normalize(-FULL_COLOR, FULL_COLOR))


def _map(ax: Axes, cells: dict[tuple[str, int], Cell], runs: pd.DataFrame, cmap: Colormap, norm: Normalize) -> None:
    heat_maps.heat_map(ax, cells, _variants(runs), _depths(runs), cmap=cmap, norm=norm)
    ax.set_yticks(range(len(_variants(runs))), [NAMES.get(v, v) for v in _variants(runs)])
    ax.set_xlabel("hidden layers")


def _cells(
    runs: pd.DataFrame, column: str, scale: Callable[[float], float], show: Callable[[float], str]
) -> dict[tuple[str, int], Cell]:
    usual = _usual(runs)
    cells = {}
    for (variant, depth), rows in runs.groupby(["variant", DEPTH], sort=False):
        diverged = int((rows["status"] == "diverged").sum())
        values = [scale(value) for value in rows[column].tolist()]
        cells[str(variant), int(str(depth))] = heat_maps.cell(
            values, show, seeds=len(rows), diverged=diverged, usual=usual
        )
    return cells


def _exponent(ratio: float) -> float:
    """log10 of a ratio; one of exactly 0 is below what float32 can hold, and counts as its least number."""
    return math.log10(max(ratio, LEAST)) if ratio >= 0 else math.nan


def _signed(exponent: float) -> str:
    return f"{exponent:+.1f}".replace("-", "−") if abs(exponent) >= 0.05 else "0.0"


def _by_depth(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 3.4)
    axes = fig.subplots(1, 2, sharey=True)
    titles = {"first_vanishing_ratio": "at initialization", "vanishing_ratio": "after training"}
    values: list[float] = []
    for ax, (column, title) in zip(axes, titles.items(), strict=True):
        for variant in _variants(runs):
            look = _look(variant)
            own = runs[runs["variant"] == variant]
            for depth, ratios in own.groupby(DEPTH)[column]:
                exponents = [_exponent(ratio) for ratio in ratios.tolist()]
                seed_dots(ax, int(str(depth)) + BESIDE, [_power(e) for e in exponents if math.isfinite(e)], look.color)
            depths, found = _means(own, column)
            blocks.error_bars(
                ax, depths, found, label=NAMES.get(variant, variant), color=look.color, fmt=f"{look.marker}-"
            )
            values += [bound for f in found for bound in (f.value, *(f.interval or ()))]
        ax.axhline(1, color=QUIET, linewidth=0.8, zorder=0)
        ax.set(title=title, xlabel="hidden layers")
        ax.set_xticks(_depths(runs))
    for ax in axes:
        scales.log_axis(ax.yaxis, [*values, 1.0])
    axes[0].set_ylabel("first hidden layer's gradient norm\nover the last's")
    legends.outside(fig, list(axes), widest=60, loc="outside upper left", ncols=3, fontsize="small")
    note = f"geometric mean of n={_usual(runs)} seeds, 95 % interval; small dots beside it: seeds"
    explain(fig, note, "1: the gradient arrives as large as it started")
    return fig


def _means(rows: pd.DataFrame, column: str) -> tuple[list[int], list[Estimate]]:
    """Geometric mean and its interval at each depth that has a value."""
    depths, found = [], []
    for depth, values in rows.groupby(DEPTH)[column]:
        exponents = [e for e in map(_exponent, values.tolist()) if math.isfinite(e)]
        if exponents:
            inner = estimate(exponents)
            bounds = None if inner.interval is None else (_power(inner.interval[0]), _power(inner.interval[1]))
            depths.append(int(str(depth)))
            found.append(Estimate(_power(inner.value), bounds, inner.n))
    return depths, found


def _power(exponent: float) -> float:
    """Ten to the exponent, kept within what an axis can show."""
    return float(10 ** np.clip(exponent, -300, 300))


def _look(variant: str) -> Look:
    """That of the activation; a noisy one has its noise at the end of the variant's name."""
    unit, _, noise = variant.rpartition("_")
    return activation_look(unit, noise) if unit.startswith("noisy") else activation_look(variant)


def _variants(runs: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(runs["variant"]))


def _depths(runs: pd.DataFrame) -> list[int]:
    return sorted(int(depth) for depth in runs[DEPTH].unique())


def _usual(runs: pd.DataFrame) -> int:
    """n of most cells."""
    return int(runs.groupby(["variant", DEPTH]).size().mode().max())


def _footnote(runs: pd.DataFrame, between: str = " ") -> str:
    scales: Sequence[str] = list(dict.fromkeys(runs["scale"]))
    small = "" if scales == ["full"] else f" at scale {'+'.join(scales)}"
    says = "log ratio 0: the gradient is as large in the first hidden layer as in the last"
    return f"means of n={_usual(runs)} seeds{small};{between}{says}"
