"""A run's and a comparison's figures: layers by the tables' names, axes by the rule, data and colours by name."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import fabricated
from repro.cli import main
from repro.plots import compare, details, overview
from repro.plots.style import PALETTE, activation_look, styled
from repro.storage.run_files import read_summary
from repro.text.comparison import Finished, Setting
from repro.text.result import data_name, headline
from repro.text.run import layer_name, layer_table, text

GATES = tuple(f"stack.layers.0.{gate}" for gate in ("input_gate", "forget_gate", "candidate"))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Figure]]:
    """The figures that are saved or become part of a page, laid out."""
    figures: list[Figure] = []

    def keep(fig: Figure, *_: Any) -> Any:
        fig.draw_without_rendering()
        figures.append(fig)
        return [Path("x.png")]

    monkeypatch.setattr(overview, "rendered", lambda fig, _: keep(fig) and b"png")
    monkeypatch.setattr(compare, "save", keep)
    monkeypatch.setattr(details, "rendered", lambda fig, _: keep(fig) and b"<svg/>")
    with styled():
        yield figures


def panel(figures: list[Figure], title: str) -> Any:
    return next(ax for fig in figures for ax in fig.axes if ax.get_title(loc="left").replace("\n", " ") == title)


def labels(fig: Figure) -> list[str]:
    return [t.get_text() for ax in fig.axes for t in ax.get_yticklabels() if t.get_visible()]


def with_ratios(folder: Path, ratios: list[float]) -> Path:
    """Update ratios of the layers, next to the input first, at the last step."""
    layers = pd.read_csv(folder / "layers.csv")
    last = layers[(layers["quantity"] == "activation_std") & (layers["step"] == layers["step"].max())]
    rows = last.assign(quantity="update_ratio", value=ratios)
    pd.concat([layers, rows]).to_csv(folder / "layers.csv", index=False)
    return folder


def test_small_update_ratios_are_seen_and_zeros_stand_at_the_edge(tmp_path: Path, drawn: list[Figure]) -> None:
    ratios = [0.0, 0.0, 1e-13, 1e-9, 1e-5, 1e-2]
    folder = with_ratios(fabricated.run_folder(tmp_path, depth=6), ratios)
    details.draw(folder, read_summary(folder))
    ax = panel(drawn, "update ratio")
    assert ax.get_xscale() == "log"
    assert ax.get_xlim()[0] < 1e-13
    line = next(line for line in ax.lines if line.get_label() == "40")
    assert line.get_xdata().tolist() == ratios[2:]
    assert next(line for line in ax.lines if line.get_label() == "_zeros").get_ydata().tolist() == [1, 2]
    for share in ("saturated", "dead"):
        assert panel(drawn, share).get_xlim() == pytest.approx((-0.02, 1.02))


@pytest.mark.parametrize("names", [None, GATES, ("blocks.0", "blocks.1", "hidden.0")], ids=["mlp", "lstm", "cnn"])
def test_layers_have_the_tables_names_in_every_figure(
    names: tuple[str, ...] | None, tmp_path: Path, drawn: list[Figure]
) -> None:
    folder = fabricated.run_folder(tmp_path, depth=3, names=names)
    if names == GATES:
        layers = pd.read_csv(folder / "layers.csv")
        layers.loc[layers["layer"].isin(GATES), "depth"] = 1  # parts of one layer
        layers.to_csv(folder / "layers.csv", index=False)
    summary = read_summary(folder)
    _, table = layer_table(pd.read_csv(folder / "layers.csv"), summary)
    assert table is not None
    overview.draw(folder)
    details.draw(folder, summary)
    hidden = [name for name in table["layer"] if name != "output"]
    for fig in (drawn[0], *(f for f in drawn[1:] if "step 0" in str([a.get_title(loc="left") for a in f.axes]))):
        assert set(hidden) <= set(labels(fig))
    profiles = panel(drawn, "mean").get_figure()
    assert set(table["layer"]) <= set(labels(profiles))
    assert all(name in text(folder) for name in hidden)


def test_a_layers_name_is_that_of_the_table_on_disk_without_its_list() -> None:
    assert layer_name("stack.layers.0.forget_gate") == "0.forget_gate"
    assert layer_name("hidden.12") == "hidden.12"
    assert layer_name("output") == "output"


@pytest.mark.parametrize("depth", [3, 30, 80])
def test_names_of_many_layers_do_not_touch(depth: int, tmp_path: Path, drawn: list[Figure]) -> None:
    folder = fabricated.run_folder(tmp_path, depth=depth)
    overview.draw(folder)
    details.draw(folder, read_summary(folder))
    for fig in drawn:
        for ax in fig.axes:
            low, high = ax.get_ylim()
            shown = [t for t in ax.yaxis.get_major_ticks() if t.label1.get_visible() and low <= t.get_loc() <= high]
            boxes = [t.label1.get_window_extent() for t in shown]
            assert all(one.y1 <= other.y0 for one, other in pairwise(boxes)), ax.get_title(loc="left")
            assert ax.get_window_extent().width > 40


def test_a_users_table_is_named_in_titles(tmp_path: Path, drawn: list[Figure]) -> None:
    folder = fabricated.run_folder(tmp_path)
    summary = json.loads((folder / "summary.json").read_text())
    own = {"choices.dataset": "table", "dataset.path": "/home/me/penguins of mine.csv"}
    summary["settings"] |= own
    (folder / "summary.json").write_text(json.dumps(summary))
    overview.draw(folder)
    assert drawn[0].get_suptitle().startswith("table penguins of mine.csv · mlp")
    assert headline(summary["settings"]).startswith("table penguins of mine.csv · mlp")
    assert data_name(own | {"dataset.name": "penguins"}) == "table penguins"
    assert data_name({"choices.dataset": "digits"}) == "digits"


def settings(tmp_path: Path, *units: tuple[str, str | None]) -> list[Setting]:
    made = []
    for i, (unit, noise) in enumerate(units):
        folder = fabricated.run_folder(tmp_path / str(i))
        summary = read_summary(folder)
        summary["settings"] |= {"choices.activation": unit, **({"activation.noise": noise} if noise else {})}
        made.append(Setting(str(i), (Finished(str(i), folder, dict(summary)),), summary["settings"]))
    return made


def colours(ax: Axes) -> list[Any]:
    """Of the lines that stand in the legend."""
    return [line.get_color() for line in ax.lines if not str(line.get_label()).startswith("_")]


def test_runs_of_different_activations_have_their_colours(tmp_path: Path, drawn: list[Figure]) -> None:
    units = [("tanh", None), ("relu", None), ("noisy_tanh", "nan"), ("noisy_tanh", "nah")]
    compare.draw(settings(tmp_path, *units), ["test_accuracy", "train_loss"], list("abcd"), tmp_path / "x")
    ax = drawn[0].axes[0]
    assert colours(ax) == [activation_look(*unit).color for unit in units]
    assert drawn[0].legends[0].get_title().get_text().startswith("colour: activation")
    assert ax.get_ylim() == pytest.approx((-0.02, 1.02))
    assert drawn[0].axes[1].get_yscale() == "log"
    assert drawn[0].get_suptitle() == "digits"


def test_runs_of_one_activation_have_the_palette_and_say_so(tmp_path: Path, drawn: list[Figure]) -> None:
    compare.draw(settings(tmp_path, *[("tanh", None)] * 3), ["test_accuracy"], list("abc"), tmp_path / "x")
    assert colours(drawn[0].axes[0]) == list(PALETTE[:3])
    assert drawn[0].legends[0].get_title().get_text().startswith("colour: setting")


def test_histograms_have_the_activations_colour(tmp_path: Path, drawn: list[Figure]) -> None:
    overview.draw(fabricated.run_folder(tmp_path))
    patch = panel(drawn, "activations before training").patches[0]
    assert patch.get_facecolor()[:3] == pytest.approx(matplotlib.colors.to_rgb(activation_look("tanh").color))


def test_a_split_without_end_is_said_on_the_page(tmp_path: Path) -> None:
    folder = fabricated.run_folder(tmp_path / "run")
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {"samples": {"train": None, "test": 1000}}))
    assert main(["show", str(folder), "--html"]) == 0
    assert "train drawn anew, test 1,000" in (folder / "index.html").read_text()
