"""What the committed tables' figures show, seen in the drawings: every arm, one range, the number that is claimed."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.experiments.esp_mean_field.plots import spectra, subspaces
from repro.experiments.noisy_activations import unique_numbers
from repro.paths import CLONE, experiments_dir
from repro.plots import blocks
from repro.plots.experiment import Tables, module_of
from repro.plots.style import styled
from repro.storage.tables import read

RESULTS = CLONE / "results"


def tables(name: str) -> Tables:
    return Tables(RESULTS / name)


@functools.cache
def drawn(name: str) -> dict[str, Figure]:
    with styled():
        return dict(module_of(experiments_dir() / f"{name}.py").figures(tables(name)))


def titled(fig: Figure, title: str) -> Axes:
    (ax,) = [ax for ax in fig.axes if ax.get_title(loc="left").replace("\n", " ") == title]
    return ax


def data(ax: Axes) -> list[Any]:
    """The lines of what was measured."""
    return [line for line in ax.lines if line.get_transform() == ax.transData and len(line.get_xdata())]


def inside(ax: Axes) -> bool:
    """Whether everything that was measured is within the axes; zeros of a logarithmic axis stand at its edge."""
    low, high = sorted(ax.get_ylim())
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in data(ax)])
    if ax.get_yscale() == "log":
        values = values[values > 0]
    return bool(((values >= low) & (values <= high)).all())


def test_associative_recall_shows_each_seed_of_each_arm_in_one_range() -> None:
    fig = drawn("noisy_activations/associative_recall")["figure9"]
    runs = tables("noisy_activations/associative_recall").runs
    panels = [ax for ax in fig.axes if not ax.get_title(loc="left").startswith("c of")]
    assert len(panels) == runs["variant"].nunique() + 1
    assert len({ax.get_ylim() for ax in panels}) == 1
    for ax in panels[:-1]:
        assert len(data(ax)) == runs.groupby("variant")["seed"].nunique().max()
        assert all(line.get_linewidth() <= blocks.THIN for line in data(ax)), "a mean of seeds that differ in kind"
    assert all(inside(ax) for ax in panels)


def test_learning_to_execute_has_the_paper_on_the_axis_of_ours() -> None:
    fig = drawn("noisy_activations/learning_to_execute")["train_accuracy"]
    upper, lower = fig.axes[:3], fig.axes[3:6]
    for row in (upper, lower):
        assert len({ax.get_ylim() for ax in row}) == 1
        assert all(inside(ax) for ax in row)
    # 0.6 to 0.8 points ahead in the paper
    (theirs,) = data(lower[2])
    low, high = lower[2].get_ylim()
    assert 0.5 < min(theirs.get_ydata()) <= max(theirs.get_ydata()) < 1
    assert high - low > 10 * max(theirs.get_ydata())


def test_penn_treebank_has_one_range_in_a_row_and_single_runs_are_thin() -> None:
    study = tables("noisy_activations/penn_treebank")
    fig = drawn("noisy_activations/penn_treebank")["perplexity"]
    assert len(fig.axes) == 6
    for row in (fig.axes[:3], fig.axes[3:]):
        assert len({ax.get_ylim() for ax in row}) == 1
        assert all(inside(ax) for ax in row)
    counts = study.runs.groupby("variant")["seed"].nunique()
    ends = study.curves[(study.curves["split"] == "valid") & (study.curves["metric"] == "perplexity")]
    means = ends[ends["epoch"] == ends["epoch"].max()].groupby("variant")["value"].mean()
    found = {}
    for ax in fig.axes[3:]:
        for line in data(ax):
            if not str(line.get_label()).startswith("_") and line.get_linestyle() != "None":
                found[str(line.get_label())] = line
    script = module_of(experiments_dir() / "noisy_activations/penn_treebank.py")
    for name, words in script.NAMES.items():
        line = found[f"{words} (one run)" if counts[name] == 1 else words]
        assert (line.get_linewidth() == blocks.THIN) == (counts[name] == 1)
        assert line.get_ydata()[-1] == pytest.approx(means[name])


def test_gates_of_two_definitions_share_no_panel() -> None:
    fig = drawn("noisy_activations/penn_treebank")["gates"]
    layers = tables("noisy_activations/penn_treebank").layers
    shares = layers[(layers["quantity"] == "saturated_share") & (layers["step"] == layers["step"].max())]
    for title, variant in (("reference, share of slopes < 0.02", "reference"), ("NAN, share beyond knees", "nan")):
        ax = titled(fig, title)
        own = shares[(shares["variant"] == variant) & (shares["depth"] == 1)].groupby("layer")["value"].mean()
        ends = [line.get_ydata()[-1] for line in data(ax) if not str(line.get_label()).startswith("_")]
        assert sorted(ends) == pytest.approx(sorted(own[own.index.str.endswith(tuple(_sites()))]))


def _sites() -> list[str]:
    return [f".{site}" for site in module_of(experiments_dir() / "noisy_activations/penn_treebank.py").SITES]


def test_unique_numbers_draws_variants_that_it_does_not_know(tmp_path: Path) -> None:
    whole = tables("noisy_activations/unique_numbers")
    names = {"reference": "reference_torch_default", "nan": "quite_another"}
    for name in ("runs", "curves"):
        table = getattr(whole, name)
        copies = [table[table["variant"] == old].assign(variant=new) for old, new in names.items()]
        made = pd.concat([table[table["variant"].isin([*names, "nan_half"])], *copies])
        made.to_csv(tmp_path / f"{name}.csv{'' if name == 'runs' else '.gz'}", index=False)
    with styled():
        figures = unique_numbers.figures(Tables(tmp_path))
    panels = [ax for ax in figures["learning_curves"].axes if ax.get_title(loc="left")]
    titles = [ax.get_title(loc="left").replace("\n", " ") for ax in panels][:-2]
    assert titles == ["LSTM (reference)", "LSTM (reference), torch default", "NAN, c = 0.5", "quite another"]
    assert len({ax.get_ylim() for ax in panels[:-2]}) == 1
    seeds = whole.runs["seed"].nunique()
    # the reference's mean, the seeds, and their mean
    assert [len(data(ax)) for ax in panels[:-2]] == [seeds + 2] * 4
    assert [t.get_text() for t in figures["table5"].axes[0].get_yticklabels()] == titles


def test_the_dead_share_drawn_is_that_of_the_claim() -> None:
    study = tables("training_deep_networks/activations")
    claims = read(RESULTS / "training_deep_networks/activations/claims.csv").set_index("claim")
    fig = drawn("training_deep_networks/activations")["rates"]
    ax = titled(fig, "digits, Adam: dead units")
    (relu,) = [bars for bars in ax.containers if bars.get_label() == "ReLU"]
    place = sorted(study.runs.loc[study.runs["variant"] == "adam_relu", "optimizer.lr"].unique()).index(0.1)
    assert relu.lines[0].get_ydata()[place] == pytest.approx(float(claims.loc["adam_many_die_at_a_high_rate", "ours"]))
    diverged = study.runs[(study.runs["status"] == "diverged") & (study.runs["variant"] == "elu")]
    at = sorted(study.runs.loc[study.runs["variant"] == "relu", "optimizer.lr"].unique())
    shown = {text.get_gid(): text.get_text() for text in titled(fig, "digits: test accuracy").texts}
    for rate, rows in diverged.groupby("optimizer.lr"):
        assert shown[f"diverged {at.index(float(str(rate)))}"] == f"×{len(rows)}"


def test_weights_of_a_subspace_know_no_basis() -> None:
    rng = np.random.default_rng(0)
    vectors = np.linalg.qr(rng.standard_normal((7, 7)))[0]
    values = np.array([-2.0, 0.0, 1e-13, 2e-13, 0.5, 3.0, 3.0 + 1e-12])
    groups = subspaces.subspaces(values)
    assert groups.tolist() == [0, 1, 1, 1, 2, 3, 3]
    turned = vectors.copy()
    turned[:, 1:4] @= np.linalg.qr(rng.standard_normal((3, 3)))[0]
    turned[:, 5:] @= np.array([[0.6, -0.8], [0.8, 0.6]])
    assert np.abs(vectors**2 - turned**2).max() > 0.05
    found = subspaces.weights(vectors, groups)
    np.testing.assert_allclose(subspaces.weights(turned, groups), found, atol=1e-12)
    np.testing.assert_allclose(found.sum(0), 1)
    np.testing.assert_allclose(found[:, 0], vectors[:, 0] ** 2)
    assert subspaces.subspaces(np.array([1.0])).tolist() == [0]


def test_indices_against_the_loss_have_a_panel_each_and_one_range() -> None:
    fig = drawn("esp_mean_field/linear")["gamma_against_loss"]
    assert len(fig.axes) == 8
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in fig.axes}) == 1
    assert all(inside(ax) for ax in fig.axes)
    assert [ax.get_title(loc="left") for ax in fig.axes[:4]] == list(spectra.NAMES.values())


def test_fits_of_the_toy_are_shown_whole_in_one_range() -> None:
    fig = drawn("linear_backprop/toy")["fits"]
    assert len({ax.get_ylim() for ax in fig.axes}) == 1
    assert all(inside(ax) for ax in fig.axes)
    assert [len(data(ax)) for ax in fig.axes] == [51] * 3  # 50 initializations and the points


def test_all_nodes_of_the_quadrature_are_drawn_or_counted() -> None:
    fig = drawn("esp_mean_field/mnist")["density"]
    shown = sum(len(line.get_xdata()) for ax in fig.axes for line in data(ax))
    nodes = int((tables("esp_mean_field/mnist").spectrum["quantity"] == "node").sum())
    (note,) = [text for text in [fig.get_supxlabel()] if "not drawn" in text]
    lighter = int(note.replace("\n", " ").partition(" nodes of less")[0].split()[-1])
    assert shown + lighter == nodes
    assert all(inside(ax) for ax in fig.axes)
