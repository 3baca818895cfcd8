"""A run at a glance: `overview.png` with its curves, activations and gradients."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.diagnostics.ranges import range_of
from repro.errors import UserError
from repro.plots import blocks, legends, scales
from repro.plots.histograms import Histograms, read_histograms, ridges
from repro.plots.picture import Picture
from repro.plots.style import BLUE, GREEN, INK, QUIET, SLIDE, VERMILLION, activation_look, figure, rendered, styled
from repro.storage.run_files import read_summary
from repro.storage.tables import read
from repro.text.result import divergence, headline
from repro.text.run import layer_name, survivors

SPLITS = {"train": BLUE, "valid": GREEN, "test": VERMILLION}
# Letters for a slide rather than a page.
LARGE = {
    "font.size": 10,
    "axes.labelsize": 10,
    "axes.titlesize": 11,
    "legend.fontsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "savefig.dpi": 160,
}
BINS = 60
STEPS_SHOWN = 5
# More layers than this leave no room for each one's number at full size.
ALL_NUMBERED = 16


def draw(folder: Path) -> Path:
    """Draw `overview.png` in a run's folder: loss, accuracy, activation histograms, gradient norm by layer.

    Lines are medians over the seeds, bands reach from the least to the greatest seed. What was not measured
    is left out.

    Args:
        folder: of a finished run, with summary.json, curves.csv and layers.csv.

    Returns:
        The file.

    Raises:
        UserError: a table is missing or damaged, or the folder cannot be written.
    """
    return picture(folder).save(folder / "overview.png")


def picture(folder: Path) -> Picture:
    """The same, written nowhere."""
    summary = read_summary(folder)
    # A table without rows has no types.
    curves, layers = (read(folder / f"{name}.csv").astype({"value": float}) for name in ("curves", "layers"))
    with styled(LARGE):
        return Picture(rendered(_overview(summary, curves, layers), "png"))


def _overview(summary: Mapping[str, Any], curves: pd.DataFrame, layers: pd.DataFrame) -> Figure:
    curves = curves[curves["split"].isin(SPLITS)]
    metrics = [m for m in dict.fromkeys(curves["metric"]) if m != "learning_rate"][:2]
    layers = one_a_row(survivors(layers, summary))
    hidden = healthy(layers[layers["quantity"].isin(("activation_std", "gradient_norm"))])
    if hidden.empty:
        fig = figure(SLIDE * 0.75, 3.9)
        axes = list(fig.subplots(1, max(1, len(metrics)), squeeze=False)[0])
    else:
        fig = figure(SLIDE, 6.0)
        axes = _layers(fig, layers, hidden, max(1, len(metrics)), activation_color(summary))
    for ax, metric in zip(axes, metrics, strict=False):
        training(ax, curves[curves["metric"] == metric], str(metric), summary)
    seeds = len(summary["seeds"])
    title = headline(summary["settings"])
    fig.suptitle(title, x=0.01, ha="left", fontsize=min(13, 1150 / max(1, len(title))), color=INK)
    apart = "thin: each of them" if seeds < blocks.FEW else "bands: their range"
    notes = [divergence(summary), f"lines: median of {seeds} seeds; {apart}" if seeds > 1 else ""]
    if any(notes):
        fig.supxlabel("   ·   ".join(filter(None, notes)), x=0.99, ha="right", fontsize=9, color=QUIET)
    return fig


def watched(layers: pd.DataFrame, losses: pd.DataFrame) -> Picture:
    """The same for a net that was watched in somebody's own loop: losses by step, activations and gradients by layer.

    Args:
        layers: step, layer, depth, quantity, value; where a layer has an activation, that stands for it.
        losses: step, value.

    Raises:
        UserError: nothing was measured.
    """
    acting = set(layers.loc[layers["quantity"] == "dead_share", "layer"])
    covered = layers.loc[layers["layer"].isin(acting), "depth"].unique()
    rows = one_a_row(layers[layers["layer"].isin(acting) | ~layers["depth"].isin(covered)]).assign(seed=0)
    hidden = healthy(rows[rows["quantity"].isin(("activation_std", "gradient_norm"))])
    if hidden.empty:
        raise UserError("nothing was measured that could be drawn; call step() after each step of the optimizer")
    with styled(LARGE):
        fig = figure(SLIDE, 6.0)
        (ax,) = _layers(fig, rows, hidden, 1, BLUE)
        own = losses[np.isfinite(losses["value"])]
        blocks.curve(ax, own, "step", label="loss", color=BLUE, several=False)
        ax.set(title="loss" if len(own) else "no losses were told to step()", xlabel="step")
        scales.value_axis(ax.yaxis, own["value"], range_of("loss"))
        return Picture(rendered(fig, "png"))


def one_a_row(layers: pd.DataFrame, quantities: Iterable[str] = ("activation_std", "gradient_norm")) -> pd.DataFrame:
    """Layers with several parts at one depth (gates of an LSTM) get a row for each part, in the order of the net.

    Args:
        quantities: whose layers count.
    """
    measured = layers[layers["quantity"].isin(list(quantities))]
    parts = list(dict.fromkeys(measured["layer"]))
    depths = dict(zip(measured["layer"], measured["depth"], strict=True))
    if len(set(depths.values())) == len(parts):
        return layers
    rows = {name: i for i, name in enumerate(sorted(parts, key=lambda name: depths[name]), 1)}
    kept = layers[layers["layer"].isin(rows)]
    return kept.assign(depth=kept["layer"].map(rows))


def activation_color(summary: Mapping[str, Any]) -> str:
    """The colour of a run's activation."""
    settings = summary["settings"]
    return activation_look(str(settings.get("choices.activation", "")), settings.get("activation.noise")).color


