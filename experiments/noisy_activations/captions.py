"""Figures of the captions study: scores by epoch, at the end beside Table 3, and where words looked. Trains nothing."""

import pandas as pd
from matplotlib.figure import Figure

from repro.plots import blocks, legends, looks, scales
from repro.plots.experiment import Tables
from repro.plots.style import QUIET, TEXT, activation_look, figure
from repro.storage.metrics import POSITIVE
from repro.storage.statistics import estimate

NAMES = {
    "reference": "tanh, sigmoid (reference)",
    "reference_no_dropout": "the same, no dropout",
    "hard": "hard, no noise",
    "leak": "leak, no noise",
    "nah": "NAH",
    "nah_no_dropout": "NAH, no dropout",
    "nani": "NANI",
    "nanil": "NANIL",
}
COLORS = {
    "reference": activation_look("tanh").color,
    "reference_no_dropout": activation_look("tanh").color,
    "hard": activation_look("hard_tanh").color,
    "leak": activation_look("hard_tanh").color,
    "nah": activation_look("noisy_tanh", "nah").color,
    "nah_no_dropout": activation_look("noisy_tanh", "nah").color,
    "nani": activation_look("noisy_tanh", "nani").color,
    "nanil": activation_look("noisy_tanh", "nanil").color,
}
DASHED = ("reference_no_dropout", "leak", "nah_no_dropout")
TABLE_3 = {  # BLEU-1 to 4, METEOR, NLL of a caption
    "reference": (67, 44.8, 29.9, 19.5, 18.9, 40.33),
    "nah": (66, 45.8, 30.69, 20.9, 20.5, 40.17),
    "nah_no_dropout": (64.9, 44.2, 30.7, 20.9, 20.3, 39.8),
    "nani": (66, 45.0, 30.6, 20.7, 20.5, 40.0),
    "nanil": (66, 44.6, 30.1, 20.0, 20.5, 39.9),
}
METRICS = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "loss")
BY_EPOCH = {"loss": "NLL of a caption, nats", "bleu_4": "BLEU-4"}
AT_THE_END = {"bleu_1": "BLEU-1", "bleu_4": "BLEU-4", "loss": "NLL of a caption, nats"}
IMAGES = 3  # whose captions are drawn


def figures(tables: Tables) -> dict[str, Figure]:
    """Both metrics by epoch, those of the net that was kept, and where some of its words looked."""
    variants = [name for name in NAMES if name in set(tables.curves["variant"])]
    drawn = {"by_epoch": _by_epoch(tables.curves, variants), "table3": _table3(tables.runs, variants)}
    if (tables.folder / "looks.csv.gz").is_file():
        drawn["attention"] = _attention(tables.looks, variants)
    return drawn


def further_tables(tables: Tables) -> dict[str, pd.DataFrame]:
    """Table 3 with ours beside it, means over seeds."""
    runs = tables.runs[tables.runs["status"] == "done"]
    rows = []
    for name in (name for name in NAMES if name in set(runs["variant"])):
        own = runs[runs["variant"] == name]
        for i, metric in enumerate(METRICS):
            column = f"test_kept_{metric}"
            values = own[column].dropna().tolist() if column in own else []
            paper = TABLE_3[name][i] if name in TABLE_3 else float("nan")
            ours = round(estimate(values).value, 2) if values else float("nan")
            rows.append((name, metric, paper, ours, len(values)))
    return {"table_3": pd.DataFrame(rows, columns=["variant", "metric", "paper", "ours", "n"])}


def _by_epoch(curves: pd.DataFrame, variants: list[str]) -> Figure:
    fig = figure(TEXT, 3.2)
    axes = fig.subplots(1, 2)
    for ax, (metric, title) in zip(axes, BY_EPOCH.items(), strict=True):
        rows = curves[(curves["split"] == "valid") & (curves["metric"] == metric) & (curves["step"] > 0)]
        for name in variants:
            own = rows[rows["variant"] == name]
            style = "--" if name in DASHED else "-"
            label = f"{NAMES[name]} (n={own['seed'].nunique()})"
            blocks.curve(ax, own, "epoch", label=label, color=COLORS[name], linestyle=style)
        scales.whole_ticks(ax.xaxis)
        ax.set(xlabel="epoch", title=f"validation: {title}")
    legends.inside(axes[1], axes, fontsize="small")
    note = "median and range of the seeds; captions by greedy search"
    fig.supxlabel(note, x=0.99, ha="right", fontsize=6.5, color=QUIET)
    return fig


def _table3(runs: pd.DataFrame, variants: list[str]) -> Figure:
    full = set(runs["scale"]) == {"full"}
    fig = figure(TEXT, 1.0 + 0.3 * len(variants))
    axes = fig.subplots(1, len(AT_THE_END), sharey=True)
    for ax, (metric, title) in zip(axes, AT_THE_END.items(), strict=True):
        for row, name in enumerate(reversed(variants)):
            here = (runs["variant"] == name) & (runs["status"] == "done")
            values = runs.loc[here, f"test_kept_{metric}"].dropna().tolist()
            if not values:
                continue
            blocks.error_bars(ax, [row], [estimate(values)], label="", color=COLORS[name], across=True, within=POSITIVE)
            ax.plot(values, [row + 0.22] * len(values), linestyle="none", marker="|", color=COLORS[name], markersize=6)
            if full and name in TABLE_3:
                paper = TABLE_3[name][METRICS.index(metric)]
                ax.plot(paper, row, marker="D", markerfacecolor="none", color=QUIET, markersize=6, zorder=0)
        ax.set(xlabel=f"{title}, test", ylim=(-0.6, len(variants) - 0.4))
        ax.grid(axis="x")
    axes[0].set_yticks(range(len(variants)), [NAMES[name] for name in reversed(variants)])
    beam = "the best net by validation NLL, captions by beam search"
    note = f"{beam}; dot: mean with its 95 % interval; strokes: seeds" + ("; diamond: Table 3" if full else "")
    fig.supxlabel(note, x=0.99, ha="right", fontsize=6.5, color=QUIET)
    return fig


def _attention(rows: pd.DataFrame, variants: list[str]) -> Figure:
    """A few test images by the mean colours of their places, as the first seed of one net looked at them."""
    name = "nah" if "nah" in variants else variants[0]
    rows = rows[rows["variant"] == name]
    rows = rows[rows["seed"] == rows["seed"].min()]
    samples = [own for _, own in rows.groupby("sample")][1 : 1 + IMAGES]
    fig = looks.panels(samples, [looks.mosaic(own) for own in samples])
    note = f"{NAMES[name]}; images as the mean colours of their places, brightest where the caption's words looked most"
    fig.supxlabel(note, x=0.99, ha="right", fontsize=6.5, color=QUIET)
    return fig
