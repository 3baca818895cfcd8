"""A run in detail: one figure each for what its overview has room for in a panel, and for what it leaves out."""

import math
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.scale import SymmetricalLogScale
from matplotlib.ticker import FixedLocator

from repro.diagnostics.ranges import range_of
from repro.plots import attention, blocks, heat_maps, legends, looks, scales
from repro.plots.histograms import read_histograms
from repro.plots.overview import SPLITS, activation_color, activations, depth_axis, healthy, one_a_row, training
from repro.plots.style import BLUE, QUIET, TEXT, figure, rendered, styled
from repro.storage.tables import read
from repro.text.run import HEADINGS, survivors

COLUMNS = 3
STEPS = 6  # measurements shown of each layer
SERIES = 12  # panels of what is neither loss nor metric
TITLE = 16  # letters of a line of a panel's title
CLASSES = 20
POINTS = 2000  # more would make a page of megabytes
TINY = 1e-12  # an eigenvalue that is rounding


@dataclass(frozen=True)
class Drawing:
    """A figure of a run.

    Attributes:
        name: of the file that it could be, and what it is told apart by.
        caption: a sentence.
        svg: the file's text.
    """

    name: str
    caption: str
    svg: str

    def _repr_svg_(self) -> str:
        """A notebook shows it by itself."""
        return self.svg


def draw(folder: Path, summary: Mapping[str, Any]) -> list[Drawing]:
    """Every figure that a run's tables have rows for.

    Raises:
        UserError: a table is damaged.
    """
    drawings = []
    with styled():
        for name, maker in MAKERS.items():
            named = ("target", "predicted") if name == "predictions" and summary.get("classes") else ()
            named = {"attention": attention.WORDS, "looks": looks.WORDS}.get(name, named)
            table = _table(folder / f"{TABLES.get(name, name)}.csv", named)
            for caption, fig in maker(table, summary) if len(table) else ():
                drawings.append(Drawing(name, caption, rendered(fig, "svg").decode()))
    return drawings


def _table(path: Path, words: Collection[str] = ()) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame()
    table = read(path, words=words)
    return table.astype({"value": float}) if "value" in table.columns else table


Made = Iterator[tuple[str, Figure]]


def _curves(curves: pd.DataFrame, summary: Mapping[str, Any]) -> Made:
    rows = curves[curves["split"].isin(SPLITS) & (curves["metric"] != "learning_rate")]
    metrics = [str(m) for m in dict.fromkeys(rows["metric"])]
    if not metrics:
        return
    fig, axes = _panels(min(2, len(metrics)), len(metrics), 2.5)
    for ax, metric in zip(axes, metrics, strict=True):
        training(ax, rows[rows["metric"] == metric], metric, summary)
    seeds = len(summary["seeds"])
    bands = f"; medians of {seeds} seeds in the range of all" if seeds > 1 else ""
    yield f"{_listed(metrics)} by epoch{bands}", fig


def _settings(curves: pd.DataFrame, summary: Mapping[str, Any]) -> Made:
    """What is neither loss nor metric, and changes: learning rate, what a schedule set, what a job measured."""
    del summary
    rows = curves[~curves["split"].isin(SPLITS) | (curves["metric"] == "learning_rate")]
    changing = rows[rows.groupby(["split", "metric"])["value"].transform("nunique") > 1]
    keys = list(dict.fromkeys(zip(changing["split"].astype(str), changing["metric"].astype(str), strict=True)))
    if not keys:
        return
    shown = keys[:SERIES]
    fig, axes = _panels(min(COLUMNS, len(shown)), len(shown), 1.8)
    for ax, (split, metric) in zip(axes, shown, strict=True):
        own = rows[(rows["split"] == split) & (rows["metric"] == metric)]
        blocks.curve(ax, own, "epoch", label=str(metric), color=BLUE, several=False)
        scales.value_axis(ax.yaxis, own["value"], range_of(metric))
        ax.set_title(str(metric).replace("_", " ") + ("" if split in SPLITS else f" ({split})"))
        ax.set_xlabel("epoch")
    more = f"; {len(keys) - len(shown)} more are in curves.csv" if len(keys) > len(shown) else ""
    yield f"Settings and other measurements by epoch{more}", fig


