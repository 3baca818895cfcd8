"""Classifiers of `procedure=`: each function takes settings, checks them, and gives what makes one from a seed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectKBest, SequentialFeatureSelector, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from repro.errors import number, unknown, whole
from repro.training.work import Measured

from .deep_forest import Classes, DeepForest, Floats, Growth

SELECTIONS = ("none", "forward", "anova")
NETS = ("relu", "logistic", "tanh", "identity")


class Classifier(Protocol):
    """What is fitted: scikit-learn's interface, inputs (n, features) and classes (n,)."""

    def fit(self, x: Floats, y: Classes) -> Any: ...

    def predict(self, x: Floats) -> Classes: ...


def nothing(fitted: Any, x: Floats, y: Classes) -> Iterator[Measured]:
    """Nothing is to be told of it besides how well it does."""
    del fitted, x, y
    yield from ()


@dataclass(frozen=True)
class Recipe:
    """A classifier that is not there yet.

    Attributes:
        make: one from a seed.
        tell: what is to be told of it once it is fitted, given test inputs and their classes.
    """

    make: Callable[[int], Classifier]
    tell: Callable[[Any, Floats, Classes], Iterator[Measured]] = nothing


def deep_forest(
    trees: int,
    pairs: int,
    folds: int,
    patience: int,
    most_levels: int,
    windows: list[int],
    stride: int,
    window_trees: int,
    window_depth: int,
    window_leaf: int,
) -> Recipe:
    """See `DeepForest`; told are its levels, their accuracies, and what its last level reads.

    Raises:
        UserError: a number is too small.
    """
    least = {"trees": (trees, 1), "pairs": (pairs, 1), "folds": (folds, 1), "patience": (patience, 1)}
    least |= {"most_levels": (most_levels, 1), "stride": (stride, 1), "window_trees": (window_trees, 1)}
    least |= {"window_depth": (window_depth, 1), "window_leaf": (window_leaf, 1)}
    least |= {f"windows.{i}": (size, 1) for i, size in enumerate(windows)}
    for name, (value, low) in least.items():
        whole(f"procedure.{name}", value, low)
    scanning = Growth(window_trees, window_depth, window_leaf)

    def make(seed: int) -> DeepForest:
        return DeepForest(Growth(trees), pairs, folds, patience, most_levels, windows, stride, scanning, seed)

    return Recipe(make, _levels)


def _levels(forest: DeepForest, x: Floats, y: Classes) -> Iterator[Measured]:
    """By level on the way, on samples held out of training and on those for testing."""
    said = zip(forest.accuracies, forest.staged(x), strict=True)
    for level, (held_out, classes) in enumerate(said, 1):
        yield Measured("held_out_accuracy", held_out, level)
        yield Measured("level_accuracy", float((classes == y).mean()), level)
    yield Measured("levels", forest.best + 1)
    yield Measured("inputs", forest.levels[-1].forests[0][0].n_features_in_)
    yield Measured("class_vector_share", forest.share_of_class_vectors())


def random_forest(trees: int) -> Recipe:
    """scikit-learn's, with as many features to a split as the root of their number."""
    whole("procedure.trees", trees, 1)
    return Recipe(lambda seed: RandomForestClassifier(trees, random_state=seed, n_jobs=torch.get_num_threads()))


def boosting(rounds: int, rate: float) -> Recipe:
    """Boosted trees, by histograms; told is how many features a tree reads."""
    whole("procedure.rounds", rounds, 1)
    number("procedure.rate", rate, 0, ends="()")
    return Recipe(
        lambda seed: HistGradientBoostingClassifier(
            max_iter=rounds, learning_rate=rate, early_stopping=False, random_state=seed
        ),
        _inputs,
    )


def _inputs(fitted: Any, x: Floats, y: Classes) -> Iterator[Measured]:
    del x, y
    yield Measured("inputs", fitted.n_features_in_)


def tree(depth: int | None) -> Recipe:
    """One decision tree, grown until its leaves are pure unless a depth is set; told is how deep it is."""
    if depth is not None:
        whole("procedure.depth", depth, 1)
    return Recipe(lambda seed: DecisionTreeClassifier(max_depth=depth, random_state=seed), _depth)


def _depth(fitted: Any, x: Floats, y: Classes) -> Iterator[Measured]:
    del x, y
    yield Measured("depth", fitted.get_depth())


def mlp(hidden: list[int], rate: float, activation: str, epochs: int) -> Recipe:
    """A net of fully connected layers on standardized inputs, by Adam in batches of 200.

    Raises:
        UserError: a setting is not allowed.
    """
    for i, width in enumerate(hidden):
        whole(f"procedure.hidden.{i}", width, 1)
    number("procedure.rate", rate, 0, ends="()")
    whole("procedure.epochs", epochs, 1)
    if activation not in NETS:
        raise unknown("activation of a net", str(activation), NETS)
    return Recipe(
        lambda seed: make_pipeline(
            StandardScaler(),
            MLPClassifier(
                tuple(hidden), activation=activation, learning_rate_init=rate, max_iter=epochs, random_state=seed
            ),
        )
    )


def logistic_regression(penalty: float) -> Recipe:
    """On standardized inputs.

    Args:
        penalty: half the squared weights are added to the summed loss, times this.
    """
    number("procedure.penalty", penalty, 0, ends="()")
    return Recipe(
        lambda seed: make_pipeline(
            StandardScaler(), LogisticRegression(C=1 / penalty, max_iter=2000, random_state=seed)
        )
    )


def nearest_neighbours(neighbours: int, selection: str, features: int, folds: int) -> Recipe:
    """On standardized inputs, all of them or some.

    Args:
        neighbours: that vote.
        selection: none; forward, a wrapper: one feature after the other is added, that with which the classifier does
            best by cross-validation; anova, a filter: those whose classes' means are furthest apart, by F.
        features: how many are selected.
        folds: of the wrapper's cross-validation.

    Raises:
        UserError: a setting is not allowed.
    """
    for name, value, least in (("neighbours", neighbours, 1), ("features", features, 1), ("folds", folds, 2)):
        whole(f"procedure.{name}", value, least)
    if selection not in SELECTIONS:
        raise unknown("selection of features", str(selection), SELECTIONS)

    def make(seed: int) -> Classifier:
        del seed  # nothing is random
        steps: Sequence[Any] = {
            "none": (),
            "forward": (
                SequentialFeatureSelector(
                    KNeighborsClassifier(neighbours), n_features_to_select=features, direction="forward", cv=folds
                ),
            ),
            "anova": (SelectKBest(f_classif, k=features),),
        }[selection]
        made: Classifier = make_pipeline(StandardScaler(), *steps, KNeighborsClassifier(neighbours))
        return made

    return Recipe(make)
