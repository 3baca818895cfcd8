"""What the best possible classifier scores on three normal clouds: on all points that could be, on a test split."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from repro.config import yaml_files
from repro.paths import conf_dir
from repro.storage.statistics import number

STEP = 0.01  # of the grid that the densities are summed on
REACH = 8.0  # standard deviations, beyond which nothing is left of a cloud


def table(experiment: Path) -> pd.DataFrame:
    """The scores as words: columns `on`, `accuracy`, `standard error` (of a net's score there, if it were as good).

    Args:
        experiment: the YAML file, for the clouds and the size of the test split.
    """
    data = yaml_files.read(conf_dir() / "dataset" / "three_gaussians.yaml") | yaml_files.read(experiment)["dataset"]
    best = over_the_plane(data["means"], data["stds"])
    n = int(data["test_size"])
    error = math.sqrt(best * (1 - best) / n)
    rows = [
        ("the densities", number(best, 5), ""),
        (f"the {n:,} points of the test split", number(on_test_split(data), 4), number(error, 2)),
    ]
    return pd.DataFrame(rows, columns=["on", "accuracy", "standard error"])


def over_the_plane(means: Sequence[Sequence[float]], stds: Sequence[float]) -> float:
    """Probability that the densest cloud is the right one, clouds in equal shares: a sum over a grid."""
    centres = np.asarray(means)
    low, high = centres.min(0) - REACH * max(stds), centres.max(0) + REACH * max(stds)
    x, y = (np.arange(a, b, STEP) for a, b in zip(low, high, strict=True))
    most = densities(np.stack(np.meshgrid(x, y), axis=-1), means, stds).max(-1)
    return float(most.sum() * STEP**2 / len(stds))


def densities(points: np.ndarray, means: Sequence[Sequence[float]], stds: Sequence[float]) -> np.ndarray:
    """Density of every cloud at points of the plane, (..., 2) to (..., clouds)."""
    made = [
        np.exp(-((points - np.asarray(mean)) ** 2).sum(-1) / (2 * std**2)) / (2 * math.pi * std**2)
        for mean, std in zip(means, stds, strict=True)
    ]
    return np.stack(made, axis=-1)


def on_test_split(data: Mapping[str, Any]) -> float:
    """The share of the test split, as training draws it, whose densest cloud is the right one."""
    from repro.datasets.toys import three_gaussians  # torch, which drawing does without

    split = three_gaussians(**{k: v for k, v in data.items() if not k.startswith("_")}).test
    points, classes = np.asarray(split.x, dtype=np.float64), np.asarray(split.y)
    return float((densities(points, data["means"], data["stds"]).argmax(-1) == classes).mean())
