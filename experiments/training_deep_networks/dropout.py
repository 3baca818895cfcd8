"""Figures of the dropout study: accuracy and size of the weights by rate, and learning curves. Reads tables only."""

import pandas as pd
from matplotlib.figure import Figure

from repro.plots import blocks, legends
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, ORANGE, TEXT, VERMILLION, explain, figure
from repro.plots.sweeps import add_quantity, footnote, places, sweep, whole_norm

RATE = "architecture.dropout"
PANELS = {"clean": "right labels", "noisy": "a fifth of the labels wrong"}
COLORS = (BLUE, GREEN, ORANGE, VERMILLION)


def figures(tables: Tables) -> dict[str, Figure]:
    """Everything by rate, and the curves over training."""
    runs = tables.runs
    drawn = {}
    if "test_accuracy" in runs.columns:
        drawn["rates"] = _rates(add_quantity(runs, tables.layers, "weight_norm", whole_norm))
        drawn["curves"] = _curves(tables)
    return drawn


def _rates(runs: pd.DataFrame) -> Figure:
    at = places(runs, RATE)
    fig = figure(TEXT, 2.6)
    *panels, norms = fig.subplots(1, len(PANELS) + 1)
    for ax, (name, title), color in zip(panels, PANELS.items(), (BLUE, VERMILLION), strict=True):
        own = runs[runs["variant"] == name]
        sweep(
            ax,
            own,
            RATE,
            "train_accuracy",
            at,
            label="training, units dropped",
            color=color,
            fmt="s--",
            markerfacecolor="white",
        )
        sweep(ax, own, RATE, "test_accuracy", at, label="test, right labels", color=color)
        ax.set(title=title, xlabel="dropped share of the units", ylim=(-0.02, 1.02))
        legends.inside(ax, loc="lower left")
        sweep(norms, own, RATE, "weight_norm", at, label=title, color=color)
    panels[0].set_ylabel("accuracy")
    panels[1].tick_params(labelleft=False)
    norms.set(title="norm of all weights", xlabel="dropped share of the units")
    norms.set_ylim(0, 1.1 * runs["weight_norm"].max())
    legends.inside(norms, loc="lower left")
    footnote(fig, runs)
    return fig


def _curves(tables: Tables) -> Figure:
    runs, curves = tables.runs, tables.curves
    curves = curves[(curves["metric"] == "accuracy") & (curves["step"] > 0)].merge(runs[["run", "seed", RATE]])
    fig = figure(TEXT, 2.9)
    axes = fig.subplots(1, len(PANELS), sharey=True)
    for ax, (name, title) in zip(axes, PANELS.items(), strict=True):
        for rate, color in zip(places(runs, RATE), COLORS, strict=False):
            own = curves[(curves["variant"] == name) & (curves[RATE] == rate)]
            blocks.curve(ax, own[own["split"] == "test"], "epoch", label=f"{rate:g}", color=color, spread="interval")
            blocks.curve(
                ax,
                own[own["split"] == "train"],
                "epoch",
                label="",
                color=color,
                spread="interval",
                linestyle="--",
                linewidth=0.8,
            )
        ax.set(title=title, xlabel="epoch", ylim=(-0.02, 1.02))
    axes[0].set_ylabel("accuracy")
    legends.outside(fig, list(axes), title="dropped", loc="outside right upper")
    counts = runs.groupby("variant")["seed"].nunique()
    explain(
        fig, f"mean of n={counts.max()} seeds, bands: its 95 % interval", "lines: test; dashed: training, units dropped"
    )
    return fig
