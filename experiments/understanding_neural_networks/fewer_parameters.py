"""To come."""

from matplotlib.figure import Figure

from repro.plots.experiment import Tables


def figures(tables: Tables) -> dict[str, Figure]:
    """To come."""
    del tables
    return {}
