"""Figures of deep forests: level by level, beside other methods, under other settings."""

from matplotlib.figure import Figure

from repro.plots.experiment import Tables
from repro.plots.style import figure


def figures(tables: Tables) -> dict[str, Figure]:
    """To come."""
    return {}
