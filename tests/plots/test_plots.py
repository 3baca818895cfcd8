"""Figures: the same bytes each time, every kind of run, and numbers that are where they should be."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

import fabricated
from repro.errors import UserError
from repro.paths import experiments_dir
from repro.plots import blocks, heat_maps, overview, scales
from repro.plots.experiment import Tables, draw
from repro.plots.histograms import heights, read_histograms, rebin
from repro.plots.style import figure, save, styled

STUDY = experiments_dir() / "training_deep_networks"
CNN = ("blocks.0", "blocks.1", "hidden.0")
RUNS: dict[str, dict[str, Any]] = {
    "plain": {},
    "replicas": {"seeds": range(5)},
    "deep": {"depth": 30},
    "one layer": {"depth": 1},
    "no hidden layer": {"depth": 0},
    "nothing measured": {"measured": False},
    "untrained": {"steps": (0,)},
    "regression": {"metrics": ("loss",)},
    "cnn": {"names": CNN},
    "diverged": {"diverged": {0: 20}},
    "some diverged": {"seeds": range(3), "diverged": {1: 20}},
    "all diverged at once": {"seeds": range(3), "diverged": {0: 1, 1: 1, 2: 1}},
    "gradient of exactly 0": {"depth": 6, "zero_gradient": True},
}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that an overview renders, instead of pixels."""
    figures: list[Figure] = []

    def keep(fig: Figure, _: str) -> bytes:
        fig.draw_without_rendering()
        figures.append(fig)
        return b""

    monkeypatch.setattr(overview, "rendered", keep)
    return figures


def titles(fig: Figure) -> list[str]:
    return [ax.get_title(loc="left").replace("\n", " ") for ax in fig.axes]


def words(fig: Figure) -> str:
    return " | ".join(text.get_text() for text in fig.findobj(matplotlib.text.Text))


@pytest.mark.parametrize("name", RUNS)
def test_overview_is_drawn_for_every_kind_of_run(name: str, tmp_path: Path, drawn: list[Figure]) -> None:
    overview.draw(fabricated.run_folder(tmp_path, **RUNS[name]))
    (fig,) = drawn
    metrics = ["loss"] if name == "regression" else ["loss", "accuracy"]
    hidden = name not in ("no hidden layer", "nothing measured")
    assert [t for t in titles(fig) if t in ("loss", "accuracy")] == metrics
    assert ("gradient norm by layer" in titles(fig)) == hidden
    assert ("activations before training" in titles(fig)) == hidden
    several = hidden and name not in ("untrained", "diverged", "all diverged at once")
    assert ("activations at step 40" in titles(fig)) == several
    for ax in fig.axes:
        assert ax.get_window_extent().width > 60, "a panel has no room left"


def test_overview_writes_the_same_bytes_each_time_whatever_the_users_style(tmp_path: Path) -> None:
    folder = fabricated.run_folder(tmp_path, seeds=range(3))
    path = overview.draw(folder)
    assert path == folder / "overview.png"
    once = path.read_bytes()
    assert once.startswith(b"\x89PNG")
    assert b"Software" not in once
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 30, "savefig.dpi": 20}):
        assert overview.draw(folder).read_bytes() == once
    assert sorted(f.name for f in folder.glob("*overview*")) == ["overview.png"], "a temporary file was left"


def test_another_process_writes_the_same_bytes_and_imports_neither_torch_nor_pyplot(tmp_path: Path) -> None:
    folder = fabricated.depth_tables(tmp_path / "tables")
    script = STUDY / "depth_and_activation.py"
    here = draw(script, Tables(folder), tmp_path / "here")
    program = (
        "import sys; from pathlib import Path; from repro.plots.experiment import Tables, draw\n"
        f"import repro.plots.overview; draw(Path({str(script)!r}), Tables(Path({str(folder)!r})), Path(sys.argv[1]))\n"
        "assert not {'torch', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    env = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path / "there")], env=env, check=True, timeout=300
    )
    assert [p.name for p in here] == [f"{n}.{s}" for n in DEPTH_FIGURES for s in ("png", "svg")]
    for path in here:
        assert path.read_bytes() == (tmp_path / "there" / path.name).read_bytes(), path.name


