"""What predicts a table without a net: the commonest class or the mean, and a linear model."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, balanced_accuracy_score, r2_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from repro.datasets.about import Scores

Pair = tuple[NDArray[Any], NDArray[Any]]
MOST = 20_000  # training samples that a linear model is fitted to


def of_classes(splits: Mapping[str, Pair], uneven: bool) -> Scores:
    """Of the commonest class and of logistic regression: accuracy, and balanced accuracy where classes are uneven.

    Args:
        splits: inputs (n, features) and class numbers (n,), also of training.
        uneven: whether balanced accuracy is to be had.
    """
    metrics: dict[str, Callable[..., float]] = {"accuracy": accuracy_score}
    if uneven:
        metrics["balanced_accuracy"] = balanced_accuracy_score
    models = {
        "the commonest class": DummyClassifier(strategy="most_frequent"),
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    }
    if len(np.unique(splits["train"][1])) < 2:
        del models["logistic regression"]
    return _scores(models, splits, metrics)


def of_numbers(splits: Mapping[str, Pair]) -> Scores:
    """Of the training mean and of ridge regression: RMSE in the targets' unit, and R²."""
    models = {"the mean": DummyRegressor(), "ridge regression": make_pipeline(StandardScaler(), Ridge())}
    return _scores(models, splits, {"rmse": root_mean_squared_error, "r2": r2_score})


def _scores(
    models: Mapping[str, Any], splits: Mapping[str, Pair], metrics: Mapping[str, Callable[..., float]]
) -> Scores:
    x, y = splits["train"]
    if len(x) > MOST:
        chosen = np.random.default_rng(0).permutation(len(x))[:MOST]
        x, y = x[chosen], y[chosen]
    scores: dict[str, dict[str, float]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a fit that has not converged, of a class that a split lacks
        for name, model in models.items():
            model.fit(x, y)
            scores[name] = {
                f"{split}_{metric}": float(value)
                for split in ("valid", "test")
                if len(splits[split][1])
                for metric, score in metrics.items()
                if np.isfinite(value := score(splits[split][1], model.predict(splits[split][0])))
            }
    return scores
