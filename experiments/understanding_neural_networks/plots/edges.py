"""The functions on the edges of nets of splines, from the coefficients and knots that a run wrote down."""

import numpy as np
import pandas as pd
from scipy.interpolate import BSpline

DEGREE = 3
POINTS = 200

Curve = tuple[np.ndarray, np.ndarray]
"""Points and values there."""


def edges(layers: pd.DataFrame, i: int) -> dict[tuple[int, int], Curve]:
    """Every edge of a layer of cubic splines beside swish, between the ends of its spline, by input and output.

    Args:
        layers: rows of layers.csv of one run and seed at one step, with the quantities `knots` and `weight_entries`.
        i: the layer, 0 next to the input.
    """
    base, spline = (layers[layers["layer"] == f"layers.{i}.{part}"] for part in ("base", "spline"))
    weights, coefficients, knots = (
        numbered(base, "weight_entry_"),
        numbered(spline, "weight_entry_"),
        numbered(spline, "knot_"),
    )
    # One layer has inputs · outputs edges, each with as many coefficients, and knots for each input.
    splines = len(coefficients) // len(weights)
    knots = knots.reshape(-1, splines + DEGREE + 1)
    inputs = len(knots)
    weights, coefficients = weights.reshape(-1, inputs), coefficients.reshape(-1, inputs, splines)
    found = {}
    for j, k in np.ndindex(inputs, len(weights)):
        x = np.linspace(knots[j, DEGREE], knots[j, -DEGREE - 1], POINTS)[1:-1]
        found[j, k] = (x, weights[k, j] * x / (1 + np.exp(-x)) + BSpline(knots[j], coefficients[k, j], DEGREE)(x))
    return found


def last_of(layers: pd.DataFrame, run: pd.Series) -> pd.DataFrame:
    """The rows of one run and seed, a row of runs.csv, at its last step."""
    own = layers[(layers["run"] == run["run"]) & (layers["seed"] == run["seed"])]
    return own[own["step"] == own["step"].max()]


def numbered(rows: pd.DataFrame, name: str) -> np.ndarray:
    """The values of quantities that are numbered behind a name, in their order."""
    own = rows[rows["quantity"].str.startswith(name)]
    order = own["quantity"].str.removeprefix(name).astype(int).to_numpy()
    return np.asarray(own["value"].to_numpy()[np.argsort(order)])
