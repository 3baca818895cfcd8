"""Scores of nets that write: by epoch, and those of the nets that were kept, beside what is published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.style import QUIET, TEXT, explain, figure
from repro.storage.metrics import POSITIVE
from repro.storage.statistics import estimate


@dataclass(frozen=True)
class Nets:
    """What is drawn of each net.

    Attributes:
        names: by variant, in the order of the legend.
        colors: by variant.
        dashed: variants whose lines are broken.
        together: variants of a panel by epoch; the first one is the reference of all.
        published: by variant a number a metric, of the set that `table` names.
        table: of the paper.
        said: what the nets write, in the plural.
    """

    names: Mapping[str, str]
    colors: Mapping[str, str]
    dashed: Sequence[str]
    together: Sequence[Sequence[str]]
    published: Mapping[str, Mapping[str, float]]
    table: str
    said: str

    def there(self, curves: pd.DataFrame) -> list[str]:
        """Those that there are."""
        return [name for name in self.names if name in set(curves["variant"])]


def by_epoch(curves: pd.DataFrame, nets: Nets, metrics: Mapping[str, str]) -> Figure:
    """A row a metric of the validation split, a panel a few nets; `metrics` has titles by name."""
    there = nets.there(curves)
    groups = [own for group in nets.together if (own := [name for name in group if name in there])]
    fig = figure(TEXT, 1.0 + 1.9 * len(metrics))
    axes = fig.subplots(len(metrics), len(groups), squeeze=False, sharex=True)
    rows = curves[(curves["split"] == "valid") & (curves["step"] > 0)]
    for row, (metric, title) in enumerate(metrics.items()):
        line = list(axes[row])
        found = rows[rows["metric"] == metric]
        for ax, group in zip(line, groups, strict=True):
            _means(ax, found, nets, group)
        scales.one_range(line, found["value"])
        line[0].set_ylabel(title)
        for ax in line[1:]:
            ax.tick_params(labelleft=False)
    for ax in axes[-1]:
        scales.whole_ticks(ax.xaxis)
        ax.set_xlabel("epoch")
    legends.outside(fig, list(axes.flat), loc="outside upper center", ncols=3, fontsize="small")
    n = blocks.how_many(rows[rows["variant"].isin(there)])
    explain(
        fig,
        f"validation split, {nets.said} by greedy search; thick: mean of n={n} seeds, thin: each of them",
        "in the other panels the reference's mean once more; one range in each row",
    )
    return fig


def _means(ax: Axes, rows: pd.DataFrame, nets: Nets, group: Sequence[str]) -> None:
    """Each net's mean over its seeds' thin lines, and behind them the reference's mean."""
    reference = nets.together[0][0]
    if reference not in group:
        middle = rows[rows["variant"] == reference].groupby("epoch")["value"].mean()
        ax.plot(middle.index, middle, color=nets.colors[reference], linewidth=1.0, label="_reference", zorder=1)
    for name in group:
        own = rows[rows["variant"] == name]
        look: dict[str, Any] = {"color": nets.colors[name], "linestyle": "--" if name in nets.dashed else "-"}
        blocks.seeds(ax, own, "epoch", **look)
        middle = own.groupby("epoch")["value"].mean()
        ax.plot(middle.index, middle, label=nets.names[name], **look)


def at_the_end(
    runs: pd.DataFrame, variants: Sequence[str], nets: Nets, metrics: Mapping[str, str], split: str
) -> Figure:
    """A panel a metric of a split, a row a net: seeds, mean with interval, and at full scale what is published."""
    full = set(runs["scale"]) == {"full"}
    fig = figure(TEXT, 1.0 + 0.32 * len(variants))
    axes = fig.subplots(1, len(metrics), sharey=True)
    for ax, (metric, title) in zip(axes, metrics.items(), strict=True):
        for row, name in enumerate(reversed(variants)):
            here = (runs["variant"] == name) & (runs["status"] == "done")
            values = runs.loc[here, f"{split}_kept_{metric}"].dropna().tolist()
            if not values:
                continue
            color = nets.colors[name]
            blocks.error_bars(ax, [row], [estimate(values)], label="", color=color, across=True, within=POSITIVE)
            ax.plot(values, [row + 0.22] * len(values), linestyle="none", marker="|", color=color, markersize=6)
            if full and name in nets.published:
                paper = nets.published[name][metric]
                ax.plot(paper, row, marker="D", markerfacecolor="none", color=QUIET, markersize=6, zorder=0)
        ax.set(xlabel=f"{title}, {'validation' if split == 'valid' else split}", ylim=(-0.6, len(variants) - 0.4))
        ax.grid(axis="x")
    axes[0].set_yticks(range(len(variants)), [nets.names[name] for name in reversed(variants)])
    beam = f"the best net by validation NLL, {nets.said} by beam search"
    note = f"{beam}; dot: mean with its 95 % interval; strokes: seeds" + (f"; diamond: {nets.table}" if full else "")
    fig.supxlabel(note, x=0.99, ha="right", fontsize=6.5, color=QUIET)
    return fig
