"""Figures of the initialization study: what was measured beside the mean-field theory. Reads tables, trains nothing."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.histograms import read_histograms, small_multiples
from repro.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, TEXT, VERMILLION, explain, figure
from repro.storage.metrics import SHARE
from repro.storage.statistics import Estimate, estimate

WIDTH = 500  # units of a layer, and inputs, in the article's nets
BINS = 30  # of the lecture's histograms
RANGES = {"tanh": (-1.0, 1.0), "relu": (0.0, 3.0)}
# Scales whose untrained nets have the article's size, which the theory is drawn for.
FULL_SIZE = ("full", "quick")
# Dense, since tanh is nearly a step for weights of standard deviation 1, where sparse quadratures fail.
GRID = np.linspace(-12, 12, 100_001)


@dataclass(frozen=True)
class Setting:
    """One of the article's five nets: weights of variance `gain / WIDTH`."""

    label: str
    activation: str
    gain: float
    color: str


SETTINGS = {
    "tanh_small": Setting("tanh, std 0.01", "tanh", WIDTH * 0.01**2, BLUE),
    "tanh_large": Setting("tanh, std 1", "tanh", WIDTH * 1.0, VERMILLION),
    "tanh_xavier": Setting("tanh, Xavier", "tanh", 1.0, GREEN),
    "relu_xavier": Setting("ReLU, Xavier", "relu", 1.0, PURPLE),
    "relu_he": Setting("ReLU, He", "relu", 2.0, ORANGE),
}
SCHEMES = {"small": BLUE, "large": VERMILLION, "xavier": GREEN, "he": ORANGE}
SCHEME_NAMES = {"small": "std 0.01", "large": "std 1", "xavier": "Xavier", "he": "He"}
ACTIVATIONS = {"tanh": "tanh", "relu": "ReLU"}
DATASETS = {"digits": "digits", "mnist": "MNIST"}
CHANCE = 0.1


def figures(tables: Tables) -> dict[str, Figure]:
    """Profiles, histograms and gradients of the untrained nets; accuracy of the trained ones.

    Variants that the tables lack are left out, and so are figures that would be empty.
    """
    layers = tables.layers[tables.layers["step"] == 0]
    untrained = {name: layers[layers["variant"] == name] for name in SETTINGS}
    untrained = {name: rows for name, rows in untrained.items() if len(rows)}
    sized = set(tables.runs.loc[tables.runs["variant"].isin(SETTINGS), "scale"]) <= set(FULL_SIZE)
    drawn = {}
    if untrained:
        drawn["profiles"] = _profiles(untrained, sized)
        drawn["histograms"] = _histograms(untrained)
        drawn["gradients"] = _gradients(untrained, sized)
    for dataset in DATASETS:
        if tables.runs["variant"].str.startswith(f"{dataset}_").any():
            drawn[f"accuracy_{dataset}"] = _accuracy(tables, dataset)
    return drawn


# --- theory: infinitely wide layers -----------------------------------------------------------------


