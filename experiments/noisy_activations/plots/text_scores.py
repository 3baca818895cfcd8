"""Scores of nets that write: by epoch, and those of the nets that were kept, beside what is published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
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
        published: by variant a number a metric, of the set that `table` names.
        table: of the paper.
        said: what the nets write, in the plural.
    """

    names: Mapping[str, str]
    colors: Mapping[str, str]
    dashed: Sequence[str]
    published: Mapping[str, Mapping[str, float]]
    table: str
    said: str

    def there(self, curves: pd.DataFrame) -> list[str]:
        """Those that there are."""
        return [name for name in self.names if name in set(curves["variant"])]


def by_epoch(curves: pd.DataFrame, nets: Nets, metrics: Mapping[str, str], height: float) -> Figure:
    """A panel a metric of the validation split; `metrics` has titles by name."""
    fig = figure(TEXT, height)
    axes = fig.subplots(1, len(metrics))
    for ax, (metric, title) in zip(axes, metrics.items(), strict=True):
        rows = curves[(curves["split"] == "valid") & (curves["metric"] == metric) & (curves["step"] > 0)]
        for name in nets.there(curves):
            own = rows[rows["variant"] == name]
            style = "--" if name in nets.dashed else "-"
            n = own["seed"].nunique()
            label = nets.names[name] + (f" (n={n})" if n > 1 else "")  # of one run the curve says so itself
            blocks.curve(ax, own, "epoch", label=label, color=nets.colors[name], linestyle=style)
        scales.whole_ticks(ax.xaxis)
        ax.set(xlabel="epoch", title=f"validation: {title}")
    legends.outside(fig, axes, loc="outside upper center", ncols=3, fontsize="small")
    explain(fig, blocks.in_words(rows, center="median"), f"{nets.said} by greedy search")
    return fig


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
