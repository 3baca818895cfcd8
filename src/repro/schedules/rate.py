"""Learning-rate schedules.

A schedule is a function of the epoch: `schedule(epoch, epochs, ...)` is the factor on the learning rate during
epoch `epoch` = 0, 1, ... of `epochs`. One that is `continuous` is asked before each update; both have fractions then.
Being stateless, it needs nothing in a checkpoint. `Plateau` is the exception.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from repro.errors import number, whole

Schedule = Callable[[float, float], float]


def constant(epoch: int, epochs: int) -> float:
    """Always 1."""
    del epoch, epochs
    return 1.0


def step(epoch: int, epochs: int, every: int, factor: float) -> float:
    """factor^floor(epoch / every)."""
    del epochs
    return float(number("schedule.factor", factor, 0, 1) ** (epoch // whole("schedule.every", every, 1)))


def exponential(epoch: int, epochs: int, factor: float) -> float:
    """factor^epoch."""
    del epochs
    # At 0 nothing would be learnt after the first epoch.
    return float(number("schedule.factor", factor, 0, 1, "(]") ** epoch)


def cosine(epoch: int, epochs: int, floor: float) -> float:
    """From 1 to `floor` along half a cosine (Loshchilov & Hutter 2017, one cycle)."""
    return number("schedule.floor", floor, 0, 1) + (1 - floor) * (1 + math.cos(math.pi * epoch / max(epochs, 1))) / 2


def linear(epoch: int, epochs: int, floor: float) -> float:
    """From 1 to `floor` along a straight line."""
    return 1 - (1 - number("schedule.floor", floor, 0, 1)) * epoch / max(epochs, 1)


def up_and_down(epoch: int, epochs: int, epochs_up: int, floor: float) -> float:
    """In equal steps to 1, which epoch `epochs_up` is the first to have, then to `floor` along a straight line."""
    up = whole("schedule.epochs_up", epochs_up, 0)
    return (epoch + 1) / (up + 1) if epoch < up else linear(epoch - up, epochs - up, floor)


def decay_after(epoch: int, epochs: int, after: int, factor: float) -> float:
    """1 for `after` epochs, then one more `factor` each epoch: factor^max(epoch + 1 - after, 0)."""
    del epochs
    late = max(epoch + 1 - whole("schedule.after", after, 0), 0)
    return float(number("schedule.factor", factor, 0, 1) ** late)


class WarmUp:
    """Along a straight line from `start` to 1 in the first epochs, then 1.

    Args:
        after: epochs until 1, above 0.
        start: in (0, 1].
    """

    continuous = True

    def __init__(self, after: float, start: float) -> None:
        self.after = number("schedule.after", after, 0, ends="(]")
        self.start = number("schedule.start", start, 0, 1, "(]")

    def __call__(self, epoch: float, epochs: float) -> float:
        """The factor at a moment, however long the run is."""
        del epochs
        return self.start + (1 - self.start) * min(epoch / self.after, 1.0)


class OneCycle:
    """From `start` to 1 and down to `floor`, along half a cosine each (Smith & Topin 2018; momentum stays as it is).

    Args:
        rising: share of the run until 1, in (0, 1).
        start: in (0, 1].
        floor: in [0, 1].
    """

    continuous = True

    def __init__(self, rising: float, start: float, floor: float) -> None:
        self.rising = number("schedule.rising", rising, 0, 1, "()")
        self.start = number("schedule.start", start, 0, 1, "(]")
        self.floor = number("schedule.floor", floor, 0, 1)

    def __call__(self, epoch: float, epochs: float) -> float:
        """The factor at a moment of so long a run."""
        done = min(epoch / max(epochs, 1e-9), 1.0)
        if done < self.rising:
            return 1 + (self.start - 1) * (1 + math.cos(math.pi * done / self.rising)) / 2
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * (done - self.rising) / (1 - self.rising))) / 2


@dataclass
class Patience:
    """Counts evaluations without improvement of a watched metric.

    Attributes:
        higher_is_better: whether the metric is to grow (accuracy) or to fall (loss).
        best: the best value so far.
        waited: evaluations since then.
    """

    higher_is_better: bool
    best: float = field(default=math.nan)
    waited: int = 0

    def watch(self, value: float) -> int:
        """Take note of a new value; returns how many evaluations in a row have brought nothing better."""
        better = math.isnan(self.best) or (value > self.best if self.higher_is_better else value < self.best)
        self.best, self.waited = (value, 0) if better else (self.best, self.waited + 1)
        return self.waited


class Plateau:
    """Multiplies the learning rate by `factor` whenever the watched metric has not improved for `patience` evaluations.

    Args:
        factor: in (0, 1).
        patience: evaluations, 1 or more.
    """

    def __init__(self, factor: float, patience: int) -> None:
        self.factor = number("schedule.factor", factor, 0, 1, "()")
        self.patience, self.scale = whole("schedule.patience", patience, 1), 1.0

    def __call__(self, epoch: float, epochs: float) -> float:
        """The present factor, whatever the epoch."""
        del epoch, epochs
        return self.scale

    def watch(self, patience: Patience, value: float) -> None:
        """Take note of a new value of the watched metric."""
        if patience.watch(value) >= self.patience:
            self.scale, patience.waited = self.scale * self.factor, 0
