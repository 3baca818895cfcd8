"""The loss against the learning rate, as `procedure=lr_finder` found it."""

from pathlib import Path

from repro.plots import legends
from repro.plots.picture import Picture
from repro.plots.style import BLUE, QUIET, TEXT, VERMILLION, figure, rendered, styled
from repro.storage.metrics import FINDER
from repro.storage.tables import read


def draw(folder: Path) -> Path:
    """Draw `lr_finder.png` in a run's folder: each batch's loss, the smoothed one, the rates that are suggested.

    Args:
        folder: of a finished run of `procedure=lr_finder`.

    Returns:
        The file.

    Raises:
        UserError: the table is missing or damaged, or the folder cannot be written.
    """
    curves = read(folder / "curves.csv").astype({"value": float})
    own = curves[curves["split"] == FINDER]
    with styled():
        fig = figure(TEXT, 3.0)
        ax = fig.subplots()
        for _, rows in own.groupby("seed"):
            wide = rows.pivot_table(index="step", columns="metric", values="value")
            ax.plot(wide["rate"], wide["loss"], ".", color=QUIET, markersize=3, label="a batch")
            ax.plot(wide["rate"], wide["smoothed"], color=BLUE, label="smoothed")
            if "suggested_rate" in wide:
                rate = wide["suggested_rate"].dropna().iloc[-1]
                ax.axvline(rate, color=VERMILLION, linewidth=1, label="suggested")
        shown = own.loc[own["metric"].isin(("smoothed", "loss")), "value"]
        # What has blown up would flatten all that is to be seen.
        most = shown[shown <= 1.5 * shown.iloc[0]].max()
        ax.set_ylim(shown.min() - 0.05 * (most - shown.min()), most + 0.05 * (most - shown.min()))
        ax.set_xscale("log")
        ax.set_xlabel("learning rate")
        ax.set_ylabel("loss")
        legends.outside(fig, [ax], loc="outside upper center", ncols=3)
        return Picture(rendered(fig, "png")).save(folder / "lr_finder.png")