def healthy(rows: pd.DataFrame) -> pd.DataFrame:
    """The measurements whose numbers are all finite; a run that diverges ends with some that are not."""
    sick = rows.loc[~np.isfinite(rows["value"]), "step"].unique()
    return rows[~rows["step"].isin(sick)]


def training(ax: Axes, rows: pd.DataFrame, metric: str, summary: Mapping[str, Any]) -> None:
    """A metric by epoch, a line a split with its band over the seeds."""
    shown = rows[np.isfinite(rows["value"])]
    for split, color in SPLITS.items():
        own = shown[shown["split"] == split]
        if len(own):
            last = own.loc[own["step"] == own["step"].max(), "value"].median()
            shape = ".3f" if metric == "accuracy" else ".3g"
            blocks.curve(ax, own, "epoch", label=f"{split}  {last:{shape}}", color=color, several=False)
    ax.set_title(metric.replace("_", " "))
    ax.set_xlabel("epoch")
    last = float(summary["epochs"]) or 1.0
    ax.set_xlim(-0.02 * last, 1.02 * last)
    if last >= 1:
        scales.whole_ticks(ax.xaxis)
    scales.value_axis(ax.yaxis, shown["value"], range_of(metric))
    legends.inside(ax, loc="best")
    if metric == "loss" and len(summary.get("diverged_at_step", {})) == len(summary["seeds"]):
        blocks.remark(ax, divergence(summary))


