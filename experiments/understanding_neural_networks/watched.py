"""Test accuracy of every net that is watched; the page of `repro playground` shows how each came to it."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from repro.plots.experiment import Tables
from repro.plots.style import TEXT, explain, figure

NAMES = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU", "esp": "ESP", "noisy_tanh": "noisy tanh"}
DEPTH, START, NORM, RULE = "architecture.depth", "initialization", "normalization", "backward"


def figures(tables: Tables) -> dict[str, Figure]:
    """A panel a unit: depth against start, normalization and backward rule."""
    watched = tables.runs[tables.runs["variant"].isin(NAMES)]
    runs = watched.assign(**{NORM: watched[NORM].fillna("none")})
    return {"accuracy": _accuracy(runs)} if "test_accuracy" in runs.columns else {}


def _accuracy(runs: pd.DataFrame) -> Figure:
    names = [name for name in NAMES if (runs["variant"] == name).any()]
    rows = runs[[RULE, NORM, START]].drop_duplicates().sort_values([RULE, NORM, START])
    depths = sorted(runs[DEPTH].unique())
    fig = figure(TEXT, 1.2 + 0.17 * len(rows))
    axes = fig.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for ax, name in zip(axes, names, strict=True):
        own = runs[runs["variant"] == name].set_index([RULE, NORM, START, DEPTH])["test_accuracy"]
        shares = [[own.get((*row, depth), np.nan) for depth in depths] for row in rows.itertuples(index=False)]
        image = ax.imshow(shares, vmin=0.5, vmax=1, cmap="viridis", aspect="auto")
        ax.set(title=NAMES[name], xlabel="layers")
        ax.set_xticks(range(len(depths)), [f"{depth:g}" for depth in depths])
        ax.grid(visible=False)
    axes[0].set_yticks(range(len(rows)), [", ".join(map(str, row)) for row in rows.itertuples(index=False)])
    fig.colorbar(image, ax=axes, label="test accuracy", shrink=0.8)
    explain(
        fig, "two spirals, 16 units a layer, 400 updates of Adam; one seed; rows: backward rule, normalization, start"
    )
    return fig
