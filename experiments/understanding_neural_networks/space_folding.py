"""Figures of space folding: the plane's grid behind every layer of a net; how far each layer tells classes apart."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.blocks import in_words, profile
from repro.plots.experiment import Tables
from repro.plots.nets import Array, grid, outputs, parameters, principal
from repro.plots.regions import unit_map, warped_grid
from repro.plots.style import BLUE, GREEN, PURPLE, TEXT, VERMILLION, explain, figure

CLASSES = (VERMILLION, BLUE)
EDGE, LINES, SIDE = 5.5, 41, 111  # of the plane that is folded; lines of its grid each way; points a side of a map
PICTURED = {"pictured_circle": "circle", "pictured_spiral": "spiral"}
NETS = {
    "circle": ("circle, 6-4-2", BLUE),
    "circle_6_2": ("circle, 6-2", GREEN),
    "spiral": ("spiral, 6-4-2", VERMILLION),
    "spiral_adam": ("spiral, 20-20-2, Adam", PURPLE),
}
ASKED = {"probe_accuracy": "accuracy of a linear probe", "class_separation": "variance between / within"}


def figures(tables: Tables) -> dict[str, Figure]:
    """The plane behind every layer of one net for each kind of points, its units, and what layers separate."""
    runs = tables.runs
    drawn = {"layers": _layers(tables.layers)}
    for variant, points in PICTURED.items():
        if (runs["variant"] == variant).any():
            run = str(runs[runs["variant"] == variant].iloc[0]["run"])
            rows = tables.layers[tables.layers["run"] == run]
            net = parameters(rows[rows["step"] == rows["step"].max()])
            shown = tables.predictions[tables.predictions["run"] == run]
            drawn[f"folding_{points}"] = _folding(net, shown)
            if points == "circle":
                drawn["units"] = _units(net)
    return drawn


def _folding(net: list[tuple[Array, Array]], points: pd.DataFrame) -> Figure:
    plane = grid(EDGE, LINES)
    data = points[["input_0", "input_1"]].to_numpy(float)
    behind, of_data = outputs(net, plane, np.tanh), outputs(net, data, np.tanh)
    said = behind[-1].argmax(1)
    fig = figure(TEXT, 2.15, gap=0.03)
    axes = fig.subplots(1, len(net))
    stages = [(plane, data), *zip(behind[:-1], of_data[:-1], strict=True)]
    for place, (ax, (lines, dots)) in enumerate(zip(axes, stages, strict=True)):
        lattice, shown = principal(dots, [lines, dots])
        warped_grid(ax, lattice, said, CLASSES)
        for name, color in enumerate(CLASSES):
            own = shown[points["target"].to_numpy() == name]
            ax.plot(
                own[:, 0], own[:, 1], "o", color=color, markersize=2.6, markeredgecolor="white", markeredgewidth=0.3
            )
        units = lines.shape[1]
        ax.set_title("the plane" if place == 0 else f"layer {place}, {units} units", fontsize=8.5)
    right = np.mean(points["target"] == points["predicted"])
    explain(
        fig,
        f"seed {points['seed'].iloc[0]}, after training: {100 * right:.0f} % of the points shown are told rightly",
        "small dots: the class told at the grid's crossings; more than two units: their two principal components",
    )
    return fig


def _units(net: list[tuple[Array, Array]]) -> Figure:
    *hidden, output = outputs(net, grid(EDGE, SIDE), np.tanh)
    fig = figure(TEXT, 1.15 * (len(hidden) + 1), gap=0.02)
    axes = fig.subplots(len(hidden) + 1, max(h.shape[1] for h in hidden), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for row, (own, h) in enumerate(zip(axes, [*hidden, np.tanh((output[:, 1:] - output[:, :1]) / 2)], strict=True), 1):
        for unit, ax in enumerate(own[: h.shape[1]]):
            _map(ax, h[:, unit], "output" if row == len(axes) else f"layer {row}, unit {unit + 1}")
    explain(
        fig, "net 6-4-2 on the circle; red −1, blue 1; line: 0; output: difference of the two classes' probabilities"
    )
    return fig


def _map(ax: Axes, values: Array, title: str) -> None:
    ax.set_axis_on()
    unit_map(ax, values, EDGE, (-1, 1))
    ax.set_title(title, fontsize=6.5)


def _layers(layers: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.9)
    axes = fig.subplots(1, len(ASKED))
    last = layers["step"] == layers.groupby(["run", "seed"])["step"].transform("max")
    shown = []
    for ax, (quantity, label) in zip(axes, ASKED.items(), strict=True):
        for variant, (name, color) in NETS.items():
            rows = layers[last & (layers["variant"] == variant) & (layers["quantity"] == quantity)]
            if len(rows):
                profile(ax, rows, label=name, color=color)
                shown.append(rows)
        ax.set(ylabel=label, xlabel="layer")
        scales.name_ticks(ax.xaxis, range(4), ["input", "1", "2", "3"])
    axes[0].set_ylim(0.45, 1.03)
    axes[1].set_yscale("log")
    legends.outside(fig, axes, loc="outside upper center", ncols=4)
    explain(fig, in_words(pd.concat(shown), center="median"), "after training, on the training points")
    return fig
