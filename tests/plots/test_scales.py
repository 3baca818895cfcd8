"""Axes: logarithmic by one rule, never beyond what there can be, with ticks that leave each other room."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from repro.plots import blocks, scales
from repro.plots.style import figure, styled
from repro.plots.sweeps import sweep
from repro.storage.metrics import ANY, POSITIVE, SHARE
from repro.storage.statistics import Estimate

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("values", "within", "scale"),
    [
        ([1e-13, 1e-3], POSITIVE, "log"),  # update ratios of a net that does not learn
        ([0.0, 1e-13, 1e-3], POSITIVE, "log"),  # some of which are exactly 0
        ([1e5, 1.1e5], ANY, "log"),
        ([0.5, 2.0], ANY, "linear"),
        ([-1.0, 1e-3, 1.0], ANY, "linear"),
        ([1e-4, 0.9], SHARE, "linear"),
        ([0.0, 0.0], ANY, "linear"),
        ([math.nan, math.inf], ANY, "linear"),
    ],
)
def test_an_axis_is_logarithmic_where_values_span_decades(
    values: list[float], within: tuple[float, float], scale: str
) -> None:
    ax = Figure().subplots()
    scales.value_axis(ax.yaxis, values, within)
    assert ax.get_yscale() == scale
    low, high = ax.get_ylim()
    assert all(low <= v <= high for v in values if math.isfinite(v) and (v > 0 or scale == "linear"))


def test_what_has_two_ends_is_shown_between_them() -> None:
    ax = Figure().subplots()
    scales.value_axis(ax.xaxis, [0.3, 0.4], SHARE)
    assert ax.get_xlim() == pytest.approx((-0.02, 1.02))
    scales.value_axis(ax.xaxis, [0.02, 0.97], SHARE, whole=False)
    assert ax.get_xlim()[0] == pytest.approx(-0.019, abs=2e-3)
    assert ax.get_xlim()[1] < 1.02
    scales.value_axis(ax.yaxis, [0.0, 2.0], POSITIVE)
    assert -0.05 < ax.get_ylim()[0] < 0


@given(st.lists(st.floats(0, 1), min_size=2, max_size=4))
def test_no_band_of_a_share_leaves_its_range(values: list[float]) -> None:
    rows = pd.DataFrame({"step": 1, "value": values, "metric": "accuracy"})
    band = blocks.over_seeds(rows, "step", "interval")
    assert 0 <= band.low[0] <= band.center[0] + 1e-12
    assert band.center[0] - 1e-12 <= band.high[0] <= 1


def test_bands_of_per_cent_and_of_unknown_names_are_left_alone() -> None:
    rows = pd.DataFrame({"step": 1, "value": [1.0, 40.0], "metric": "accuracy"})
    free = blocks.over_seeds(rows.drop(columns="metric"), "step", "interval")
    assert blocks.over_seeds(rows, "step", "interval").low[0] == free.low[0] < 0


def test_error_bars_and_sweeps_stay_within_the_range() -> None:
    with styled():
        left, right = figure().subplots(1, 2)
        blocks.error_bars(left, [0], [Estimate(0.95, (0.8, 1.3), 3)], label="", color="k", within=SHARE)
        runs = pd.DataFrame({"lr": 0.1, "test_accuracy": [0.02, 0.5, 0.03], "status": "done", "seed": [0, 1, 2]})
        sweep(right, runs, "lr", "test_accuracy", [0.1], label="", color="k")
    for ax in (left, right):
        (segments,) = (bars.get_segments() for bars in ax.collections if hasattr(bars, "get_segments"))
        ends = np.array(segments)[0][:, 1]
        assert ends.min() >= 0
        assert ends.max() <= 1
    assert np.array(right.collections[0].get_segments())[0][:, 1].min() == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize(("count", "letters"), [(4, 3), (24, 4), (24, 60), (90, 12)])
def test_names_at_ticks_do_not_collide(axis: str, count: int, letters: int) -> None:
    names = [f"{i:x}".rjust(letters, "n") for i in range(count)]
    with styled():
        fig = figure(6.75, 4.0)
        ax = fig.subplots()
        getattr(ax, f"set_{axis}lim")(-0.5, count - 0.5)
        scales.name_ticks(getattr(ax, f"{axis}axis"), range(count), names)
        fig.draw_without_rendering()
        labels = [t for t in getattr(ax, f"get_{axis}ticklabels")() if t.get_text()]
        boxes = [label.get_window_extent() for label in labels]
        assert all(len(label.get_text()) <= scales.LONGEST for label in labels)
        assert len(boxes) >= 4
        for one, other in pairwise(boxes):
            assert one.x1 <= other.x0 if axis == "x" else one.y1 <= other.y0
        assert ax.get_window_extent().width > 200, "names leave the axes no room"


def test_ticks_of_numbers_leave_each_other_room() -> None:
    with styled():
        fig = figure(6.75, 2.0)
        for ax, values in zip(
            fig.subplots(1, 5), ([0.2, 0.85], [1e-18, 1.0], [0.0, 1e-3], [-3, 3], [5, 900]), strict=True
        ):
            scales.value_axis(ax.xaxis, values)
        fig.draw_without_rendering()
        for ax in fig.axes:
            low, high = ax.get_xlim()
            ticks = zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
            boxes = [label.get_window_extent() for at, label in ticks if low <= at <= high]
            assert len(boxes) >= 2
            assert all(one.x1 < other.x0 for one, other in pairwise(boxes)), ax.get_xlim()


def test_zeros_stand_at_the_edge_of_a_logarithmic_axis() -> None:
    ax = Figure().subplots()
    scales.value_axis(ax.xaxis, [0.0, 1e-9, 1.0])
    blocks.mark_zeros(ax, [], color="k", upright=True)
    assert not ax.lines
    blocks.mark_zeros(ax, [3, 4], color="k", upright=True)
    assert ax.lines[0].get_xydata().tolist() == [[0, 3], [0, 4]]  # type: ignore[union-attr]
    assert ax.lines[0].get_transform() == ax.get_yaxis_transform()


def test_no_drawing_has_an_axis_rule_of_its_own() -> None:
    """A logarithmic axis is made in scales.py; a drawing that sets its own has reasons, and is named here."""
    own = {
        "exact_gradients.py",
        "gradient_descent.py",
        "hidden_units.py",
        "hilbert13.py",
        "hopfield.py",
        "kan_or_mlp.py",
        "mnist.py",
        "preprocessing.py",
        "rates.py",
        "space_folding.py",
        "splines.py",
        "toy.py",
        "unique_numbers.py",
        "vectorization.py",
    }
    files = [*ROOT.glob("src/repro/plots/*.py"), *ROOT.glob("experiments/**/*.py")]
    found = {f.name for f in files for way in ('scale="log"', 'scale("log")') if way in f.read_text()}
    assert found == own
