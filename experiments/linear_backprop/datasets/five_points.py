"""Five points on a line of numbers, to be fitted exactly: the toy of the linear back-propagation paper."""

import numpy as np

from repro.datasets.from_arrays import Options, Raw, finish
from repro.datasets.memory import Data
from repro.errors import unknown, whole

# The paper's five are not known; these are ours: five standard normal numbers, and a curve that bends at every point.
POINTS = {
    "random": ((-2.0, -1.0, 0.0, 1.0, 2.0), (0.6614, 0.2669, 0.0617, 0.6213, -0.4519)),
    "zigzag": ((-1.0, -0.5, 0.0, 0.5, 1.0), (0.5, -0.6, 0.8, -0.3, 0.4)),
}


def five_points(points: str, grid: int) -> Data:
    """Inputs and targets of shape (5, 1).

    The validation split is the five points again, so that their error after the last update is in the tables: this
    is about fitting, and there is nothing else to validate on. The test split is a grid from the first point to the
    last, with targets on the straight lines between the points: there is no truth between five points, but
    predictions on it show the fitted curve.

    Args:
        points: random or zigzag.
        grid: test samples, 2 or more.

    Raises:
        UserError: unknown points, or too small a grid.
    """
    if points not in POINTS:
        raise unknown("points in dataset.points", str(points), POINTS)
    whole("grid", grid, 2)
    x, y = (np.array(values)[:, None] for values in POINTS[points])
    between = np.linspace(x[0], x[-1], grid)
    curve = np.interp(between[:, 0], x[:, 0], y[:, 0])[:, None]
    raw = Raw((x, y), (x, y), (between, curve))
    return finish("five_points", raw, 1, Options("none", None, 0))