def test_svg_has_no_date_and_no_version(tmp_path: Path) -> None:
    with styled():
        fig = figure()
        fig.subplots().plot([1, 2])
        (path,) = save(fig, tmp_path / "new" / "a.b", ("svg",))
    text = path.read_text()
    assert path.name == "a.b.svg"
    assert "dc:date" not in text
    assert matplotlib.__version__ not in text


def test_style_is_left_as_it_was() -> None:
    before = dict(matplotlib.rcParams)
    with styled({"font.size": 3}):
        assert matplotlib.rcParams["font.size"] == 3
        assert matplotlib.rcParams["svg.hashsalt"] == "repro"
        assert matplotlib.rcParams["pdf.fonttype"] == 42
    assert dict(matplotlib.rcParams) == before


def test_overview_says_what_diverged_and_leaves_it_out_of_the_layers(tmp_path: Path, drawn: list[Figure]) -> None:
    overview.draw(fabricated.run_folder(tmp_path / "a", seeds=range(3), diverged={1: 20}))
    overview.draw(fabricated.run_folder(tmp_path / "b", diverged={0: 20}))
    assert "1 of 3 seeds diverged (seed 1 at step 20)" in words(drawn[0])
    assert "diverged at step 20" in words(drawn[1])
    assert "digits · mlp 3 × 100 · tanh · xavier · batch norm · sgd, lr 0.05 · 3 seeds from 0" in words(drawn[0])


def test_overview_needs_its_tables(tmp_path: Path) -> None:
    folder = fabricated.run_folder(tmp_path)
    (folder / "layers.csv").unlink()
    with pytest.raises(UserError, match=r"layers\.csv"):
        overview.draw(folder)


# --- building blocks --------------------------------------------------------------------------------


def test_bands_are_range_or_interval_of_finite_values() -> None:
    rows = pd.DataFrame({"step": [2, 1, 1, 1, 1], "value": [5.0, 1.0, 2.0, 6.0, np.nan]})
    band = blocks.over_seeds(rows, "step")
    assert band.at.tolist() == [1, 2]
    assert (band.low[0], band.center[0], band.high[0], band.n[0]) == (1, 2, 6, 3)
    mean = blocks.over_seeds(rows, "step", "interval")
    half = 4.302653 * np.std([1, 2, 6], ddof=1) / np.sqrt(3)  # t quantile for 2 degrees of freedom
    assert mean.center[0] == pytest.approx(3)
    assert mean.high[0] - mean.center[0] == pytest.approx(half, rel=1e-5)
    assert (mean.low[1], mean.high[1]) == (5, 5)
    assert len(blocks.over_seeds(rows[rows["step"] == 9], "step").at) == 0


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.5, 2.0], ["0.5", "1", "2"]),
        ([0.02, 1.0], ["0.03", "0.1", "0.3", "1"]),
        ([0.7, 0.7], ["0.5", "0.6", "0.7", "0.8", "0.9", "1"]),
    ],
)
def test_short_log_axes_have_plain_numbers(values: list[float], labels: list[str]) -> None:
    ax = Figure().subplots()
    scales.log_axis(ax.yaxis, values)
    low, high = ax.get_ylim()
    shown = [t.get_text() for t, at in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True) if low <= at <= high]
    assert set(shown) <= set(labels)
    assert len(shown) >= 1
    assert low < min(values) <= max(values) < high


def test_log_axis_takes_what_cannot_be_drawn() -> None:
    ax = Figure().subplots()
    scales.log_axis(ax.xaxis, [0.0, np.nan, np.inf, -1.0])
    assert ax.get_xscale() == "log"
    assert not scales.spans_decades([0.0, 1.0, np.inf])
    assert scales.spans_decades([0.001, 1.0])


def test_cells_say_how_many_seeds_they_are_of() -> None:
    def show(mean: float) -> str:
        return f"{mean:.2f}"

    assert heat_maps.cell([1.0, 2.0], show, seeds=2, diverged=0, usual=2) == heat_maps.Cell(1.5, "1.50")
    assert heat_maps.cell([1.0], show, seeds=1, diverged=0, usual=2) == heat_maps.Cell(1.0, "1.00", "n=1")
    some = heat_maps.cell([1.0, np.nan, 2.0], show, seeds=3, diverged=1, usual=3)
    assert some == heat_maps.Cell(1.5, "1.50", "1 of 3 div.")
    lost = heat_maps.cell([np.nan, np.nan], show, seeds=2, diverged=2, usual=3)
    assert (lost.text, lost.note) == ("diverged", "n=2")


