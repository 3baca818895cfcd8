"""Figures 1, 4, 5 and 6, the accuracies and the learnt p. Reads tables, trains nothing; noise has a fixed seed."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends
from repro.plots.experiment import Tables
from repro.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    INK,
    ORANGE,
    QUIET,
    SKY,
    TEXT,
    VERMILLION,
    WINE,
    activation_look,
    explain,
    figure,
)
from repro.storage.metrics import POSITIVE, SHARE
from repro.storage.statistics import estimate

from .plots import best_possible
from .plots.units import HARD_SIGMOID, HARD_TANH, phi, sigma, slope

C = 0.5  # scale of the noise in every variant
BAYES = 0.98915  # accuracy of the best possible classifier, ± 0.00003 (10⁷ points)
BAYES_HERE = 0.992  # its accuracy on the 1000 points of the test split
POINT = 0.01
SIZED = ("quick", "full")  # scales that have this test split

NAMES = {
    "tanh": "tanh",
    "hard": "hard tanh",
    "leak": "no noise, α = 1.15",
    "nan_alpha1": "NAN, α = 1",
    "nan_alpha101": "NAN, α = 1.01",
    "nan": "NAN, α = 1.15",
    "nah_alpha1": "NAH, α = 1",
    "nah_alpha101": "NAH, α = 1.01",
    "nah": "NAH, α = 1.15",
}
LAYERS = {1: BLUE, 2: ORANGE, 3: GREEN}

ALPHAS = {0.9: BLUE, 1.0: VERMILLION, 1.1: WINE, 1.2: SKY}  # of Figure 4
POINTS = 1000  # for each of them
# Read off the published vector drawings: root mean square about the noise-free line by |Δ| (Figure 4), about the slope
# -0.01 at |x| of 2.1 to 2.4 (Figure 5), about the line at |x| = 2.9 (Figure 6); the last two by layer.
FIGURE_4 = {0.2: 0.001, 0.6: 0.003, 1.0: 0.021, 1.4: 0.057, 1.8: 0.088, 2.2: 0.115, 2.6: 0.124, 3.0: 0.132}
FIGURE_5 = {1: 0.04, 2: 0.07, 3: 0.06}
FIGURE_6 = {1: 0.05, 2: 0.09, 3: 0.07}
SLOPES_READ_AT, UNITS_READ_AT = np.linspace(2.1, 2.4, 7), np.array([2.9])
FREE = 0.8  # k of c · (sigmoid(k · Δ²) − 1/2)², a form without p that the authors' code has too

DRAWN = "nan_alpha101"  # α = 1.01 and normal noise are what Figures 5 and 6 show
ALPHA = 1.01


def figures(tables: Tables) -> dict[str, Figure]:
    """Two figures of formulas, and from the tables the accuracies with the mean |p|, and Figures 5 and 6."""
    drawn = {"figure1": _figure1(), "figure4": _figure4()}
    learnt = _learnt(_of_variant(tables.layers, DRAWN))
    if learnt:
        drawn["figure5"] = _figure5(learnt)
        drawn["figure6"] = _figure6(learnt)
    if "test_accuracy" in tables.runs.columns:
        drawn["accuracy_and_p"] = _accuracy_and_p(tables)
    return drawn


def further_tables(tables: Tables) -> dict[str, pd.DataFrame]:
    """What the best possible classifier scores, at the scales that have the file's test split."""
    sized = set(tables.runs["scale"]) <= set(SIZED)
    return {"best_possible": best_possible.table(Path(__file__).with_suffix(".yaml"))} if sized else {}


def further_columns(tables: Tables) -> pd.DataFrame:
    """The spreads of Figures 5 and 6 by layer, of each seed's trained units, where the published ones were read."""
    rows = []
    for (run, seed), own in _of_variant(tables.layers, DRAWN).groupby(["run", "seed"]):
        row: dict[str, Any] = {"run": run, "seed": seed}
        for depth, p in _learnt(own).items():
            row[f"slope_spread_{depth}"] = math.sqrt(np.mean(slope_spread(SLOPES_READ_AT, p) ** 2))
            row[f"unit_spread_{depth}"] = float(spread(UNITS_READ_AT, p)[0])
        rows.append(row)
    return pd.DataFrame(rows)