def forward(activation: str, gain: float, layers: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the activations of each layer, inputs having variance 1.

    Args:
        activation: tanh or relu.
        gain: fan-in times the variance of the weights.
        layers: how many.

    Returns:
        Two arrays (layers,).
    """
    moments = [(*_moments(activation, v),) for v in _variances(activation, gain, layers)]
    means, squares = np.array(moments).T
    return means, np.sqrt(squares - means**2)


def backward(activation: str, gain: float, layers: int) -> np.ndarray:
    """The gradient by each layer's pre-activations over that of the last layer, (layers,)."""
    variances = _variances(activation, gain, layers)
    factors = [math.sqrt(gain * _mean_square_slope(activation, v)) for v in variances[:-1]]
    return np.cumprod([1.0, *factors[::-1]])[::-1]


def _variances(activation: str, gain: float, layers: int) -> list[float]:
    """Variance of each layer's pre-activations: gain times the mean square of what comes in."""
    found = [gain]
    while len(found) < layers:
        found.append(gain * _moments(activation, found[-1])[1])
    return found


def _moments(activation: str, variance: float) -> tuple[float, float]:
    """Mean and mean square of f(√variance z) for normal z."""
    if activation == "relu":
        return math.sqrt(variance / (2 * math.pi)), variance / 2
    return 0.0, _expectation(lambda z: np.tanh(math.sqrt(variance) * z) ** 2)


def _mean_square_slope(activation: str, variance: float) -> float:
    if activation == "relu":
        return 0.5
    return _expectation(lambda z: (1 - np.tanh(math.sqrt(variance) * z) ** 2) ** 2)


def _expectation(function: Callable[[np.ndarray], np.ndarray]) -> float:
    density = np.exp(-(GRID**2) / 2) / math.sqrt(2 * math.pi)
    return float((function(GRID) * density).sum() * (GRID[1] - GRID[0]))


# --- untrained nets ---------------------------------------------------------------------------------


def _profiles(untrained: Mapping[str, pd.DataFrame], theory: bool) -> Figure:
    fig = figure(TEXT, 0.4 + 1.25 * len(untrained))
    axes = fig.subplots(len(untrained), 2, sharex=True, squeeze=False)
    for (left, right), (name, rows) in zip(axes, untrained.items(), strict=True):
        setting, depths = SETTINGS[name], _depths(rows)
        expected = forward(setting.activation, setting.gain, len(depths))
        pairs = zip((left, right), ("activation_mean", "activation_std"), expected, strict=True)
        for ax, quantity, line in pairs:
            own = rows[rows["quantity"] == quantity]
            blocks.profile(ax, own, label="measured", color=setting.color, linewidth=0 if theory else 1.0)
            if theory:
                ax.plot(depths, line, color=INK, linewidth=0.8, label="theory", zorder=3)
        left.set_ylabel(setting.label, fontweight="bold", color=setting.color)
    for panels, quantity in zip(axes.T, ("activation_mean", "activation_std"), strict=True):
        drawn = [rows.loc[rows["quantity"] == quantity, "value"] for rows in untrained.values()]
        scales.one_range(panels, [0.0] * (quantity == "activation_mean") + [v for own in drawn for v in own])
    for ax, title in zip(axes[0], ("mean of the activations", "standard deviation"), strict=True):
        ax.set_title(title)
    for ax in axes[-1]:
        ax.set_xlabel("layer")
        scales.whole_ticks(ax.xaxis, 10)
    legends.outside(fig, [axes[0][1]], loc="outside upper left", ncols=2)
    fig.align_ylabels(axes[:, 0])
    _note(fig, untrained, "one range in each column")
    return fig


def _histograms(untrained: Mapping[str, pd.DataFrame]) -> Figure:
    columns = max(len(_depths(rows)) for rows in untrained.values())
    fig = figure(TEXT, 0.5 + 0.82 * len(untrained), gap=0.015)
    axes = fig.subplots(len(untrained), columns, squeeze=False)
    for line, (name, rows) in zip(axes, untrained.items(), strict=True):
        setting = SETTINGS[name]
        low, high = RANGES[setting.activation]
        edges = np.linspace(low, high, BINS + 1)
        small_multiples(line, read_histograms(rows).on(edges), edges, color=setting.color)
        for ax in line:
            ax.set_xticks([low, (low + high) / 2, high], [f"{low:g}", "", f"{high:g}"], fontsize=6.5)
        line[0].set_ylabel(setting.label.replace(", ", "\n"), fontweight="bold", color=setting.color)
    for depth, ax in enumerate(axes[0], 1):
        ax.set_title(f"layer {depth}" if depth == 1 else str(depth), loc="center", fontweight="normal")
    explain(
        fig, "colours: initialization; heights are scaled in each panel, a spike of zeros that dwarfs the rest is cut"
    )
    return fig


def _gradients(untrained: Mapping[str, pd.DataFrame], theory: bool) -> Figure:
    fig = figure(TEXT, 3.0)
    left, right = fig.subplots(1, 2)
    values: list[float] = []
    for order, (name, rows) in enumerate(untrained.items()):
        setting, depths = SETTINGS[name], _depths(rows)
        # Settings with equal values lie on one another: larger points below show that there are several.
        look: dict[str, Any] = {"color": setting.color, "label": setting.label, "markersize": 8 - 1.1 * order}
        norms = rows[rows["quantity"] == "gradient_norm"]
        band = blocks.profile(left, norms, linewidth=0 if theory else 1.0, **look)
        values += [*band.low, *band.high]
        if theory and len(band.center):
            # Theory gives the gradient's growth from layer to layer; where it starts depends on the output layer.
            line = band.center[-1] * backward(setting.activation, setting.gain, len(depths))
            left.plot(depths, line, color=INK, linewidth=0.8, zorder=3)
        shares = rows[rows["quantity"] == "saturated_share"]
        blocks.profile(right, shares, linewidth=1.0, **look)
    scales.log_axis(left.yaxis, values)
    left.set(title="gradient norm", xlabel="layer")
    right.set(title="saturated share (slope below 0.02)", xlabel="layer", ylim=(-0.03, 1.03))
    for ax in (left, right):
        scales.whole_ticks(ax.xaxis, 10)
    legends.inside(right, [left, right], loc="upper left", bbox_to_anchor=(1.0, 1.0))
    _note(fig, untrained, "lines on the left: theory, from the last layer" if theory else "")
    return fig


def _depths(rows: pd.DataFrame) -> list[int]:
    """The hidden layers."""
    return sorted(int(d) for d in rows.loc[rows["quantity"] == "activation_std", "depth"].unique())


def _note(fig: Figure, untrained: Mapping[str, pd.DataFrame], more: str = "") -> None:
    seeds = {rows["seed"].nunique() for rows in untrained.values()}
    n = " to ".join(str(count) for count in sorted({min(seeds), max(seeds)}))
    apart = "bands: their range" if max(seeds) >= blocks.FEW else "thin lines: each of them"
    text = f"before training; colours: initialization; points: median of {n} draws; {apart}"
    explain(fig, "; ".join(filter(None, [text, more])))


# --- trained nets -----------------------------------------------------------------------------------


def _accuracy(tables: Tables, dataset: str) -> Figure:
    fig = figure(TEXT, 2.8)
    *panels, final = fig.subplots(1, len(ACTIVATIONS) + 1, width_ratios=[1, 1, 1.15])
    runs = tables.runs[tables.runs["variant"].str.startswith(f"{dataset}_")]
    curves = tables.curves[(tables.curves["split"] == "test") & (tables.curves["metric"] == "accuracy")]
    for ax, (activation, label) in zip(panels, ACTIVATIONS.items(), strict=True):
        for scheme, color in SCHEMES.items():
            rows = curves[curves["variant"] == f"{dataset}_{activation}_{scheme}"]
            rows = rows[~rows["seed"].isin(_diverged(runs, activation, scheme))]
            if len(rows):
                blocks.curve(ax, rows, "epoch", label=SCHEME_NAMES[scheme], color=color, spread="interval")
        ax.set(title=f"{DATASETS[dataset]}, {label}", xlabel="epoch", ylim=(0, 1.03))
        scales.whole_ticks(ax.xaxis)
    panels[0].set_ylabel("test accuracy")
    panels[1].tick_params(labelleft=False)
    _final(final, runs)
    n = runs.groupby("variant").size().mode().max()
    lines = "bars: its 95 % interval; thin lines, dots: seeds"
    shown = lines if n < blocks.FEW else "bands, bars: its 95 % interval; dots: seeds"
    explain(fig, f"colours: initialization; mean of n={n} seeds", shown, "dashed: chance")
    return fig


def _diverged(runs: pd.DataFrame, activation: str, scheme: str) -> list[int]:
    own = runs[runs["variant"].str.endswith(f"_{activation}_{scheme}")]
    return [int(seed) for seed in own.loc[own["status"] == "diverged", "seed"]]


def _final(ax: Axes, runs: pd.DataFrame) -> None:
    """Accuracy at the end: one line a scheme, tanh above ReLU in it."""
    for row, (scheme, color) in enumerate(SCHEMES.items()):
        for place, activation in zip((row - 0.18, row + 0.18), ACTIVATIONS, strict=True):
            own = runs[runs["variant"].str.endswith(f"_{activation}_{scheme}")]
            values = [float(v) for v in own.get("test_accuracy", []) if math.isfinite(v)]
            lost = int((own["status"] == "diverged").sum())
            style: dict[str, Any] = {} if activation == "tanh" else {"fmt": "s", "markerfacecolor": "white"}
            if values:
                ax.plot(values, [place] * len(values), ".", color=color, alpha=0.35, markersize=4)
                found: Estimate = estimate(values)
                blocks.error_bars(
                    ax, [place], [found], label=activation, color=color, across=True, within=SHARE, **style
                )
            if lost:
                text = f"{ACTIVATIONS[activation]}: {lost} of {len(own)} diverged"
                ax.text(1.0, place, text, ha="right", va="center", fontsize=6.5, color=color)
    ax.axvline(CHANCE, color=QUIET, linewidth=0.8, linestyle="--", zorder=0)
    ax.set(title="final  (● tanh, □ ReLU)", xlabel="test accuracy", xlim=(0, 1.03))
    ax.set_yticks(range(len(SCHEMES)), [SCHEME_NAMES[s] for s in SCHEMES])
    for label, color in zip(ax.get_yticklabels(), SCHEMES.values(), strict=True):
        label.set(color=color, fontweight="bold")
    ax.set_ylim(len(SCHEMES) - 0.5, -0.5)
    ax.grid(visible=False, axis="y")
