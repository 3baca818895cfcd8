"""When to measure."""

import numpy as np


def measured_steps(total: int, every: int | None, log_spaced: int) -> frozenset[int]:
    """The steps after which the layers are measured; 0 (before the first update) and `total` are among them.

    Args:
        total: updates of the run, 0 or more.
        every: distance between two measurements; None = log-spaced.
        log_spaced: about so many measurements, evenly spaced on a logarithmic axis from 1 to total.
    """
    if every is not None:
        between = set(range(0, total, every))
    elif log_spaced and total:
        between = set(np.geomspace(1, total, log_spaced).round().astype(int).tolist())
    else:
        between = set()
    return frozenset(between | {0, total})
