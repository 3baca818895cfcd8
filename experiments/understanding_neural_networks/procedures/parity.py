"""Parity of bits: by one layer of threshold units, by a tree of exclusive ors, by a decision tree."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import UserError, whole
from repro.training.work import Measured, from_rows

Bits = NDArray[np.int64]


@from_rows
def parity(data: None, rng: torch.Generator, *, bits: list[int]) -> Iterator[Measured]:
    """How three machines tell whether the number of ones among d bits is odd, on all 2^d inputs.

    Args:
        data: none.
        rng: of the decision tree's choice among equal cuts.
        bits: numbers d, powers of two from 2 to 16.

    Yields:
        At step d: layer_units and layer_errors of one layer of threshold units; tree_layers and tree_errors of a tree
        of exclusive ors, each made of three threshold units in two layers; leaves and cuts (the depth) of a decision
        tree that is always right.

    Raises:
        UserError: a number of bits is not allowed.
    """
    from sklearn.tree import DecisionTreeClassifier  # takes a second

    del data
    for d in bits:
        if whole("each of procedure.bits", d, 2) > 16 or d & (d - 1):
            raise UserError(f"each of procedure.bits must be a power of two from 2 to 16, not {d}")
        x = (np.arange(2**d)[:, None] >> np.arange(d)) & 1  # (2^d, d)
        y = x.sum(1) % 2
        yield Measured("layer_units", d, d)
        yield Measured("layer_errors", float((one_layer(x) != y).sum()), d)
        told, layers = tree_of_ors(x)
        yield Measured("tree_layers", layers, d)
        yield Measured("tree_errors", float((told != y).sum()), d)
        seed = int(torch.randint(2**31, (1,), generator=rng))
        tree = DecisionTreeClassifier(random_state=seed).fit(x, y)
        assert (tree.predict(x) == y).all()
        yield Measured("leaves", tree.get_n_leaves(), d)
        yield Measured("cuts", tree.get_depth(), d)


def step(z: NDArray[Any]) -> NDArray[Any]:
    """A threshold unit: 1 above 0."""
    return (z > 0).astype(np.int64)


def one_layer(x: Bits) -> NDArray[Any]:
    """Unit k fires from k ones on; their sum with signs in turn is the parity: (n, d) to (n,)."""
    d = x.shape[1]
    units = step(x.sum(1, keepdims=True) - np.arange(1, d + 1) + 0.5)  # (n, d)
    return step(units @ (-1.0) ** np.arange(d) - 0.5)


def tree_of_ors(x: Bits) -> tuple[Bits, int]:
    """Exclusive or of pairs, then of pairs of these, ...: the parity (n,) and the levels of the tree."""
    levels = 0
    while x.shape[1] > 1:
        total = x[:, ::2] + x[:, 1::2]
        x, levels = step(step(total - 0.5) - step(total - 1.5) - 0.5), levels + 1
    return x[:, 0], levels
