"""Figures of linear backprop where the nets learn CIFAR-10: those of the smaller study, from this one's tables."""

from matplotlib.figure import Figure

from repro.plots.experiment import Tables

from .cifar10 import figures as drawn


def figures(tables: Tables) -> dict[str, Figure]:
    """What there are runs for."""
    return drawn(tables)