def _profiles(layers: pd.DataFrame, summary: Mapping[str, Any]) -> Made:
    rows = healthy(survivors(layers[layers["quantity"].isin(HEADINGS)], summary))
    quantities = [q for q in HEADINGS if (rows["quantity"] == q).any()]
    if not quantities:
        return
    steps = _chosen(rows["step"])
    rows = one_a_row(rows, HEADINGS)
    names = dict(sorted(set(zip(rows["depth"].tolist(), rows["layer"].tolist(), strict=True))))
    colors = dict(zip(steps, matplotlib.colormaps["viridis_r"](np.linspace(0.12, 0.95, len(steps))), strict=True))
    # Of three and four columns those that leave fewer places empty.
    columns = min(len(quantities), min(COLUMNS, COLUMNS + 1, key=lambda n: -len(quantities) % n))
    fig, axes = _panels(columns, len(quantities), min(4.0, max(2.1, 1.2 + 0.16 * len(names))))
    for place, (ax, quantity) in enumerate(zip(axes, quantities, strict=True)):
        _profile(ax, rows[rows["quantity"] == quantity], quantity, colors)
        depth_axis(ax, names, None if place % columns == 0 else axes[0])
        ax.set_title(textwrap.fill(HEADINGS[quantity], TITLE))
    legends.outside(fig, axes, title="step", loc="outside lower left", ncols=len(steps), alignment="left")
    yield f"Activations and gradients by layer, the input below, at steps {_listed(steps)}", fig


def _profile(ax: Axes, rows: pd.DataFrame, quantity: str, colors: Mapping[int, Any]) -> None:
    within = range_of(quantity)
    logarithmic = scales.is_logarithmic(rows["value"], within)
    for step, color in colors.items():
        own = rows[rows["step"] == step]
        shown = own[own["value"] > 0] if logarithmic else own
        if len(own):
            blocks.profile(
                ax, shown, label=str(step), color=color, upright=True, several=False, linewidth=1.2, markersize=3
            )
        if logarithmic:
            zeros = sorted(own.loc[own["value"] == 0, "depth"].unique())
            blocks.mark_zeros(ax, zeros, color=color, upright=True)
    scales.value_axis(ax.xaxis, rows["value"], within)


def _histograms(layers: pd.DataFrame, summary: Mapping[str, Any]) -> Made:
    layers = one_a_row(survivors(layers, summary))
    stds = healthy(layers[layers["quantity"] == "activation_std"])
    histograms_by_step = {step: read_histograms(layers[layers["step"] == step]) for step in _chosen(stds["step"])}
    histograms_by_step = {step: histograms for step, histograms in histograms_by_step.items() if len(histograms.depth)}
    if not histograms_by_step:
        return
    names = dict(sorted(set(zip(stds["depth"].tolist(), stds["layer"].tolist(), strict=True))))
    fig = figure(TEXT if len(histograms_by_step) > 2 else TEXT * 2 / COLUMNS, min(8.0, 1.2 + 0.3 * len(names)))
    first: Axes | None = None
    for column, (step, own) in enumerate(histograms_by_step.items(), 1):
        ax = fig.add_subplot(1, len(histograms_by_step), column, sharey=first)
        at = stds[stds["step"] == step]
        activations(ax, own, histograms_by_step.values(), at, activation_color(summary))
        ax.set_title(f"step {step}")
        first = depth_axis(ax, names, first)
    yield "Histograms of every layer's activations over training, with their standard deviations", fig


def _spectrum(spectrum: pd.DataFrame, summary: Mapping[str, Any]) -> Made:
    seed = summary["seeds"][0]
    rows = spectrum[spectrum["index"].notna() & (spectrum["seed"] == seed)]
    values = rows[rows["quantity"] == "eigenvalue"]
    of = f" (seed {seed})" if len(summary["seeds"]) > 1 else ""
    if len(values):
        fig = figure(TEXT, 2.8)
        ax = fig.subplots()
        over = values["step"].nunique() > 1
        ax.plot(
            values["epoch" if over else "index"],
            values["value"],
            ".",
            color=BLUE,
            markersize=2.5,
            rasterized=len(values) > POINTS,
        )
        if scales.spans_decades(values["value"].abs()):
            _signed(ax.yaxis, values["value"])
        ax.axhline(0, color=QUIET, linewidth=0.5, zorder=0)
        ax.set(xlabel="epoch" if over else "index", ylabel="eigenvalue")
        yield f"Eigenvalues of the Hessian of the loss{' over training' if over else ''}{of}", fig
    nodes = rows[rows["quantity"].isin(("node", "weight"))]
    if len(nodes):
        last = nodes[nodes["step"] == nodes["step"].max()].pivot_table(
            index="index", columns="quantity", values="value"
        )
        last = last.sort_values("node")
        fig = figure(TEXT, 2.8)
        ax = fig.subplots()
        share = (last["weight"] / last["weight"].sum()).cumsum()
        ax.step(last["node"], share, where="post", color=BLUE)
        _signed(ax.xaxis, last["node"])
        ax.set(xlabel="λ", ylabel="share of eigenvalues ≤ λ", ylim=(0, 1.02))
        yield f"Estimated share of the Hessian's eigenvalues up to λ, at the last measurement{of}", fig


