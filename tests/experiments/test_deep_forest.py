"""Deep forests and what stands beside them: levels, folds, windows, grids, and facts about trees."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from conftest import Said
from repro.errors import UserError
from repro.experiments.understanding_neural_networks.datasets.scikit_learn import scikit_learn
from repro.experiments.understanding_neural_networks.procedures.classifiers import (
    deep_forest,
    mlp,
    nearest_neighbours,
    tree,
)
from repro.experiments.understanding_neural_networks.procedures.classify import arrays
from repro.experiments.understanding_neural_networks.procedures.deep_forest import (
    CrossFitted,
    DeepForest,
    Growth,
    windows,
)

SMALL = {"windows": [], "stride": 1, "window_trees": 2, "window_depth": 3, "window_leaf": 2}


def table(name, **changes):
    options = {"valid_size": 0, "test_size": 0.25, "preprocessing": "none", "subset": None, "seed": 0}
    return scikit_learn(name, **options | changes)


def grown(x, y, **changes):
    options = {"pairs": 1, "folds": 3, "patience": 2, "most_levels": 6, "sizes": [], "stride": 1}
    return DeepForest(Growth(5), **options | changes, scanning=Growth(2, 3, 2), seed=0).fit(x, y)


@pytest.mark.parametrize(
    ("name", "sizes", "columns", "classes"),
    [
        ("wine", (134, 44), 13, 3),
        ("breast_cancer", (427, 142), 30, 2),
        ("synthetic", (900, 300), 20, 4),
        ("binary_digits", (1348, 449), 64, 10),
        ("parity", (256, 256), 8, 2),
        ("bars", (14, 14), 9, 4),
    ],
)
def test_tables(name, sizes, columns, classes):
    data = table(name)
    assert (len(data.train), len(data.test)) == sizes
    assert data.shape == (columns,)
    assert data.outputs == classes
    assert set(data.test.y.tolist()) == set(range(classes))


def test_parity_and_bars_are_what_they_say():
    parity = table("parity").train
    assert torch.equal(parity.x.sum(1) % 2, parity.y.float())
    images = table("bars").train.x.view(-1, 3, 3)
    rows, columns = ((images == images.mean(axis, keepdim=True)).all((1, 2)) for axis in (2, 1))
    assert (rows | columns).all()
    assert (rows & columns).sum() == 2


def test_out_of_fold_class_vectors_know_nothing_of_random_labels():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((300, 6)), rng.integers(0, 2, 300)
    accuracies = {}
    for folds in (1, 3):
        given = CrossFitted(Growth(10), 1, folds, np.random.default_rng(0)).fit(x[:, None], y)
        assert given.shape == (300, 2, 1, 2)
        assert given.sum(-1) == pytest.approx(1)
        accuracies[folds] = (given.mean((1, 2)).argmax(1) == y).mean()
    assert accuracies[1] > 0.95
    assert accuracies[3] == pytest.approx(0.5, abs=0.12)


def test_windows_are_those_of_a_loop():
    x = np.arange(2 * 36.0).reshape(2, 36)
    images = x.reshape(2, 6, 6)
    slow = [[image[r : r + 3, c : c + 3].ravel() for r in (0, 2) for c in (0, 2)] for image in images]
    assert np.array_equal(windows(x, 3, 2), slow)
    with pytest.raises(UserError, match="scans square images, and an input has 35"):
        windows(x[:, :35], 3, 1)
    with pytest.raises(UserError, match="take 6 or less"):
        windows(x, 7, 1)


def test_levels_read_inputs_and_class_vectors_and_the_best_one_answers():
    x, y = arrays(table("wine").train)
    forest = grown(x, y)
    assert forest.best == int(np.argmax(forest.accuracies))
    assert len(forest.levels) == len(forest.accuracies) == min(6, forest.best + 3)
    read = [level.forests[0][0].n_features_in_ for level in forest.levels]
    assert read == [13] + [13 + 2 * 3] * (len(read) - 1)
    staged = list(forest.staged(x))
    assert np.array_equal(forest.predict(x), staged[forest.best])
    assert 0 < forest.share_of_class_vectors() < 1
    assert grown(x, y, most_levels=1).share_of_class_vectors() == 0
    assert grown(x, y).accuracies == forest.accuracies


def test_a_class_with_fewer_samples_than_folds_is_refused():
    with pytest.raises(
        UserError, match=r"procedure\.folds=3 needs as many training samples of each class, and one has 2"
    ):
        grown(np.random.default_rng(0).standard_normal((12, 3)), np.array([0] * 10 + [1] * 2))


@pytest.mark.parametrize("features", [1, 3, 6])
def test_a_tree_of_binary_features_is_no_deeper_than_there_are(features):
    rng = np.random.default_rng(features)
    x, y = rng.integers(0, 2, (400, features)).astype(float), rng.integers(0, 3, 400)
    assert tree(None).make(0).fit(x, y).get_depth() <= features


def test_parity_takes_all_its_bits():
    data = table("parity")
    fitted = tree(None).make(0).fit(*arrays(data.train))
    assert fitted.get_depth() == 8
    assert fitted.score(*arrays(data.test)) == 1


def test_selected_features_are_as_many_as_asked_for():
    data = table("wine", test_size=118)
    for selection, count in (("forward", 2), ("anova", 2), ("none", 13)):
        fitted = nearest_neighbours(3, selection, 2, 3).make(0).fit(*arrays(data.train))
        assert fitted[-1].n_features_in_ == count


@pytest.mark.usefixtures("undrawn")
def test_a_grid_is_told_setting_by_setting(cli: Callable[..., Said]) -> None:
    words = ["procedure=mlp_grid", "procedure.grid.rate=[0.001,0.1]", "procedure.grid.hidden=[[4]]"]
    said = cli("train", *words, "procedure.epochs=2", "dataset=scikit_learn")
    assert said.status == 0, said
    import pandas as pd

    rows = pd.read_csv(f"{said.out.split()[-1]}/curves.csv").set_index(["metric", "step"])["value"]
    found = rows["accuracy"]
    assert list(found.index) == [1, 2, 3, 4]
    assert rows["range"].item() == pytest.approx(found.max() - found.min())
    assert (rows["least"].item(), rows["greatest"].item()) == (found.min(), found.max())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["procedure=deep_forest", "procedure.trees=0"], "procedure.trees must be a whole number of 1 or more, not 0"),
        (["procedure=deep_forest", "procedure.folds=0"], "procedure.folds must be a whole number of 1 or more"),
        (["procedure=deep_forest", "procedure.windows=[0]"], "procedure.windows.0 must be a whole number of 1"),
        (["procedure=deep_forest", "procedure.windows=4"], "procedure.classifier.windows must be a list"),
        (["procedure=random_forest", "procedure.trees=many"], "procedure.classifier.trees must be a whole number"),
        (["procedure=boosting", "procedure.rate=0"], "procedure.rate must be a finite number above 0"),
        (["procedure=decision_tree", "procedure.depth=0"], "procedure.depth must be a whole number of 1 or more"),
        (["procedure=mlp_classifier", "procedure.activation=relo"], "did you mean relu"),
        (["procedure=mlp_classifier", "procedure.hidden=[0]"], "procedure.hidden.0 must be a whole number of 1"),
        (
            ["procedure=logistic_regression", "procedure.penalty=-1"],
            "procedure.penalty must be a finite number above 0",
        ),
        (["procedure=nearest_neighbours", "procedure.selection=foward"], "did you mean forward"),
        (["procedure=nearest_neighbours", "procedure.folds=1"], "procedure.folds must be a whole number of 2 or more"),
        (["procedure=mlp_grid", "+procedure.grid.width=[3]"], "procedure.grid: "),
        (["procedure=random_forest", "dataset=scikit_learn", "dataset.table=vine"], "did you mean wine"),
        (["procedure=random_forest", "optimizer=adam"], "procedure=random_forest takes no optimizer"),
    ],
)
def test_mistakes(words: list[str], says: str, cli: Callable[..., Said]) -> None:
    assert says in cli("train", *words).mistake


def test_recipes_of_python_are_checked_too():
    with pytest.raises(UserError, match="epochs"):
        mlp([4], 0.1, "relu", 0)
    with pytest.raises(UserError, match="window_leaf"):
        deep_forest(1, 1, 1, 1, 1, **SMALL | {"window_leaf": 0})
