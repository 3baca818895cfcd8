"""Figures of compositionality: commands that are understood, the way there, and what nets say."""

import pandas as pd
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.blocks import curve, error_bars, in_words
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, TEXT, VERMILLION, explain, figure
from repro.plots.sweeps import seed_dots
from repro.storage.statistics import estimate

NETS = {
    "fixed": ("one language, fixed", VERMILLION),
    "one_hop": ("episodes, one hop", GREEN),
    "episodes": ("episodes, two hops", BLUE),
}
SPLITS = {"valid": "as trained", "test": "commands with jump"}
EXAMPLES = 5


def figures(tables: Tables) -> dict[str, Figure]:
    """Shares of commands that are right, at the end and on the way."""
    there = [name for name in NETS if (tables.runs["variant"] == name).any()]
    return {"accuracy": _accuracy(tables.runs, there), "learning": _learning(tables.curves, there)}


def further_tables(tables: Tables) -> dict[str, pd.DataFrame]:
    """A few commands of the test split, evenly spread, with what is to be done and what nets of the first seed do."""
    texts = tables.texts
    first = texts[(texts["split"] == "test") & (texts["seed"] == texts["seed"].min())]
    samples = sorted(first["sample"].unique())
    chosen = samples[:: max(1, len(samples) // EXAMPLES)][:EXAMPLES]
    rows = []
    for sample in chosen:
        own = first[first["sample"] == sample].set_index("variant")
        if not {"fixed", "episodes"} <= set(own.index):
            continue
        asked, _, wanted = str(own.loc["episodes", "target"]).partition(": ")
        study, _, command = asked.partition(" | ")
        rows.append(
            {
                "study examples": study,
                "command": command,
                "to be done": wanted,
                NETS["fixed"][0]: own.loc["fixed", "predicted"],
                NETS["episodes"][0]: own.loc["episodes", "predicted"],
            }
        )
    return {"examples": pd.DataFrame(rows).fillna("")}


def _accuracy(runs: pd.DataFrame, there: list[str]) -> Figure:
    fig = figure(TEXT, 2.6)
    ax = fig.subplots()
    for i, name in enumerate(there):
        label, color = NETS[name]
        values = [runs[runs["variant"] == name][f"{split}_accuracy"].dropna().tolist() for split in SPLITS]
        at = [place + 0.15 * (i - (len(there) - 1) / 2) for place in range(len(SPLITS))]
        for place, own in zip(at, values, strict=True):
            seed_dots(ax, place, own, color)
        error_bars(ax, at, [*map(estimate, values)], label=label, color=color, markersize=5, within=(0, 1))
    scales.name_ticks(ax.xaxis, range(len(SPLITS)), [*SPLITS.values()])
    ax.set(ylabel="share of commands right", ylim=(-0.02, 1.02), xlim=(-0.5, len(SPLITS) - 0.5))
    legends.outside(fig, [ax], loc="outside right upper")
    explain(fig, f"mean of n={runs['seed'].nunique()} seeds and its 95 % interval; small dots: seeds")
    return fig


def _learning(curves: pd.DataFrame, there: list[str]) -> Figure:
    rows = curves[(curves["metric"] == "accuracy") & curves["split"].isin(list(SPLITS))]
    fig = figure(TEXT, 2.7)
    axes = [*fig.subplots(1, len(SPLITS), sharey=True)]
    for ax, (split, title) in zip(axes, SPLITS.items(), strict=True):
        for name in there:
            own = rows[(rows["variant"] == name) & (rows["split"] == split)]
            curve(ax, own, "step", label=NETS[name][0], color=NETS[name][1], spread="mean")
        ax.set(title=title, xlabel="update", ylim=(-0.02, 1.02))
    axes[0].set_ylabel("share of commands right")
    legends.outside(fig, axes, loc="outside upper center", ncols=3)
    explain(fig, in_words(rows))
    return fig
