"""How seeds are drawn: one by one where they are few, thin where there is one; the same axis where panels compare."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from repro.plots import blocks, scales
from repro.plots.style import explain, figure, rendered, styled
from repro.plots.sweeps import mark_diverged
from repro.storage.metrics import POSITIVE, SHARE


def rows(seeds: int, by: str = "epoch") -> pd.DataFrame:
    """Seed s has the value s² at every place but the first, where it has s."""
    made = [(seed, place, float(seed ** (1 + (place > 0)))) for seed in range(seeds) for place in range(3)]
    return pd.DataFrame(made, columns=["seed", by, "value"])


def axes() -> Axes:
    with styled():
        return figure().subplots()


def bands(ax: Axes) -> int:
    return sum(isinstance(found, PolyCollection) for found in ax.collections)


@pytest.mark.parametrize("seeds", [1, 2, 5, 6, 9])
@pytest.mark.parametrize("draw", ["curve", "profile"])
def test_few_seeds_are_lines_and_more_a_band(draw: str, seeds: int) -> None:
    ax = axes()
    with styled():
        if draw == "curve":
            blocks.curve(ax, rows(seeds), "epoch", label="a", color="k", spread="mean")
        else:
            blocks.profile(ax, rows(seeds, "depth"), label="a", color="k", spread="mean")
    thick, *thin = ax.lines
    assert thick.get_ydata().tolist() == pytest.approx([np.mean(range(seeds)), *2 * [np.mean(np.arange(seeds) ** 2)]])
    assert bands(ax) == (seeds >= blocks.FEW)
    assert len(thin) == (seeds if 1 < seeds < blocks.FEW else 0)
    assert [line.get_ydata().tolist() for line in thin] == [[s, s**2, s**2] for s in range(len(thin))]
    assert all(line.get_linewidth() < blocks.THIN < thick.get_linewidth() for line in thin)


def test_a_single_run_is_thin_and_says_so_unless_the_figure_is_of_one_run() -> None:
    ax = axes()
    with styled():
        blocks.curve(ax, rows(1), "epoch", label="alone", color="k")
        blocks.curve(ax, rows(3), "epoch", label="three", color="k")
        blocks.curve(ax, rows(1), "epoch", label="run", color="k", several=False)
        blocks.curve(ax, rows(1), "epoch", label="_hidden", color="k")
    widths = {str(line.get_label()): line.get_linewidth() for line in ax.lines}
    assert widths["alone (one run)"] == widths["_hidden"] == blocks.THIN < widths["three"] == widths["run"]


def test_the_line_is_the_median_or_the_mean_as_is_asked() -> None:
    found = {spread: blocks.over_seeds(rows(6), "epoch", spread) for spread in ("range", "mean", "interval")}  # type: ignore[arg-type]
    assert [found[spread].center[1] for spread in found] == pytest.approx([6.5, 55 / 6, 55 / 6])
    assert (found["range"].high[1], found["mean"].high[1]) == (25, 25)
    assert found["interval"].high[1] < 25


def test_words_say_how_many_seeds_and_how_they_are_shown() -> None:
    few, many, one = (rows(n).assign(variant=str(n)) for n in (3, 6, 1))
    assert blocks.in_words(few) == "mean of n=3 seeds; thin lines: each of them"
    assert blocks.in_words(many, center="median") == "median of n=6 seeds; bands: their range"
    both = pd.concat([few, many, one])
    assert blocks.in_words(both) == "mean of n=1 to 6 seeds; bands: their range; thin lines: each of them"
    assert [blocks.how_many(rows) for rows in (few, both, few[:0])] == ["3", "1 to 6", "0"]
    assert blocks.in_words(both.assign(lr=0.1), ("lr",)).startswith("mean of n=6 seeds")


def test_lines_that_leave_a_panel_are_counted_in_it() -> None:
    ax = axes()
    for top in (1.0, 2.0, 30.0, np.nan):
        ax.plot([0, 1], [0, top])
    ax.axhline(40)  # no data
    ax.set_ylim(-1, 3)
    assert blocks.say_clipped(ax) == 1
    assert [text.get_text() for text in ax.texts] == ["1 of 4 lines leave the panel"]
    ax.set_ylim(-1, 31)
    assert blocks.say_clipped(ax) == 0
    assert len(ax.texts) == 1


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize(
    ("values", "within", "scale"),
    [
        ([[0.2, 0.9], [0.3]], SHARE, "linear"),
        ([[1.0, 3.0], [2e-4]], POSITIVE, "log"),
        ([[-1.0], [7.0]], SHARE, "linear"),
    ],
)
def test_panels_that_are_compared_have_one_range(
    values: list[list[float]], within: tuple[float, float], scale: str, upright: bool
) -> None:
    with styled():
        panels = list(figure().subplots(1, 2))
        for ax, own in zip(panels, values, strict=True):
            ax.plot(own, own)
        assert panels[0].get_ylim() != panels[1].get_ylim()
        scales.one_range(panels, [v for own in values for v in own], within, upright=upright, whole=False)
    ends = [ax.get_ylim() if upright else ax.get_xlim() for ax in panels]
    kinds = {ax.get_yscale() if upright else ax.get_xscale() for ax in panels}
    assert ends[0] == ends[1]
    assert kinds == {scale}


def test_an_axis_from_zero_shows_zero_and_all_values() -> None:
    ax = axes()
    scales.linear_from_zero(ax.yaxis, [0.002, np.nan, 0.01])
    low, high = ax.get_ylim()
    assert -0.001 < low <= 0
    assert 0.01 <= high < 0.012
    scales.linear_from_zero(ax.yaxis, [])
    assert ax.get_ylim()[1] >= 1


def test_counts_of_diverged_seeds_stand_below_the_axis_clear_of_its_numbers() -> None:
    with styled():
        fig = figure()
        ax = fig.subplots()
        ax.plot([0, 1], [0.2, 0.8])
        ax.set_xticks([0, 1])
        for count, color in ((5, "r"), (2, "b")):
            mark_diverged(ax, 1.0, count, color)
        fig.draw_without_rendering()
        first, second = ax.texts
        assert [first.get_text(), second.get_text()] == ["×5", "×2"]
        bottom = ax.get_window_extent().y0
        boxes = [bottom, first.get_window_extent(), second.get_window_extent()]
        assert boxes[1].y1 <= bottom
        assert boxes[2].y1 <= boxes[1].y0 + 1
        assert all(label.get_window_extent().y1 <= boxes[2].y0 + 1 for label in ax.get_xticklabels())


def words(fig: Figure) -> list[Text]:
    return [text for text in fig.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("width", [3.25, 6.75])
def test_notes_stay_within_the_figure(width: float) -> None:
    with styled():
        fig = figure(width)
        fig.subplots().plot([1, 2])
        explain(fig, "mean of n=6 seeds and its 95 % interval " * 6, "", "grey: what is always said")
        fig.draw_without_rendering()
        (note,) = [text for text in words(fig) if "grey" in text.get_text()]
        assert note.get_window_extent().x0 >= 0
        assert note.get_window_extent().x1 <= fig.bbox.x1
        assert "; ;" not in note.get_text()


def test_a_figure_is_laid_out_once_for_each_format_with_the_bytes_of_savefig(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layouts = []
    execute = ConstrainedLayoutEngine.execute
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", lambda *a: layouts.append(execute(*a)))
    drawn = []

    class Counted(Figure):
        def draw(self, renderer):  # type: ignore[no-untyped-def]
            drawn.append(renderer)
            super().draw(renderer)

    def made() -> Figure:
        fig = Counted(figsize=(4, 3), layout=ConstrainedLayoutEngine())
        for ax in fig.subplots(1, 2, sharey=True):
            ax.plot([1, 20, 3], label="a line")
            ax.set(title="a title", xlabel="an axis")
            ax.legend(loc="best")
        explain(fig, "a note")
        return fig

    with styled():
        for format in ("png", "svg"):
            layouts.clear(), drawn.clear()
            fig = made()
            canvas, dpi = fig.canvas, fig.dpi
            once = rendered(fig, format)
            assert (len(layouts), len(drawn)) == (1, 1)
            assert (fig.canvas, fig.dpi) == (canvas, dpi)
            buffer = io.BytesIO()
            metadata = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}[format]
            made().savefig(buffer, format=format, metadata=metadata)
            assert buffer.getvalue() == once
