"""Fit a classifier to the training split and see how it does on the test split; or a whole grid of its settings."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from repro.datasets.memory import Data, Split
from repro.errors import UserError
from repro.training.work import Measured, from_rows

from .classifiers import Classifier, Recipe
from .deep_forest import LARGEST_SEED, Classes, Floats


@from_rows
def classify(data: Data, rng: torch.Generator, *, classifier: Recipe) -> Iterator[Measured]:
    """The accuracy on the test split, and what the classifier tells of itself."""
    fitted, (x, y) = _fitted(classifier, data, rng), arrays(data.test)
    yield Measured("accuracy", _accuracy(fitted, x, y))
    yield from classifier.tell(fitted, x, y)


def _recipes(classifier: Callable[..., Recipe], grid: Mapping[str, list[Any]]) -> list[Recipe]:
    try:
        return [classifier(**dict(zip(grid, values, strict=True))) for values in product(*grid.values())]
    except TypeError as error:
        raise UserError(f"procedure.grid: {error}; its names are those of the classifier's settings") from error


@from_rows(check=_recipes)
def tuning(
    data: Data, rng: torch.Generator, *, classifier: Callable[..., Recipe], grid: Mapping[str, list[Any]]
) -> Iterator[Measured]:
    """The accuracy on the test split by setting, all combinations of the grid in order, and between which they lie.

    Args:
        data: what is learnt from.
        rng: of every classifier's seed.
        classifier: makes a recipe of settings.
        grid: names of settings to their values.

    Raises:
        UserError: the classifier has no such setting, or not with such a value.
    """
    recipes = _recipes(classifier, grid)
    x, y = arrays(data.test)
    found = [_accuracy(_fitted(recipe, data, rng), x, y) for recipe in recipes]
    for setting, accuracy in enumerate(found, 1):
        yield Measured("accuracy", accuracy, setting)
    yield Measured("range", max(found) - min(found))
    yield Measured("least", min(found))
    yield Measured("greatest", max(found))
    yield Measured("median", float(np.median(found)))


def arrays(split: Split) -> tuple[Floats, Classes]:
    """Inputs in one row each, shape (n, features), and classes, shape (n,)."""
    return split.x.flatten(1).double().numpy(), split.y.numpy()


def _fitted(recipe: Recipe, data: Data, rng: torch.Generator) -> Classifier:
    made = recipe.make(int(torch.randint(LARGEST_SEED, (), generator=rng)))
    with warnings.catch_warnings():
        # So many epochs are what was asked for.
        warnings.simplefilter("ignore", ConvergenceWarning)
        made.fit(*arrays(data.train))
    return made


def _accuracy(fitted: Classifier, x: Floats, y: Classes) -> float:
    return float((fitted.predict(x) == y).mean())