def test_heat_map_puts_numbers_into_cells() -> None:
    with styled():
        fig = figure()
        ax = fig.subplots()
        cells = {
            ("a", 2): heat_maps.Cell(0.0, "dark"),
            ("b", 5): heat_maps.Cell(1.0, "light", "n=1"),
            ("b", 2): heat_maps.Cell(np.nan, "diverged"),
        }
        cmap = matplotlib.colormaps["cividis"]
        heat_maps.heat_map(ax, cells, ["a", "b"], [2, 5], cmap=cmap, norm=Normalize(0, 1))
        fig.draw_without_rendering()
    texts = {t.get_text(): t for t in ax.texts}
    assert texts["dark"].get_position()[:1] == (0,)
    assert texts["dark"].get_color() == "white"
    assert texts["light"].get_color() != "white"
    assert texts["light"].get_position()[0] == 1
    assert texts["n=1"].get_position()[1] > texts["light"].get_position()[1]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    assert [p.get_hatch() is not None for p in ax.patches] == [False, False, True]


@given(
    low=st.floats(-3, 3),
    width=st.floats(1e-6, 4),
    counts=st.lists(st.integers(0, 50), min_size=2, max_size=30).filter(any),
)
@settings(max_examples=60, deadline=None)
def test_rebinning_keeps_mass_and_mean(low: float, width: float, counts: list[int]) -> None:
    shares = np.array([counts]) / sum(counts)
    ends = np.array([low]), np.array([low + width])
    edges = np.linspace(-8, 8, 321)  # bins 0.05 wide
    out = rebin(*ends, shares, edges)
    assert out.sum() == pytest.approx(1)
    centers = low + width * (np.arange(len(counts)) + 0.5) / len(counts)
    assert (out[0] * (edges[1:] + edges[:-1]) / 2).sum() == pytest.approx((shares[0] * centers).sum(), abs=0.026)
    own = np.linspace(low, low + width, len(counts) + 1)
    np.testing.assert_allclose(rebin(*ends, shares, own), shares, atol=1e-6)