def _layers(fig: Figure, layers: pd.DataFrame, hidden: pd.DataFrame, metrics: int, color: str) -> list[Axes]:
    """The panels that share an axis of depth, layer 1 at the bottom; returns the axes left for the metrics."""
    steps = sorted(hidden["step"].unique().tolist())
    pictures = {step: read_histograms(layers[layers["step"] == step]) for step in dict.fromkeys((steps[0], steps[-1]))}
    pictures = {step: histograms for step, histograms in pictures.items() if len(histograms.depth)}
    gradients = hidden[hidden["quantity"] == "gradient_norm"]
    columns = len(pictures) + (not gradients.empty)
    grid = fig.add_gridspec(metrics, 1 + columns, width_ratios=[1.35, *[1.0] * columns], wspace=0.08)
    names = dict(sorted(set(zip(hidden["depth"].tolist(), hidden["layer"].tolist(), strict=True))))
    first: Axes | None = None
    for column, step in enumerate(pictures, 1):
        ax = fig.add_subplot(grid[:, column], sharey=first)
        stds = hidden[(hidden["step"] == step) & (hidden["quantity"] == "activation_std")]
        activations(ax, pictures[step], pictures.values(), stds, color)
        ax.set_title("activations\n" + ("before training" if step == 0 else f"at step {step}"))
        first = depth_axis(ax, names, first)
    if not gradients.empty:
        ax = fig.add_subplot(grid[:, columns], sharey=first)
        _gradients(ax, gradients, steps)
        depth_axis(ax, names, first)
    return [fig.add_subplot(grid[row, 0]) for row in range(metrics)]


def depth_axis(ax: Axes, names: Mapping[int, str], first: Axes | None) -> Axes:
    """Layers upward, the input below; their names at the leftmost panel only, every second or third where many."""
    ax.set_ylim(min(names) - 0.55, max(names) + 0.55)
    if first is not None:
        ax.tick_params(axis="y", labelleft=False, length=0)
        return first
    scales.name_ticks(ax.yaxis, list(names), [layer_name(name) for name in names.values()])
    return ax


def activations(ax: Axes, own: Histograms, all_: Iterable[Histograms], stds: pd.DataFrame, color: str) -> None:
    """Histograms of every layer, on the bins that suit all the measurements shown, with standard deviations beside."""
    ends = [histograms.outermost() for histograms in all_]
    low, high = min(e[0] for e in ends), max(e[1] for e in ends)
    pad = 0.04 * (high - low) or 0.5
    edges = np.linspace(low - pad, high + pad, BINS + 1)
    ridges(ax, own.on(edges), edges, color=color)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("activation")
    scales.plain_ticks(ax.xaxis, most=5)
    means = stds.groupby("depth")["value"].mean()
    size = 8.0 if len(means) <= ALL_NUMBERED else max(5.0, 8.0 * 24 / len(means))
    every = 1 + len(means) // 48
    for depth, value in means.items():
        if int(str(depth)) % every == 0:
            ax.text(
                1.01,
                float(str(depth)),
                f"{value:.2g}",
                transform=ax.get_yaxis_transform(),
                ha="left",
                va="center",
                fontsize=size,
                color=INK,
            )
    ax.text(1.01, 1.0, "std", transform=ax.transAxes, ha="left", va="bottom", fontsize=8, color=INK)


def _gradients(ax: Axes, rows: pd.DataFrame, steps: Sequence[int]) -> None:
    chosen = sorted({steps[i] for i in np.linspace(0, len(steps) - 1, STEPS_SHOWN).round().astype(int)})
    colors = matplotlib.colormaps["viridis_r"](np.linspace(0.12, 0.95, len(chosen)))
    shown = rows[rows["step"].isin(chosen)]
    for step, color in zip(chosen, colors if len(chosen) > 1 else [GREEN], strict=True):
        own = shown[shown["step"] == step]
        ends = step in (chosen[0], chosen[-1])
        blocks.profile(
            ax,
            own[own["value"] > 0],
            label=str(step),
            color=color,
            upright=True,
            several=False,
            linewidth=1.8 if ends else 1.1,
            markersize=4.5 if ends and len(own) < 60 else 2.5,
        )
        vanished = sorted(own.loc[own["value"] == 0, "depth"].unique())
        blocks.mark_zeros(ax, vanished, color=color, upright=True)
    scales.log_axis(ax.xaxis, shown["value"])
    ax.set_title("gradient norm\nby layer")
    ax.set_xlabel("‖∂ loss / ∂ pre-activation‖")
    legends.inside(
        ax, widest=8, title="step", title_fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=1.5
    )
    if not (shown["value"] > 0).any():
        blocks.remark(ax, "0 everywhere")