# --- figures 1 and 4: formulas ------------------------------------------------------------------------


def _figure1() -> Figure:
    fig = figure(TEXT * 0.62, 2.6)
    ax = fig.subplots()
    x = np.linspace(-4, 4, 1601)
    logistic = 1 / (1 + np.exp(-x))
    ax.plot(x, 1 - np.tanh(x) ** 2, color=activation_look("tanh").color, label="tanh")
    ax.plot(x, logistic * (1 - logistic), color=activation_look("sigmoid").color, label="sigmoid")
    for hard, unit in ((HARD_TANH, "hard_tanh"), (HARD_SIGMOID, "hard_sigmoid")):
        knee, color, label = hard.knee, activation_look(unit).color, unit.replace("_", " ")
        ax.step([-4, -knee, knee, 4], [0, 0, hard.slope, 0], where="pre", color=color, label=label)
    ax.set(xlabel="x", ylabel="derivative", xlim=(-4, 4), ylim=(-0.2, 1.2))
    legends.inside(ax, loc="upper left")
    return fig


def fan(alpha: float, points: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, outputs and noise-free outputs of a noisy hard tanh with half-normal noise and p = 1, as in Figure 4."""
    x = rng.uniform(-4, 4, points)
    eps = np.abs(rng.standard_normal(points))
    return x, phi(x, eps, 1.0, alpha, C, HARD_TANH), phi(x, 0.0, 1.0, alpha, C, HARD_TANH)


def _figure4() -> Figure:
    fig = figure(TEXT, 3.3)
    left, right = fig.subplots(1, 2, width_ratios=[1.35, 1])
    rng = np.random.default_rng(4)
    residuals, excess = [], []
    for alpha, color in ALPHAS.items():
        x, y, line = fan(alpha, POINTS, rng)
        left.plot(x, y, ".", color=color, markersize=2.2, alpha=0.6, markeredgewidth=0, label=f"α = {alpha:g}")
        residuals.append(y - line)
        excess.append(np.abs(x) - 1)
    left.plot([-4, -1, 1, 4], [-1, -1, 1, 1], color=activation_look("hard_tanh").color, label="hard tanh")
    left.set(xlabel="x", title="noisy hard tanh, half-normal noise, p = 1", xlim=(-4, 4))
    legends.inside(left, loc="upper left", markerscale=3)
    delta = np.linspace(0, 3, 301)
    right.plot(delta, sigma(1 + delta, 1.0, C, HARD_TANH), color=INK, label="Eq. 9, p = 1")
    places, found = rms_by(np.concatenate(excess), np.concatenate(residuals), np.arange(0, 3.1, 0.4))
    right.plot(places, found, "o", color=INK, label="the points on the left")
    right.plot(delta, _free(delta), "--", color=QUIET, label=f"c (g({FREE} Δ²) − ½)², no p")
    look: dict[str, Any] = {"color": VERMILLION, "markerfacecolor": "none", "clip_on": False, "zorder": 3}
    right.plot([*FIGURE_4], [*FIGURE_4.values()], "D", label="published", **look)
    right.set(xlabel="|Δ| = |x| − 1", title="size of the noise (rms)", xlim=(0, 3.05), ylim=(0, 0.14))
    legends.outside(fig, [right], loc="outside upper right", ncols=2, fontsize="small")
    return fig


def rms_by(at: np.ndarray, values: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle and root mean square of each bin."""
    places = np.digitize(at, edges) - 1
    bins = [i for i in range(len(edges) - 1) if (places == i).any()]
    middles = (edges[:-1] + edges[1:]) / 2
    return middles[bins], np.array([math.sqrt(np.mean(values[places == i] ** 2)) for i in bins])


def _free(delta: np.ndarray) -> np.ndarray:
    """σ of the form without p."""
    return C * (_logistic(FREE * delta**2) - 0.5) ** 2


def _free_slope(delta: np.ndarray) -> np.ndarray:
    """|dσ/dΔ| of the form without p."""
    g = _logistic(FREE * delta**2)
    return 4 * C * FREE * delta * (g - 0.5) * g * (1 - g)


def _logistic(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


# --- figures 5 and 6: learnt units ----------------------------------------------------------------------


def _of_variant(layers: pd.DataFrame, variant: str) -> pd.DataFrame:
    return layers[layers["variant"] == variant]


def _learnt(layers: pd.DataFrame) -> dict[int, np.ndarray]:
    """The trained p of every unit of every seed, (units,), by layer."""
    own = layers[layers["quantity"].str.fullmatch(r"noise_p_\d+")]
    own = own[own["step"] == own["step"].max()]
    return {int(str(depth)): rows["value"].to_numpy() for depth, rows in own.groupby("depth")}


def units(
    function: Callable[..., np.ndarray],
    p: np.ndarray,
    alpha: float,
    reach: float,
    points: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Inputs in [-reach, reach] and `function` of them (`phi` or `slope`) for units at random, with normal noise."""
    x = rng.uniform(-reach, reach, points)
    return x, function(x, rng.standard_normal(points), rng.choice(p, points), alpha, C, HARD_TANH)


def slope_spread(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Root mean square over units and normal noise of ∂phi/∂x about its mean, (places,)."""
    steps = slope(x[:, None], 1.0, p, ALPHA, C, HARD_TANH) - slope(x[:, None], 0.0, p, ALPHA, C, HARD_TANH)
    return np.sqrt((steps**2).mean(1))


def spread(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Root mean square over units of σ(x), (places,)."""
    return np.sqrt((sigma(x[:, None], p, C, HARD_TANH) ** 2).mean(1))


def _figure5(learnt: Mapping[int, np.ndarray]) -> Figure:
    fig, left, right = _pair()
    rng = np.random.default_rng(5)
    outside = []
    for depth, p in learnt.items():
        x, d = units(slope, p, ALPHA, 4, POINTS, rng)
        left.plot(x, d, ".", color=LAYERS.get(depth, BLACK), label=f"layer {depth}", **_DOTS)
        outside.append(d[np.abs(x) > 1])
        at = np.linspace(1, 4, 301)
        right.plot(at, slope_spread(at, p), color=LAYERS.get(depth, BLACK))
    at = np.linspace(1, 4, 301)
    right.plot(at, _free_slope(at - 1), "--", color=QUIET, label=f"no p, k = {FREE}")
    right.plot([], [], "D", color=INK, markerfacecolor="none", label="published")
    for depth, value in FIGURE_5.items():
        right.plot([2.25], [value], "D", color=LAYERS[depth], markerfacecolor="none")
    median = float(np.median(np.concatenate(outside)))
    left.set(xlabel="x", title="∂ϕ/∂x of the trained units", xlim=(-4, 4), ylim=(-0.4, 1.2))
    left.text(
        0.985,
        0.03,
        f"median outside: {median:.4f}\npublished: −0.0100".replace("-", "−"),
        va="bottom",
        ha="right",
        transform=left.transAxes,
        color=QUIET,
        fontsize=6.5,
    )
    right.set(xlabel="|x|", title="its spread about the mean (rms)", xlim=(1, 4), ylim=(0, None))
    _finish(fig, left, right, learnt)
    return fig


def _figure6(learnt: Mapping[int, np.ndarray]) -> Figure:
    fig, left, right = _pair()
    rng = np.random.default_rng(6)
    at = np.linspace(1, 3, 201)
    for depth, p in learnt.items():
        x, y = units(phi, p, ALPHA, 3, POINTS, rng)
        left.plot(x, y, ".", color=LAYERS.get(depth, BLACK), label=f"layer {depth}", **_DOTS)
        right.plot(at, spread(at, p), color=LAYERS.get(depth, BLACK))
    right.plot(at, _free(at - 1), "--", color=QUIET, label=f"no p, k = {FREE}")
    right.plot([], [], "D", color=INK, markerfacecolor="none", label="published")
    for depth, value in FIGURE_6.items():
        right.plot([2.9], [value], "D", color=LAYERS[depth], markerfacecolor="none")
    left.set(xlabel="x", title="ϕ(x) of the trained units", xlim=(-3, 3), ylim=(-1.5, 1.5))
    right.set(xlabel="|x|", title="its spread about the mean (rms)", xlim=(1, 3), ylim=(0, None))
    _finish(fig, left, right, learnt)
    return fig


_DOTS: dict[str, Any] = {"markersize": 2.2, "alpha": 0.6, "markeredgewidth": 0}


def _pair() -> tuple[Figure, Axes, Axes]:
    fig = figure(TEXT, 3.3)
    left, right = fig.subplots(1, 2, width_ratios=[1.35, 1])
    return fig, left, right


def _finish(fig: Figure, left: Axes, right: Axes, learnt: Mapping[int, np.ndarray]) -> None:
    legends.inside(left, loc="upper left", markerscale=3)
    legends.outside(fig, [right], loc="outside upper right", ncols=2, fontsize="small")
    count = min(len(p) for p in learnt.values())
    explain(
        fig,
        f"α = {ALPHA}, c = {C}, normal noise; {POINTS} points and {count} units a layer, of all seeds; "
        "published: read off the drawing",
    )


# --- what was learnt ----------------------------------------------------------------------------------------


def _accuracy_and_p(tables: Tables) -> Figure:
    runs, layers = tables.runs, tables.layers
    names = [name for name in NAMES if (runs["variant"] == name).any()]
    fig = figure(TEXT, 0.9 + 0.27 * len(names))
    left, right = fig.subplots(1, 2, sharey=True)
    for place, name in enumerate(names):
        values = [v for v in runs.loc[runs["variant"] == name, "test_accuracy"].tolist() if math.isfinite(v)]
        if values:
            left.plot(values, [place] * len(values), ".", color=BLUE, alpha=0.35, markersize=4)
            blocks.error_bars(left, [place], [estimate(values)], label="", color=BLUE, across=True, within=SHARE)
        _mean_p(right, layers[(layers["variant"] == name) & (layers["quantity"] == "noise_p")], place)
    left.axvspan(BAYES - POINT, BAYES + POINT, color=QUIET, alpha=0.12, linewidth=0, zorder=0)
    left.axvline(BAYES, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
    if set(runs["scale"]) <= set(SIZED):
        left.axvline(BAYES_HERE, color=QUIET, linewidth=0.8, linestyle=":", zorder=0)
    left.set(xlabel="test accuracy", title="accuracy")
    left.set_yticks(range(len(names)), [NAMES[name] for name in names])
    left.set_ylim(len(names) - 0.5, -0.5)
    right.axvline(0.5, color=QUIET, linewidth=0.8, linestyle="--", zorder=1)
    right.set(xlabel="mean |p| of a layer after training", title="how noisy the units became", xlim=(0, None))
    for depth, color in LAYERS.items():
        right.plot([], [], "o", color=color, label=f"layer {depth}")
    legends.inside(right, loc="upper right")
    for ax in (left, right):
        ax.grid(visible=False, axis="y")
    n = int(runs.groupby("variant").size().mode().max())
    explain(
        fig,
        f"mean of n={n} seeds and its 95 % interval; small: single seeds; right, dashed: |p| at the start\n"
        "left, dashed: best possible accuracy, ± 1 point; dotted: the best classifier's on this test split",
    )
    return fig


def _mean_p(ax: Axes, rows: pd.DataFrame, place: float) -> None:
    """Mean |p| at the end, one point a layer; nothing for a net without noise."""
    rows = rows[rows["step"] == rows["step"].max()]
    for shift, (depth, own) in zip((-0.22, 0.0, 0.22), rows.groupby("depth"), strict=False):
        color = LAYERS.get(int(str(depth)), BLACK)
        found = estimate(own["value"].tolist())
        blocks.error_bars(
            ax, [place + shift], [found], label="", color=color, across=True, within=POSITIVE, markersize=3
        )
