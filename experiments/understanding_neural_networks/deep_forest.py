"""Figures of deep forests: level by level, beside other methods, under other settings, and single trees."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.blocks import curve, error_bars, how_many
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, PALETTE, QUIET, TEXT, VERMILLION, explain, figure
from repro.storage.statistics import estimate

SETS = {"digits": "digits", "cancer": "breast cancer", "wine": "wine", "synthetic": "synthetic"}
METHODS = {
    "deep_forest": "deep forest",
    "random_forest": "random forest",
    "boosting": "boosted trees",
    "mlp": "net",
    "logistic": "logistic regression",
    "tree": "one tree",
}
LEVELS = {
    "digits_deep_forest": ("class vectors out of fold", BLUE),
    "digits_in_fold": ("class vectors of the forests' own samples", VERMILLION),
}
GRIDS = {
    "digits_net_grid": ("24 nets", VERMILLION),
    "digits_net_narrow": ("6 nets, narrow", GREEN),
    "digits_forest_grid": ("6 deep forests", BLUE),
}
SELECTIONS = {"wrapper": "wrapper", "filter": "filter", "all": "all features"}
SHARE = (0.0, 1.0)
SLOWEST = 6  # settings of the grid of nets with the least rate, which come first


def figures(tables: Tables) -> dict[str, Figure]:
    """Accuracy by level, by method and data set, by setting, by selection of features, and of a tree by its depth."""
    return {
        "levels": _levels(tables.curves),
        "methods": _methods(tables.runs),
        "settings": _settings(tables.curves),
        "selection": _selection(tables.runs),
        "depth": _depth(tables.runs),
    }


def further_tables(tables: Tables) -> dict[str, pd.DataFrame]:
    """How the same settings of a net rank on two data sets: all of them, and without those of the least rate."""
    both = _on_both(_by_setting(tables.curves))
    if both is None:
        return {}
    chosen = {"all": both, "without the least rate": both[both.index > SLOWEST]}
    rows = [
        {"settings": name, "n": len(own), "rank correlation": f"{_rank_correlation(own):.2f}"}
        for name, own in chosen.items()
    ]
    return {"transfer": pd.DataFrame(rows)}


def _levels(rows: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.8)
    axes = fig.subplots(1, 2, sharey=True)
    panels = {"held_out_accuracy": "training samples", "level_accuracy": "test images"}
    own = rows[rows["metric"].isin(panels) & rows["variant"].isin(LEVELS)]
    for ax, (metric, title) in zip(axes, panels.items(), strict=True):
        for variant, (label, color) in LEVELS.items():
            lines = own[(own["metric"] == metric) & (own["variant"] == variant)]
            # Few seeds grow on when others have ended; levels that less than half of them have are left out.
            there = lines.groupby("step")["seed"].transform("nunique") >= lines["seed"].nunique() / 2
            curve(ax, lines[there], "step", label=label, color=color, spread="mean")
        ax.set(title=title, xlabel="level")
        scales.whole_ticks(ax.xaxis)
    axes[0].set_ylabel("accuracy")
    legends.outside(fig, axes, loc="outside upper center", ncols=2)
    grown = f"mean of those of n={how_many(own)} seeds that have grown a level, where half of them have"
    explain(fig, grown, "bands: their range")
    return fig


def _methods(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.9)
    axes = fig.subplots(1, len(SETS), sharey=True)
    for ax, (name, title) in zip(axes, SETS.items(), strict=True):
        for place, (method, color) in enumerate(zip(METHODS, PALETTE, strict=False)):
            values = runs.loc[runs["variant"] == f"{name}_{method}", "classify_accuracy"].dropna().tolist()
            if values:
                error_bars(
                    ax, [-place], [estimate(values)], label=METHODS[method], color=color, across=True, within=SHARE
                )
        ax.set(title=title, xlabel="accuracy")
        ax.set_yticks([-place for place in range(len(METHODS))], [*METHODS.values()])
    n = how_many(runs[runs["variant"].isin([f"{name}_{method}" for name in SETS for method in METHODS])])
    explain(fig, f"mean of n={n} splits with its 95 % interval", "every panel has a scale of its own")
    return fig


def _settings(rows: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.8)
    sorted_ax, transfer = fig.subplots(1, 2)
    means = _by_setting(rows)
    for variant, (label, color) in GRIDS.items():
        if variant in means.index:
            values = np.sort(means[variant].to_numpy())
            at = np.linspace(0, 1, len(values)) if len(values) > 1 else [0.5]
            sorted_ax.plot(at, values, "o-", color=color, label=label, markersize=3)
    sorted_ax.set(xlabel="settings from the worst to the best", ylabel="accuracy on digits", xticks=[])
    legends.inside(sorted_ax, loc="lower right")
    _transfer(transfer, means)
    explain(fig, f"mean of n={how_many(rows[rows['variant'].isin(GRIDS)])} splits")
    return fig


def _by_setting(rows: pd.DataFrame) -> pd.Series:
    """Accuracy by grid and setting, mean over splits."""
    own = rows[(rows["split"] == "tuning") & (rows["metric"] == "accuracy")]
    return own.groupby(["variant", "step"])["value"].mean()


def _on_both(means: pd.Series) -> pd.DataFrame | None:
    """Accuracy of the grid of nets on digits and on breast cancer, one row a setting; None where one is missing."""
    if not {"digits_net_grid", "cancer_net_grid"} <= set(means.index.get_level_values("variant")):
        return None
    sides = [means["digits_net_grid"], means["cancer_net_grid"]]
    return pd.concat(sides, axis=1, keys=["digits", "cancer"]).dropna()


def _rank_correlation(both: pd.DataFrame) -> float:
    return both["digits"].corr(both["cancer"], method="spearman")


def _transfer(ax: Axes, means: pd.Series) -> None:
    """The same 24 settings of a net on two data sets."""
    ax.set(xlabel="accuracy on digits", ylabel="accuracy on breast cancer", title="the same 24 settings")
    both = _on_both(means)
    if both is None:
        return
    ax.plot(both["digits"], both["cancer"], "o", color=VERMILLION, markersize=3)
    ax.set_title(f"the same {len(both)} settings: rank correlation {_rank_correlation(both):.2f}", fontsize=8)


def _selection(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.6)
    axes = fig.subplots(1, 2)
    for ax, name in zip(axes, ("wine", "cancer"), strict=True):
        chosen = {kind: runs[runs["variant"] == f"few_{name}_{kind}"].set_index("seed") for kind in SELECTIONS}
        table = pd.DataFrame({kind: own["classify_accuracy"] for kind, own in chosen.items() if len(own)}).dropna()
        if {"wrapper", "filter"} <= set(table):
            wins = int((table["wrapper"] > table["filter"]).sum())
            ax.set_title(f"{SETS[name]}: wrapper wins in {wins} of {len(table)}", fontsize=8)
        places = [place for place, kind in enumerate(SELECTIONS) if kind in table]
        for _, values in table.iterrows():
            ax.plot(places, values, "o-", color=QUIET, alpha=0.45, linewidth=0.6, markersize=2)
        for place, kind in zip(places, table if len(table) else (), strict=False):
            error_bars(ax, [place], [estimate(table[kind].tolist())], label="_mean", color=BLUE, within=SHARE)
        ax.set_xticks(range(len(SELECTIONS)), [*SELECTIONS.values()])
        ax.set(xlim=(-0.4, 2.4))
    axes[0].set_ylabel("accuracy")
    explain(fig, "a grey line a split; blue: mean and 95 % interval; 60 training samples, 3 neighbours")
    return fig


def _depth(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.6)
    ax = fig.subplots()
    shallow = runs[runs["variant"] == "digits_shallow_tree"]
    for depth, own in shallow.groupby("procedure.classifier.depth"):
        values = own["classify_accuracy"].tolist()
        error_bars(ax, [float(str(depth))], [estimate(values)], label="_tree", color=BLUE, within=SHARE)
    for variant, label, color in (
        ("digits_tree", "one tree, full", BLUE),
        ("digits_deep_forest", "deep forest", GREEN),
    ):
        if values := runs.loc[runs["variant"] == variant, "classify_accuracy"].tolist():
            ax.axhline(float(np.mean(values)), color=color, linestyle="--", linewidth=0.9, label=label)
    ax.set(xlabel="depth of one tree at most", ylabel="accuracy on digits", ylim=(0, 1.02))
    scales.whole_ticks(ax.xaxis)
    legends.inside(ax, loc="lower right")
    explain(fig, f"mean of n={how_many(shallow, ('procedure.classifier.depth',))} splits with its 95 % interval")
    return fig
