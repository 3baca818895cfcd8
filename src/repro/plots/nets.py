"""A small fully connected net out of the entries of its weights and biases in layers.csv, to draw what it computes.

An experiment asks for them with `diagnostics.quantities=[weight_entries,bias_entries]`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from repro.errors import UserError

Array = NDArray[np.float64]
Parameters = list[tuple[Array, Array]]  # of each layer weight (units, inputs) and bias (units,)


def parameters(layers: pd.DataFrame) -> Parameters:
    """Weights and biases from the first layer to the output.

    Args:
        layers: rows of layers.csv of one run, seed and step.

    Raises:
        UserError: a layer's weights or biases are not among them.
    """
    found = []
    for depth, rows in layers[layers["depth"] > 0].groupby("depth", sort=True):
        weight, bias = _entries(rows, "weight_entry_"), _entries(rows, "bias_entry_")
        if not len(weight) or not len(bias):
            raise UserError(
                f"layer {depth} has no entries of its weights or biases in layers.csv; "
                "train with diagnostics.quantities=[weight_entries,bias_entries]"
            )
        found.append((weight.reshape(len(bias), -1), bias))
    return found


def _entries(rows: pd.DataFrame, name: str) -> Array:
    own = rows[rows["quantity"].str.startswith(name)]
    order = own["quantity"].str.removeprefix(name).astype(int).to_numpy()
    values: Array = own["value"].to_numpy(float)[np.argsort(order, kind="stable")]
    return values


def outputs(net: Parameters, x: Array, function: Callable[[Array], Array]) -> list[Array]:
    """What comes out of every layer, (samples, units) each: of hidden ones behind `function`, of the last as it is.

    Args:
        net: from `parameters`.
        x: inputs, (samples, inputs).
        function: the hidden units' activation, of arrays.
    """
    found, h = [], x
    for place, (weight, bias) in enumerate(net):
        z = h @ weight.T + bias
        h = function(z) if place < len(net) - 1 else z
        found.append(h)
    return found


def grid(edge: float, side: int) -> Array:
    """Points of [-edge, edge]², (side², 2), in rows from the bottom up, each from left to right."""
    along = np.linspace(-edge, edge, side)
    return np.stack([np.tile(along, side), np.repeat(along, side)], axis=1)


def sigmoid(z: Array) -> Array:
    """1 / (1 + e⁻ᶻ)."""
    return 0.5 * (1 + np.tanh(z / 2))


def principal(values: Array, of: Sequence[Array]) -> list[Array]:
    """The two coordinates in which `values` (samples, features) vary most, of them or of others; two stay as they are.

    Args:
        values: whose principal axes are taken.
        of: what is projected, each (samples, features).
    """
    if values.shape[1] <= 2:
        return list(of)
    middle = values.mean(0)
    axes = np.linalg.svd(values - middle, full_matrices=False)[2][:2]
    axes *= np.sign(axes[np.arange(2), np.abs(axes).argmax(1)])[:, None]  # a sign of its own means nothing
    return [(one - middle) @ axes.T for one in of]
