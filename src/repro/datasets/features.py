"""Inputs computed from the inputs: what a net would otherwise have to find by itself."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from repro.datasets.preprocessing import Floats
from repro.errors import UserError, unknown


def _products(x: Floats) -> Floats:
    pairs = [x[:, i] * x[:, j] for i, j in combinations(range(x.shape[1]), 2)]
    return np.stack(pairs, axis=1) if pairs else x[:, :0]


FEATURES: dict[str, Callable[[Floats], Floats]] = {"products": _products, "squares": np.square, "sines": np.sin}
"""By name, of inputs (n, d): products of every two, (n, d (d - 1)/2); squares and sines of each, (n, d)."""


def check_features(names: Any) -> None:
    """Raise a `UserError` unless `names` is None or lists known features, each once."""
    if names is None:
        return
    if not isinstance(names, list | tuple) or len(set(map(str, names))) < len(names):
        raise UserError(f"features must list each of {', '.join(sorted(FEATURES))} at most once, not {names!r}")
    for name in names:
        if name not in FEATURES:
            raise unknown("feature in features", str(name), FEATURES)


def extended(x: Floats, names: Sequence[str] | None) -> Floats:
    """Inputs (n, d) with the features behind them, in the order in which they are named."""
    return np.concatenate([x, *(FEATURES[name](x) for name in names)], axis=1) if names else x
