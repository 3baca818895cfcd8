"""Legends name lines that lie on one another together, and leave apart what can be told apart."""

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from repro.plots import legends
from repro.plots.style import figure, styled

X = np.arange(10)


def panels(count: int = 1) -> tuple[Figure, list[Axes]]:
    fig = figure(6.0, 3.0)
    return fig, list(fig.subplots(1, count, squeeze=False)[0])


def said(legend: Legend | None) -> list[str]:
    return [] if legend is None else [" ".join(text.get_text().split()) for text in legend.get_texts()]


def test_lines_that_coincide_share_an_entry_and_both_show() -> None:
    with styled():
        _, (ax,) = panels()
        for name, values in {"a": X, "b": X + 0.01, "c": X + 3.0, "d": X}.items():
            ax.plot(X, values, label=name)
        legend = legends.inside(ax)
        assert said(legend) == ["a, b, d: one line", "c"]
        assert [line.get_linestyle() for line in ax.lines] == ["--", "--", "-", "--"]
        offsets = [line._unscaled_dash_pattern[0] for line in ax.lines if line.get_linestyle() == "--"]  # type: ignore[attr-defined]
        assert len(set(offsets)) == 3, "one hides the other"
        assert legend is not None
        assert len(legend.legend_handles) == 2


@pytest.mark.parametrize("linestyle", ["--", ":"])
def test_dashes_that_mean_something_stay(linestyle: str) -> None:
    with styled():
        _, (ax,) = panels()
        ax.plot(X, X, label="a")
        ax.plot(X, X, label="b", linestyle=linestyle)
        assert said(legends.inside(ax)) == ["a, b: one line"]
        assert [line.get_linestyle() for line in ax.lines] == ["-", linestyle]
        _, (other,) = panels()
        other.plot(X, X, label="a")
        other.plot(X, X, label="b")
        other.plot(X, X + 4, linestyle=linestyle)
        other.axhline(0.5, linestyle="--")
        legends.inside(other)
        assert other.lines[0].get_linestyle() == "-"


def test_lines_of_which_one_has_other_places_or_is_dots_are_not_equal() -> None:
    with styled():
        _, (ax,) = panels()
        ax.plot(X, X, label="line")
        ax.plot(X[:-1], X[:-1], label="stopped early")
        ax.plot(X, X, "o", label="dots")
        assert said(legends.inside(ax)) == ["line", "stopped early", "dots"]


def test_equality_is_what_is_seen_on_the_axis_there_is() -> None:
    with styled():
        _, (ax,) = panels()
        ax.plot(X, np.full(10, 1e-9), label="a")
        ax.plot(X, np.full(10, 1e-6), label="b")
        ax.plot(X, np.full(10, 1.0), label="c")
        assert legends.entries([ax])[1] == ["a, b: one line", "c"]
        _, (ax,) = panels()
        for name, value in {"a": 1e-9, "b": 1e-6, "c": 1.0}.items():
            ax.plot(X, np.full(10, value), label=name)
        ax.set_yscale("log")
        assert legends.entries([ax])[1] == ["a", "b", "c"]


def test_a_legend_of_several_panels_says_what_is_equal_in_all_and_a_panel_what_is_in_it() -> None:
    with styled():
        fig, axes = panels(2)
        for ax, apart in zip(axes, (0.0, 4.0), strict=True):
            ax.plot(X, X, label="a")
            ax.plot(X, X + apart, label="b")
            ax.plot(X, X, label="c")
        assert said(legends.outside(fig, axes)) == ["a, c: one line", "b"]
        assert said(axes[0].get_legend()) == ["a, b, c: one line"]
        assert axes[1].get_legend() is None


def test_samples_of_lines_that_take_turns_are_solid() -> None:
    with styled():
        fig, axes = panels(2)
        for ax, apart in zip(axes, (0.0, 4.0), strict=True):
            ax.plot(X, X, label="a")
            ax.plot(X, X + apart, label="b")
        shown = [legends.outside(fig, axes), axes[0].get_legend()]
        samples = [line for legend in shown if legend is not None for line in legend.findobj(Line2D)]
        assert [line.get_linestyle() for line in samples] == ["-"] * 4, "too short for dashes"
        assert [line.get_linestyle() for line in axes[0].lines] == ["--", "--"]


def test_error_bars_coincide_as_lines_do_and_names_with_commas_stay_whole() -> None:
    with styled():
        _, (ax,) = panels()
        for name in ("tanh, He", "ESP"):
            ax.errorbar(X, X, yerr=0.5, fmt="o-", label=name)
        ax.plot(X, X[::-1], label="ReLU")
        assert sorted(said(legends.inside(ax))) == ["ReLU", "tanh, He; ESP: one line"]


def test_nothing_named_gives_no_legend() -> None:
    with styled():
        fig, (ax,) = panels()
        assert legends.inside(ax) is None
        assert legends.outside(fig, [ax]) is None
        assert not fig.findobj(matplotlib.legend.Legend)


def test_many_equal_lines_with_long_names_are_counted() -> None:
    with styled():
        fig, axes = panels()
        names = [f"run {i}  initialization.std=0.0123456  optimizer.lr=0.0003" for i in range(22)]
        for name in names:
            axes[0].plot(X, X, label=name)
        (entry,) = said(legends.outside(fig, axes, loc="outside lower left"))
        assert axes[0].get_legend() is None, "said twice"
        assert entry.startswith("22 lines as one: run 0")
        assert len(entry) < 120
        fig.draw_without_rendering()
        assert axes[0].get_window_extent().height > 80
