"""Figures of Hilbert's 13th problem in numbers: errors by form of net, and functions that nets of splines learnt."""

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, INK, ORANGE, QUIET, TEXT, VERMILLION, explain, figure

from .plots.edges import edges, last_of

FORMS = {
    "linear": ("affine", QUIET),
    "kan_3_1_1": ("KAN [3,1,1]", BLUE),
    "kan_3_2_1": ("KAN [3,2,1]", BLUE),
    "kan_3_7_1": ("KAN [3,7,1]", BLUE),
    "mlp_16": ("MLP 3-16-1", VERMILLION),
    "tree": ("g(h(a,b), k(b,c))", GREEN),
}
DEVIATION = 0.11  # of the root
NAMES, SHADES = ("a", "b", "c"), (BLUE, VERMILLION, GREEN)


def figures(tables: Tables) -> dict[str, Figure]:
    """Error of every form of net, and the edges of the two small nets of splines."""
    drawn = {"errors": _errors(tables)}
    if {"kan_3_1_1", "kan_3_2_1"} <= set(tables.runs["variant"]):
        drawn["functions"] = _functions(tables)
    return drawn


def _errors(tables: Tables) -> Figure:
    runs, curves = tables.runs, tables.curves
    forms = [form for form in FORMS if (runs["variant"] == form).any()]
    fig = figure(TEXT, 2.9)
    ax = fig.subplots()
    for place, form in enumerate(forms):
        grids = dict(_by_grid(curves, form))
        for i, (grid, values) in enumerate(grids.items()):
            at = place + 0.24 * (i - 1)
            ax.plot(values, [at] * len(values), "o", color=FORMS[form][1], markersize=3.5)
            ax.annotate(f"{grid:.0f}", (values.max(), at), (5, 0), textcoords="offset points", va="center", fontsize=7)
        if not grids:
            own = runs[runs["variant"] == form]["test_rmse"]
            ax.plot(own, [place] * len(own), "o", color=FORMS[form][1], markersize=3.5)
    ax.axvline(DEVIATION, color=INK, linewidth=0.8, linestyle="--", zorder=0, label="standard deviation of the root")
    ax.axvline(DEVIATION / 100, color=ORANGE, linewidth=0.8, linestyle="--", zorder=0, label="a hundredth of it")
    ax.set(xscale="log", xlabel="test error (rmse)", ylim=(len(forms) - 0.4, -0.6))
    scales.name_ticks(ax.yaxis, range(len(forms)), [FORMS[form][0] for form in forms])
    legends.outside(fig, [ax], loc="outside upper center", ncols=2)
    count = runs[runs["variant"].isin(forms)].groupby("variant")["seed"].nunique().min()
    explain(fig, f"a dot a seed, n={count}; numbers beside dots: intervals of the splines")
    return fig


def _by_grid(curves: pd.DataFrame, form: str) -> Iterator[tuple[float, pd.Series]]:
    """Each grid of a net of splines, and the test errors of its seeds at the end of that stage."""
    own = curves[curves["variant"] == form].sort_values("step")
    grids = own[own["metric"] == "grid"]
    for grid, rows in grids[grids["step"] > 0].groupby("value"):
        step = rows["step"].max()
        wanted = own["metric"].eq("rmse") & own["split"].eq("test") & own["step"].eq(step)
        yield float(str(grid)), own[wanted]["value"]


def _functions(tables: Tables) -> Figure:
    fig = figure(TEXT, 4.2)
    rows = {"kan_3_1_1": 1, "kan_3_2_1": 2}
    axes = fig.subplots(2, 3)
    said = []
    for own, (variant, sums) in zip(axes, rows.items(), strict=True):
        one = tables.runs[tables.runs["variant"] == variant].sort_values("test_rmse").iloc[0]
        layers = last_of(tables.layers, one)
        inner, outer = edges(layers, 0), edges(layers, 1)
        for k in range(sums):
            for j, (name, color) in enumerate(zip(NAMES, SHADES, strict=True)):
                own[k].plot(*inner[j, k], color=color, label=name)
            own[k].set(title=f"{FORMS[variant][0]}, sum {k + 1}", xlabel="input, scaled to [−1, 1]")
            own[2].plot(*outer[k, 0], color=INK, linestyle=("-", "--")[k], label=f"of sum {k + 1}")
        own[2].set(title="outer functions", xlabel="the sum")
        _empty(own[sums:2])
        said.append(f"{FORMS[variant][0]}: seed {one['seed']}, test error {one['test_rmse']:.1e}")
    for ax in axes[:, 0]:
        ax.set_ylabel("edge function")
    legends.outside(fig, [axes[0, 0], axes[1, 2]], loc="outside upper center", ncols=5)
    explain(fig, "the best seed of each", *said)
    return fig


def _empty(axes: list[Axes]) -> None:
    for ax in axes:
        ax.set_axis_off()
