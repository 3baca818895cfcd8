"""Figures of what each layer says of its image, before and after training."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import legends, scales
from repro.plots.blocks import in_words, profile
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, TEXT, VERMILLION, explain, figure

QUANTITIES = {
    "linear_probe_accuracy": "class, by a linear probe",
    "class_separation": "between classes over within",
    "reconstruction_error": "image: share not told",
}
NETS = {"relu": ("ReLU", BLUE), "identity": ("linear", GREEN), "random_labels": ("ReLU, labels at random", VERMILLION)}


def figures(tables: Tables) -> dict[str, Figure]:
    """The three quantities by depth: of all nets before training (dashed) and after it."""
    rows = tables.layers
    rows = rows[rows["quantity"].isin(list(QUANTITIES))]
    ends = {"before": rows[rows["step"] == 0], "after": rows[rows["step"] == rows["step"].max()]}
    fig = figure(TEXT, 3.1)
    panels = list(fig.subplots(1, len(QUANTITIES)))
    for ax, (quantity, title) in zip(panels, QUANTITIES.items(), strict=True):
        for name, (label, color) in NETS.items():
            for when, dashes in (("before", "--"), ("after", "-")):
                own = ends[when]
                own = own[(own["quantity"] == quantity) & (own["variant"] == name)]
                # Before the first update labels make no difference.
                if name != "random_labels" or when == "after":
                    _line(ax, own, f"{label}, {when} training", color, dashes)
        ax.set(xlabel="layer (0: the image)")
        ax.set_title(title, fontsize=8)
        scales.whole_ticks(ax.xaxis)
    for ax in (panels[0], panels[2]):
        ax.set_ylim(0, 1.03)
    panels[1].set_ylim(bottom=0)
    legends.outside(fig, panels, loc="outside upper left", ncols=3, fontsize="small")
    explain(fig, in_words(rows))
    return {"by_layer": fig}


def _line(ax: Axes, rows: pd.DataFrame, label: str, color: str, dashes: str) -> None:
    profile(ax, rows, label=label, color=color, spread="mean", linestyle=dashes, markersize=3)
