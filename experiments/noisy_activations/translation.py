"""Figures of the translation study: BLEU and likelihood by epoch, and at the end beside Table 4. Trains nothing."""

import pandas as pd
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import QUIET, TEXT, activation_look, figure
from repro.storage.metrics import POSITIVE
from repro.storage.statistics import estimate

NAMES = {"reference": "tanh, sigmoid (reference)", "hard": "hard, no noise", "leak": "leak, no noise", "nah": "NAH"}
COLORS = {
    "reference": activation_look("tanh").color,
    "hard": activation_look("hard_tanh").color,
    "leak": activation_look("hard_tanh").color,
    "nah": activation_look("noisy_tanh", "nah").color,
}
DASHED = ("leak",)
TABLE_4 = {"reference": (65.26, 20.18), "hard": (64.27, 21.59), "nah": (63.46, 22.57)}  # NLL, BLEU; on Europarl
PANELS = {"loss": "NLL of a sentence, nats", "bleu": "BLEU"}


def figures(tables: Tables) -> dict[str, Figure]:
    """Both metrics on the validation pairs by epoch, and those of the net that was kept."""
    variants = [name for name in NAMES if name in set(tables.curves["variant"])]
    return {"by_epoch": _by_epoch(tables.curves, variants), "table4": _table4(tables.runs, variants)}


def _by_epoch(curves: pd.DataFrame, variants: list[str]) -> Figure:
    fig = figure(TEXT, 2.9)
    axes = fig.subplots(1, 2)
    for ax, (metric, title) in zip(axes, PANELS.items(), strict=True):
        rows = curves[(curves["split"] == "valid") & (curves["metric"] == metric) & (curves["step"] > 0)]
        for name in variants:
            own = rows[rows["variant"] == name]
            style = "--" if name in DASHED else "-"
            label = f"{NAMES[name]} (n={own['seed'].nunique()})"
            blocks.curve(ax, own, "epoch", label=label, color=COLORS[name], linestyle=style)
        scales.whole_ticks(ax.xaxis)
        ax.set(xlabel="epoch", title=f"validation: {title}")
    legends.inside(axes[1], axes, fontsize="small")
    note = "median and range of the seeds; translations by greedy search"
    fig.supxlabel(note, x=0.99, ha="right", fontsize=6.5, color=QUIET)
    return fig


def _table4(runs: pd.DataFrame, variants: list[str]) -> Figure:
    full = set(runs["scale"]) == {"full"}
    fig = figure(TEXT, 1.0 + 0.34 * len(variants))
    axes = fig.subplots(1, 2, sharey=True)
    for i, (ax, (metric, title)) in enumerate(zip(axes, PANELS.items(), strict=True)):
        for row, name in enumerate(reversed(variants)):
            here = (runs["variant"] == name) & (runs["status"] == "done")
            values = runs.loc[here, f"valid_kept_{metric}"].dropna().tolist()
            if not values:
                continue
            blocks.error_bars(ax, [row], [estimate(values)], label="", color=COLORS[name], across=True, within=POSITIVE)
            ax.plot(values, [row + 0.22] * len(values), linestyle="none", marker="|", color=COLORS[name], markersize=6)
            if full and name in TABLE_4:
                ax.plot(TABLE_4[name][i], row, marker="D", markerfacecolor="none", color=QUIET, markersize=6, zorder=0)
        ax.set(xlabel=f"{title}, validation", ylim=(-0.6, len(variants) - 0.4))
        ax.grid(axis="x")
    axes[0].set_yticks(range(len(variants)), [NAMES[name] for name in reversed(variants)])
    beam = "the best net by validation NLL, translations by beam search"
    note = f"{beam}; dot: mean with its 95 % interval; strokes: seeds" + ("; diamond: Table 4" if full else "")
    fig.supxlabel(note, x=0.99, ha="right", fontsize=6.5, color=QUIET)
    return fig
