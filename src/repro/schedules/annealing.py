"""How much noise noisy units get over the course of training."""

import math
from collections.abc import Callable

from repro.errors import number

Annealing = Callable[[int], float]


class InverseSqrt:
    """c = max(least, start / sqrt(floor(update / interval) + 1)): Gulcehre et al. 2016, section 6.6.

    With the paper's numbers (30, 0.5, 200) the least is reached after 719,800 updates.

    Args:
        start: c before the first update, at least `least`.
        least: c at the end, 0 or more.
        interval: updates between two steps down, above 0; need not be whole.
    """

    def __init__(self, start: float, least: float, interval: float) -> None:
        self.least = number("annealing.least", least, 0)
        self.start = number("annealing.start", start, self.least)
        self.interval = number("annealing.interval", interval, 0, ends="(]")

    def __call__(self, update: int) -> float:
        """c during update 0, 1, ..."""
        return max(self.least, self.start / math.sqrt(math.floor(update / self.interval) + 1))
