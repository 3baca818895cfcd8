"""How unlike the units of a layer are, with loops."""

import math
from typing import Any


def unit_spread(outs: list[Any]) -> float:
    """Mean over samples and places of the standard deviation over units (channels).

    Args:
        outs: of each sample its activations, (units,) or (channels, height, width).
    """
    found = []
    for out in outs:
        for place in out.reshape(out.shape[0], -1).T:
            mean = sum(place) / len(place)
            found.append(math.sqrt(sum((value - mean) ** 2 for value in place) / len(place)))
    return float(sum(found) / len(found))


QUANTITIES = {"unit_spread": unit_spread}