def test_rebinning_puts_a_single_value_into_one_bin_and_loses_what_is_outside() -> None:
    shares = np.array([[1.0, 0.0], [0.5, 0.5]])
    out = rebin(np.array([0.1, 0.5]), np.array([0.1, 1.5]), shares, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(out, [[1, 0], [0, 0.5]])


def test_heights_are_cut_only_where_a_spike_stands_at_an_end() -> None:
    np.testing.assert_allclose(heights(np.array([0.2, 0.4, 0.4])), [0.5, 1, 1])
    # ReLU: the zeros, spread over two bins, then a tail
    relu = np.array([0, 0.4, 0.2, 0.1, 0.1, 0.08, 0.06, 0.06])
    np.testing.assert_allclose(heights(relu), [0, 1, 1, 0.5, 0.5, 0.4, 0.3, 0.3])
    # a narrow bell in the middle, and both ends of a saturated layer, keep their shapes
    bell = np.array([0, 0, 0.1, 0.8, 0.1, 0, 0])
    np.testing.assert_allclose(heights(bell), bell / 0.8)
    np.testing.assert_allclose(heights(np.array([0.5, 0, 0, 0, 0, 0.5])), [1, 0, 0, 0, 0, 1])
    np.testing.assert_allclose(heights(np.array([0.96, 0.03, 0, 0, 0, 0.01])), [1, 1 / 8, 0, 0, 0, 1 / 24])
    np.testing.assert_allclose(heights(np.zeros(3)), 0)


def test_histograms_of_seeds_are_averaged_and_layers_without_numbers_left_out() -> None:
    rows = [
        (seed, 1, q, v)
        for seed, end in ((0, 1.0), (1, 2.0))
        for q, v in {
            "histogram_low": 0.0,
            "histogram_high": end,
            "histogram_share_00": 0.5,
            "histogram_share_01": 0.5,
        }.items()
    ]
    rows += [(0, 2, "histogram_low", 0.0), (0, 2, "histogram_high", 1.0)]
    rows += [(0, 2, "histogram_share_00", np.nan), (0, 2, "histogram_share_01", np.nan)]
    found = read_histograms(pd.DataFrame(rows, columns=["seed", "depth", "quantity", "value"]))
    assert found.depths == [1]
    assert found.outermost() == (0, 2)
    np.testing.assert_allclose(found.on(np.array([0.0, 1.0, 2.0]))[1], [0.75, 0.25])


# --- the studies ------------------------------------------------------------------------------------

DEPTH_FIGURES = ["accuracy_and_first_ratio", "ratio_after_training", "ratio_by_depth"]


def study(name: str, tables: Tables, layout: bool = True) -> dict[str, Figure]:
    with styled():
        figures = load(name).figures(tables)
        for fig in figures.values() if layout else ():
            fig.draw_without_rendering()
    return dict(figures)


def load(name: str) -> Any:
    from repro.plots.experiment import module_of

    return module_of(STUDY / f"{name}.py")


def test_initialization_theory_is_that_of_wide_layers() -> None:
    script = load("initialization")
    golden = {
        "tanh_small": 2.977e-7,
        "tanh_large": 0.98167,
        "tanh_xavier": 0.22847,
        "relu_xavier": 0.0258,
        "relu_he": 0.8257,
    }
    for name, last in golden.items():
        setting = script.SETTINGS[name]
        means, stds = script.forward(setting.activation, setting.gain, 10)
        assert stds[-1] == pytest.approx(last, rel=2e-3), name
        assert (abs(means[0]) < 1e-9) == (setting.activation == "tanh")
    growth = script.backward("tanh", 500.0, 3)
    assert growth[0] / growth[1] == pytest.approx(3.45, rel=0.01)
    assert script.backward("relu", 2.0, 4).tolist() == pytest.approx([1, 1, 1, 1])


def test_initialization_draws_all_of_the_article(tmp_path: Path) -> None:
    figures = study("initialization", Tables(fabricated.initialization_tables(tmp_path)))
    assert list(figures) == ["profiles", "histograms", "gradients", "accuracy_digits", "accuracy_mnist"]
    assert len(figures["histograms"].axes) == 50
    assert len(figures["profiles"].axes) == 10
    assert "median of 3 draws" in words(figures["profiles"])
    assert figures["profiles"].axes[1].get_yscale() == "log"
    assert "ReLU: 3 of 3 diverged" in words(figures["accuracy_digits"])
    assert "mean of n=3 seeds" in words(figures["accuracy_mnist"])


def test_initialization_leaves_out_what_the_tables_lack(tmp_path: Path) -> None:
    folder = fabricated.initialization_tables(tmp_path, datasets=["digits"], seeds=1)
    found = study("initialization", Tables(folder), layout=False)
    assert list(found) == ["profiles", "histograms", "gradients", "accuracy_digits"]
    runs = pd.read_csv(folder / "runs.csv")
    runs.assign(scale="smoke").to_csv(folder / "runs.csv", index=False)
    # Nets of another size than the article's have another theory.
    assert "theory" in words(found["gradients"])
    assert "theory" not in words(study("initialization", Tables(folder), layout=False)["gradients"])


def test_depth_study_marks_what_diverged(tmp_path: Path) -> None:
    figures = study("depth_and_activation", Tables(fabricated.depth_tables(tmp_path)))
    assert list(figures) == DEPTH_FIGURES
    maps = figures["accuracy_and_first_ratio"]
    assert [len(ax.patches) for ax in maps.axes] == [35, 35]
    assert words(maps).count("1 of 3 div.") == 2
    assert words(maps).count("diverged") == 2
    assert "means of n=3 seeds" in words(maps)
    # 0.25^2 at two layers, 0.25^20 at twenty; thirty layers hold an exact 0.
    assert "−1.2" in words(maps)
    assert "−12.0" in words(maps)
    lines = figures["ratio_by_depth"]
    assert [ax.get_yscale() for ax in lines.axes] == ["log", "log"]


def test_script_without_figures_and_missing_files_are_mistakes(tmp_path: Path) -> None:
    path = list(sys.path)
    tables = Tables(tmp_path)
    with pytest.raises(UserError, match="no script"):
        draw(tmp_path / "none.py", tables, tmp_path)
    script = tmp_path / "own.py"
    script.write_text("x = 1\n")
    with pytest.raises(UserError, match="no function figures"):
        draw(script, tables, tmp_path)
    with pytest.raises(UserError, match=r"runs\.csv"):
        draw(STUDY / "depth_and_activation.py", tables, tmp_path)
    assert sys.path == path
    assert sorted(f.name for f in tmp_path.iterdir() if f.is_file()) == ["own.py"]
