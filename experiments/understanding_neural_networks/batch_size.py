"""Figure of the batch size: test accuracy against the learning rate, a line for each size of the batch."""

from matplotlib.figure import Figure

from repro.plots import legends
from repro.plots.experiment import Tables
from repro.plots.style import TEXT, colors, figure
from repro.plots.sweeps import footnote, places, sweep

BATCH, RATE = "trainer.batch_size", "optimizer.lr"


def figures(tables: Tables) -> dict[str, Figure]:
    """Test accuracy by rate and size."""
    runs = tables.runs
    if "test_accuracy" not in runs.columns:
        return {}
    at, sizes = places(runs, RATE), sorted(runs[BATCH].unique())
    fig = figure(TEXT * 0.75, 3.1)
    ax = fig.subplots()
    for size, color in zip(sizes, colors(len(sizes)), strict=True):
        sweep(ax, runs[runs[BATCH] == size], RATE, "test_accuracy", at, label=f"{size:g}", color=color)
    ax.set(xlabel="learning rate", ylabel="test accuracy", ylim=(0, 1.03))
    legends.outside(fig, [ax], title="batch", loc="outside right upper", fontsize="small")
    footnote(fig, runs)
    return {"by_rate": fig}
