"""Learning-rate schedules.

A schedule is a function of the epoch: `schedule(epoch, epochs, ...)` is the factor on the learning rate during
epoch `epoch` = 0, 1, ... of `epochs`. Being stateless, it needs nothing in a checkpoint. `Plateau` is the exception.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from repro.errors import UserError

Schedule = Callable[[int, int], float]


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise UserError(f"schedule.{name} must be between 0 and 1, not {value}")
    return value


def _epochs(name: str, value: int, least: int) -> int:
    if value < least:
        raise UserError(f"schedule.{name} must be {least} or more epochs, not {value}")
    return value


def constant(epoch: int, epochs: int) -> float:
    """Always 1."""
    del epoch, epochs
    return 1.0


def step(epoch: int, epochs: int, every: int, factor: float) -> float:
    """factor^floor(epoch / every)."""
    del epochs
    return _share("factor", factor) ** (epoch // _epochs("every", every, 1))


def exponential(epoch: int, epochs: int, factor: float) -> float:
    """factor^epoch."""
    del epochs
    if factor == 0:
        raise UserError("schedule.factor must be above 0: at 0 nothing is learnt after the first epoch")
    return float(_share("factor", factor) ** epoch)


def cosine(epoch: int, epochs: int, floor: float) -> float:
    """From 1 to `floor` along half a cosine (Loshchilov & Hutter 2017, one cycle)."""
    return _share("floor", floor) + (1 - floor) * (1 + math.cos(math.pi * epoch / max(epochs, 1))) / 2


def linear(epoch: int, epochs: int, floor: float) -> float:
    """From 1 to `floor` along a straight line."""
    return 1 - (1 - _share("floor", floor)) * epoch / max(epochs, 1)


def warm_up(epoch: int, epochs: int, epochs_up: int, floor: float) -> float:
    """In equal steps to 1, which epoch `epochs_up` is the first to have, then to `floor` along a straight line."""
    up = _epochs("epochs_up", epochs_up, 0)
    return (epoch + 1) / (up + 1) if epoch < up else linear(epoch - up, epochs - up, floor)


def decay_after(epoch: int, epochs: int, after: int, factor: float) -> float:
    """1 for `after` epochs, then one more `factor` each epoch: factor^max(epoch + 1 - after, 0)."""
    del epochs
    return float(_share("factor", factor) ** max(epoch + 1 - _epochs("after", after, 0), 0))


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
        if not 0 < factor < 1:
            raise UserError(f"schedule.factor must lie between 0 and 1, not {factor}")
        _epochs("patience", patience, 1)
        self.factor, self.patience, self.scale = factor, patience, 1.0

    def __call__(self, epoch: int, epochs: int) -> float:
        """The present factor, whatever the epoch."""
        del epoch, epochs
        return self.scale

    def watch(self, patience: Patience, value: float) -> None:
        """Take note of a new value of the watched metric."""
        if patience.watch(value) >= self.patience:
            self.scale, patience.waited = self.scale * self.factor, 0
