"""Figures of Hopfield's memory: energy, capacity, basins, noise and damage, where random starts end, digits."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import erfc

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, SKY, TEXT, VERMILLION, explain, figure
from repro.storage.metrics import SHARE
from repro.storage.statistics import estimate

LIMIT = 0.138  # of infinitely many units
SIZES = {"capacity_100": ("100 units", SKY), "capacity_300": ("300", BLUE), "capacity_1000": ("1,000", VERMILLION)}
ENDS = {"in_memory": ("pattern", BLUE), "in_negative": ("negative", SKY), "in_mixture": ("mixture of three", ORANGE)}
MEMORIES, SIDE = "procedure.memories", 8


def figures(tables: Tables) -> dict[str, Figure]:
    """All that has rows."""
    runs = tables.runs
    return {
        "energy": _energy(tables.curves, runs),
        "capacity": _capacity(runs),
        "robustness": _robustness(runs),
        "minima": _minima(runs),
        "digits": _digits(runs),
        "pictures": _pictures(tables.curves),
    }


def _line(ax: Axes, runs: pd.DataFrame, by: str, metric: str, label: str, color: str, fmt: str = "o-") -> None:
    """Means with their 95 % intervals at each value of a setting."""
    groups = [(float(str(at)), estimate(own.tolist())) for at, own in runs.groupby(by)[f"hopfield_{metric}"]]
    at, found = zip(*groups, strict=True)
    blocks.error_bars(ax, at, found, label=label, color=color, within=SHARE, fmt=fmt, markersize=3.5, linewidth=1)


def _energy(rows: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.6)
    one, two = fig.subplots(1, 2)
    own = rows[(rows["variant"] == "energy") & (rows["metric"] == "energy")]
    blocks.seeds(one, own.assign(updates=own["step"]), "updates", color=BLUE)
    one.set(title="on the way from cues", xlabel="updates of single units", ylabel="energy / N")
    names = ["energy", "random_12", "synchronous_12"]
    for place, name in enumerate(names):
        values = runs.loc[runs["variant"] == name, "hopfield_energy_rise"].to_numpy(float)
        two.plot(place + np.linspace(-0.2, 0.2, len(values)), values, ".", color=BLUE, markersize=4)
    labels = ["one by one,\nfrom cues", "one by one,\nrandom starts", "all at once,\nrandom starts"]
    two.set_xticks(range(3), labels, fontsize=7)
    two.set(title="greatest rise in one update", ylabel="energy / N")
    two.set_ylim(bottom=-0.0003)
    explain(fig, f"left: mean over the cues of each of n={own['seed'].nunique()} seeds", "right: a dot a seed")
    return fig


def _capacity(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.9)
    one, two, three = fig.subplots(1, 3)
    for name, (label, color) in SIZES.items():
        own = runs[runs["variant"] == name]
        _line(one, own, "hopfield_load", "overlap", label, color)
        _line(two, own, "hopfield_load", "stable", label, color)
    for ax, title, said in ((one, "where states end", "overlap"), (two, "stable to the last bit", "share of patterns")):
        ax.axvline(LIMIT, color=QUIET, linewidth=0.8, linestyle=":")
        ax.set(title=title, xlabel="patterns per unit", ylabel=said, ylim=(-0.02, 1.02))
    steps = runs[runs["variant"] == "step_1000"]
    _line(three, steps, "hopfield_load", "wrong_bits", "one step", VERMILLION, "o")
    load = np.linspace(0.1, 0.63, 200)
    three.plot(load, erfc(1 / np.sqrt(2 * load)) / 2, "-", color=INK, linewidth=0.9, zorder=0)
    three.set_yscale("log")
    three.set(title="one step, 1,000 units", xlabel="patterns per unit", ylabel="share of wrong bits")
    legends.outside(fig, [one], loc="outside upper center", ncols=3)
    n = blocks.how_many(runs[runs["variant"].isin([*SIZES, "step_1000"])])
    explain(
        fig, f"means of n={n} seeds and 95 % intervals", f"dotted: {LIMIT}", "line on the right: erfc(1/√(2·load))/2"
    )
    return fig


def _robustness(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.9)
    one, two, three = fig.subplots(1, 3, sharey=True)
    for name, color in (("basins_10", BLUE), ("basins_20", VERMILLION)):
        own = runs[runs["variant"] == name]
        _line(one, own, "procedure.flipped", "recalled", f"{name.partition('_')[2]} patterns", color)
    _line(two, runs[runs["variant"] == "warm"], "procedure.temperature", "overlap", "_5", GREEN)
    undamaged = runs[(runs["variant"] == "basins_10") & (runs["procedure.flipped"] == 0.1)]
    cut = pd.concat([undamaged.assign(**{"procedure.removed": 0.0}), runs[runs["variant"] == "diluted"]])
    _line(three, cut, "procedure.removed", "overlap", "_cut", PURPLE)
    clipped = runs.loc[runs["variant"] == "clipped", "hopfield_overlap"].tolist()
    blocks.error_bars(three, [0.0], [estimate(clipped)], label="signs of the weights", color=ORANGE, fmt="x")
    one.set(title="damaged cues", xlabel="bits turned round", ylabel="recalled, or overlap", ylim=(-0.02, 1.02))
    two.set(title="noise", xlabel="temperature")
    three.set(title="damaged weights", xlabel="couplings cut")
    legends.outside(fig, [one, three], loc="outside upper center", ncols=3)
    shown = ["basins_10", "basins_20", "warm", "diluted", "clipped"]
    explain(
        fig,
        f"200 units, means of n={blocks.how_many(runs[runs['variant'].isin(shown)])} seeds and 95 % intervals",
        "left: share of cues recalled without error",
        "middle: overlap, 5 patterns",
        "right: overlap, 10 patterns, a tenth of a cue's bits turned round",
    )
    return fig


def _minima(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.6)
    one, two = fig.subplots(1, 2, gridspec_kw={"width_ratios": [2, 3]})
    names = {"random_3": "3 patterns", "random_12": "12 patterns", "synchronous_12": "12, all units\nat once"}
    for place, name in enumerate(names):
        means = runs[runs["variant"] == name].mean(numeric_only=True)
        below = 0.0
        for metric, (label, color) in ENDS.items():
            height = float(means[f"hopfield_{metric}"])
            one.bar(place, height, bottom=below, color=color, label=label if place == 0 else None)
            below += height
        one.bar(place, 1 - below, bottom=below, color="#DDDDDD", label="none of these" if place == 0 else None)
    one.set_xticks(range(len(names)), list(names.values()), fontsize=7)
    one.set(title="random starts end in", ylabel="share", ylim=(0, 1))
    own = runs[runs["variant"] == "restless"]
    for metric, (label, color) in {
        "in_either": ("pattern or negative", GREEN),
        "in_mixture": ENDS["in_mixture"],
    }.items():
        _line(two, own, "procedure.temperature", metric, label, color)
    two.set(title="after noise, 3 patterns", xlabel="temperature of the noise", ylabel="share", ylim=(-0.02, 1.02))
    legends.outside(fig, [one, two], loc="outside upper center", ncols=5)
    n = blocks.how_many(runs[runs["variant"].isin([*names, "restless"])])
    explain(fig, "100 units", f"means of n={n} seeds, on the right with 95 % intervals")
    return fig


def _digits(runs: pd.DataFrame) -> Figure:
    fig = figure(TEXT, 2.6)
    axes = fig.subplots(1, 2, sharey=True)
    rules = {"digits_hebb": ("Hebb", VERMILLION), "digits_pseudo_inverse": ("pseudo-inverse", BLUE)}
    panels = {"stable": "digits that are stable", "near": "cues that end near their digit"}
    for ax, (metric, title) in zip(axes, panels.items(), strict=True):
        for name, (label, color) in rules.items():
            _line(ax, runs[runs["variant"] == name], MEMORIES, metric, label, color)
        ax.set(title=title, xlabel="digits stored", ylim=(-0.02, 1.02))
        scales.whole_ticks(ax.xaxis)
    axes[0].set_ylabel("share")
    legends.outside(fig, list(axes), loc="outside upper center", ncols=2)
    explain(
        fig,
        f"means of n={blocks.how_many(runs[runs['variant'].isin(rules)])} seeds and 95 % intervals",
        "right: a tenth of the bits of a cue turned round, at most one wrong at the end",
    )
    return fig


def _pictures(rows: pd.DataFrame) -> Figure:
    strips = [
        ("stored", "pictures_hebb", "stored"),
        ("cue", "pictures_hebb", "cue"),
        ("Hebb", "pictures_hebb", "end"),
        ("pseudo-inverse", "pictures_pseudo_inverse", "end"),
    ]
    fig = figure(TEXT, 3.0)
    found = [_pixels(rows, variant, name) for _, variant, name in strips]
    axes = fig.subplots(len(strips), len(found[0]), squeeze=False)
    for line, (label, _, _), images in zip(axes, strips, found, strict=True):
        for ax, image in zip(line, images, strict=True):
            ax.imshow(image, cmap="Greys", vmin=-1, vmax=1, interpolation="nearest")
            ax.set_xticks([])
            ax.set_yticks([])
        line[0].set_ylabel(label, rotation=0, ha="right", va="center")
    explain(fig, "ten digits stored in 64 units", "a tenth of a cue's bits turned round")
    return fig


def _pixels(rows: pd.DataFrame, variant: str, name: str) -> np.ndarray:
    own = rows[(rows["variant"] == variant) & (rows["metric"] == f"picture_{name}")].sort_values("step")
    return own["value"].to_numpy(float).reshape(-1, SIDE, SIDE)
