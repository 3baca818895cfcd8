"""Figures of settings: seeds and means over training, and final metrics against a number."""

import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import compare, sweeps
from repro.plots.style import activation_look
from repro.storage.statistics import interval
from repro.text.comparison import Finished, Setting


def rows(values: Mapping[int, list[float]]) -> pd.DataFrame:
    """One metric by epoch of some seeds."""
    return pd.DataFrame(
        [(s, e, v) for s, own in values.items() for e, v in enumerate(own)], columns=list("sev")
    ).rename(columns={"s": "seed", "e": "epoch", "v": "value"})


def axes() -> Axes:
    return Figure().subplots()


def test_thin_lines_are_seeds_and_a_thick_one_their_mean() -> None:
    ax = axes()
    compare.seeds_and_mean(ax, rows({0: [1, 2, 3], 1: [3, 4], 2: [9, 9, 9]}), [2], label="a", color="red")
    *thin, mean = ax.lines
    assert [line.get_ydata()[1] for line in thin] == [2, 4, 9]
    assert list(mean.get_ydata()) == [2, 3]  # no further than both go; the one that diverged is left out
    assert all(line.get_linewidth() < mean.get_linewidth() / 2 for line in thin)
    assert {line.get_color() for line in ax.lines} == {"red"}
    assert (mean.get_label(), thin[0].get_label()[0]) == ("a", "_")


def test_a_single_seed_is_one_line() -> None:
    ax = axes()
    compare.seeds_and_mean(ax, rows({4: [1, 2]}), [4], label="a", color="red")
    assert [list(line.get_ydata()) for line in ax.lines] == [[1, 2]]


def setting(values: Mapping[int, float], diverged: int | None = None) -> Setting:
    summary = {
        "seeds": list(values),
        "metrics": {str(s): {"test_loss": v, "test_accuracy": v / 100} for s, v in values.items() if s != diverged},
        "diverged_at_step": {} if diverged is None else {str(diverged): 3},
    }
    return Setting("", (Finished("a", Path(), summary),), {})


def test_means_with_intervals_against_a_number() -> None:
    points = [(1.0, setting({0: 0.5, 1: 7}, diverged=1)), (0.001, setting({0: 1, 1: 2, 2: 6})), (0.1, setting({0: 50}))]
    fig = sweeps._against({"": points}, "optimizer.lr", ["test_loss", "test_accuracy"])
    loss, accuracy = fig.axes
    (bars,) = loss.containers
    line, _, (vertical,) = bars
    assert list(line.get_xdata()) == [0.001, 0.1, 1]
    assert list(line.get_ydata()) == [3, 50, 0.5]
    ends = interval([1, 2, 6])
    assert ends is not None
    segments = vertical.get_segments()
    assert [y for _, y in segments[0]] == pytest.approx(list(ends))
    assert all(math.isclose(low, high) for (_, low), (_, high) in segments[1:])  # single seeds have no interval
    assert [loss.get_xscale(), loss.get_yscale(), accuracy.get_yscale()] == ["log", "log", "linear"]
    assert [label.get_text() for label in loss.get_xticklabels()] == ["0.001", "0.1", "1"]
    (lost,) = [text for text in loss.texts if text.get_gid() == "diverged 1"]
    assert (lost.get_text(), lost.xy) == ("×1", (1.0, 0.0))  # type: ignore[attr-defined]
    assert "n=1 to 3" in fig.get_supxlabel()
    assert "×" in fig.get_supxlabel()
    assert fig.legends == []


def test_intervals_are_whole_and_within_what_there_can_be() -> None:
    points = [(1.0, setting({0: 40, 1: 99, 2: 99})), (2.0, setting({0: 50, 1: 52, 2: 51}))]
    fig = sweeps._against({"": points}, "x", ["test_loss", "test_accuracy"])
    for ax, least, most in zip(fig.axes, (-(10**9), 0.0), (10**9, 1.0), strict=True):
        ((_, _, (vertical,)),) = ax.containers
        low, high = ax.get_ylim()
        ends = [y for segment in vertical.get_segments() for _, y in segment]
        assert low <= min(ends)
        assert max(ends) <= high
        assert least <= min(ends)
        assert max(ends) <= most


def test_lines_of_different_activations_have_their_colours() -> None:
    def of(activation: str) -> list[tuple[float, Setting]]:
        one = setting({0: 1})
        return [(v, Setting("", one.runs, {"choices.activation": activation})) for v in (1.0, 2.0)]

    fig = sweeps._against({"a": of("tanh"), "b": of("relu")}, "x", ["test_loss"])
    lines = [bars.lines[0].get_color() for bars in fig.axes[0].containers]
    assert lines == [activation_look(name).color for name in ("tanh", "relu")]


@pytest.mark.parametrize(
    ("values", "scale"), [([1, 2, 4], "linear"), ([0, 1, 100], "linear"), ([-1, 100], "linear"), ([1, 10], "log")]
)
def test_a_decade_makes_a_logarithmic_axis(values: list[float], scale: str) -> None:
    lines = {label: [(value, setting({0: 1 + i, 1: 1.1 + i})) for value in values] for i, label in enumerate("ab")}
    fig = sweeps._against(lines, "x", ["test_accuracy"])
    assert fig.axes[0].get_xscale() == scale
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["a", "b"]


def test_files_come_out_the_same(tmp_path: Path) -> None:
    lines = {"": [(float(i), setting({0: i, 1: i + 0.5})) for i in range(1, 30)]}
    first = sweeps.against_number(lines, "x", ["test_loss"], tmp_path / "against-a.b")
    assert [path.name for path in first] == ["against-a.b.png", "against-a.b.svg"]
    before = [path.read_bytes() for path in first]
    assert [
        path.read_bytes() for path in sweeps.against_number(lines, "x", ["test_loss"], tmp_path / "against-a.b")
    ] == before