def _signed(axis: Axis, values: "pd.Series[float]") -> None:
    """A logarithmic axis on both sides of 0, linear below a millionth of the largest value."""
    top = math.ceil(math.log10(max(float(values.abs().max()), TINY)))
    name = axis.axis_name  # type: ignore[attr-defined]
    axis.axes.set(**{f"{name}scale": SymmetricalLogScale(axis, linthresh=10.0 ** (top - 6), linscale=0.6)})
    sides = [10.0**exponent for exponent in (top - 6, top - 3, top)]
    axis.set_major_locator(FixedLocator([*(-v for v in reversed(sides)), 0.0, *sides]))


def _predictions(predictions: pd.DataFrame, summary: Mapping[str, Any]) -> Made:
    seed = summary["seeds"][0]
    of = f" (seed {seed})" if len(summary["seeds"]) > 1 else ""
    for split, rows in predictions[predictions["seed"] == seed].groupby("split", sort=False):
        pairs, names = rows[["target", "predicted"]], summary.get("classes", [])
        if names:
            pairs = pairs.map({name: float(number) for number, name in enumerate(names)}.get)
        pairs = pairs.astype(float)
        classes = sorted(set(pairs.to_numpy().ravel().tolist()))
        if names and len(classes) > CLASSES:
            continue
        if len(classes) <= CLASSES and all(value.is_integer() for value in classes):
            yield (
                f"What is predicted for the {split} samples of each class, in shares{of}",
                _confusion(pairs, classes, names),
            )
        else:
            fig = figure(TEXT / 2, TEXT / 2)
            ax = fig.subplots()
            ends = [float(pairs.min().min()), float(pairs.max().max())]
            ax.plot(ends, ends, color=QUIET, linewidth=0.8)
            ax.plot(
                pairs["target"],
                pairs["predicted"],
                "o",
                markersize=2.5,
                alpha=0.5,
                color=BLUE,
                markeredgewidth=0,
                rasterized=len(pairs) > POINTS,
            )
            ax.set(xlabel="target", ylabel="predicted")
            yield f"Predictions for the {split} samples against their targets{of}", fig


def _confusion(pairs: pd.DataFrame, classes: Sequence[float], called: Sequence[str]) -> Figure:
    side = min(TEXT, max(3.0, 0.45 * len(classes) + 1))
    fig = figure(side, side)
    ax = fig.subplots()
    cells: dict[tuple[Any, Any], heat_maps.Cell] = {}
    for target, rows in pairs.groupby("target"):
        shares = {int(k): float((rows["predicted"] == k).mean()) for k in rows["predicted"].unique()}
        cells |= {(int(float(str(target))), k): heat_maps.Cell(v, f"{v:.2g}") for k, v in shares.items()}
    names = {int(value): called[int(value)] if called else str(int(value)) for value in classes}
    cells = {(names[target], names[predicted]): cell for (target, predicted), cell in cells.items()}
    heat_maps.heat_map(
        ax, cells, [*names.values()], [*names.values()], cmap=matplotlib.colormaps["Blues"], norm=Normalize(0, 1)
    )
    ax.set(xlabel="predicted", ylabel="target")
    return fig


def _panels(columns: int, panels: int, height: float) -> tuple[Figure, list[Axes]]:
    rows = -(-panels // columns)
    fig = figure(TEXT * max(columns, 2) / max(columns, COLUMNS) if columns < 2 else TEXT, height * rows)
    return fig, [fig.add_subplot(rows, columns, i + 1) for i in range(panels)]


def _chosen(steps: "pd.Series[int]") -> list[int]:
    known = sorted(steps.unique().tolist())
    return sorted({known[i] for i in np.linspace(0, len(known) - 1, STEPS).round().astype(int)}) if known else []


def _listed(values: Sequence[Any]) -> str:
    words = [str(value).replace("_", " ") for value in values]
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return listed[:1].upper() + listed[1:]


MAKERS: dict[str, Callable[[pd.DataFrame, Mapping[str, Any]], Made]] = {
    "curves": _curves,
    "settings": _settings,
    "profiles": _profiles,
    "histograms": _histograms,
    "spectrum": _spectrum,
    "predictions": _predictions,
    "attention": attention.pictures,
    "looks": looks.drawn,
}
TABLES = {"settings": "curves", "profiles": "layers", "histograms": "layers"}
