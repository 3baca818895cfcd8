"""A learning rate found by trying: updates at rates that rise until the loss does (Smith 2017, section 3.3)."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from repro.config.groups import declares
from repro.errors import UserError, number, whole
from repro.procedures.train import new_optimizer
from repro.storage.metrics import FINDER
from repro.training.loop import Loop
from repro.training.prepare import Prepared
from repro.training.work import Rows, Scored, Untrained


class RateFinder:
    """Train at rates that rise geometrically and note the loss of every batch; the net is of no use afterwards.

    Args:
        lowest: rate of the first update, above 0.
        highest: of the last, above `lowest`.
        steps: updates, 10 or more.
        smoothing: share of the loss so far in each smoothed value, in [0, 1).
        stop: times the least smoothed loss at which the search ends, above 1.
    """

    def __init__(self, lowest: float, highest: float, steps: int, smoothing: float, stop: float) -> None:
        self.lowest = number("procedure.lowest", lowest, 0, ends="()")
        self.highest = number("procedure.highest", highest, self.lowest, ends="()")
        self.steps = whole("procedure.steps", steps, 10)
        self.smoothing = number("procedure.smoothing", smoothing, 0, 1, "[)")
        self.stop = number("procedure.stop", stop, 1, ends="()")

    def __call__(self, prepared: Prepared) -> "Rising":
        """The work, ready to start.

        Raises:
            UserError: the optimizer refuses an option, or chooses its steps itself.
        """
        run = prepared.run
        if declares(run.settings, "optimizer", "needs_closure"):
            raise UserError(
                "procedure=lr_finder needs an optimizer that takes the rate it is given; take optimizer=sgd, say"
            )
        learner = prepared.learner()
        optimizer = new_optimizer(prepared, learner)
        rising = Rising(self)
        trainer = replace(run.trainer, eval_every=0, eval_steps=None, patience=None, keep_best=False)
        loop = Loop(
            learner, prepared.feed, optimizer, rising.factor, prepared.components.annealing, trainer, run.diagnostics
        )
        loop.total = self.steps + 1  # so that no update is its last, which it would evaluate
        rising.loop, rising.seeds, rising.parameters = loop, learner.seeds, loop.parameters
        rising.rate = loop.rates[0]
        return rising


class Rising(Untrained):
    """One update a step. A seed whose loss has blown up is looked at no longer."""

    loop: Loop

    def __init__(self, settings: RateFinder) -> None:
        self.settings, self.rate = settings, 1.0
        self.seeds: Sequence[int] = ()
        self.total, self.step, self.seconds, self.stopped = settings.steps, 0, 0.0, False
        self.diverged: dict[int, int] = {}
        self.rows = Rows()
        self.losses: list[list[float]] = []  # of each update, by seed

    def rate_at(self, step: int) -> float:
        """The learning rate of an update, 0 the first."""
        own = self.settings
        return float(own.lowest * (own.highest / own.lowest) ** (step / (own.steps - 1)))

    def factor(self, epoch: float, epochs: float) -> float:
        """The present rate over the optimizer's own, whatever the epoch: a schedule."""
        del epoch, epochs
        return self.rate_at(self.step) / self.rate

    @property
    def finished(self) -> bool:
        """See `Work`."""
        return self.step >= self.total or self.stopped

    def start(self) -> Scored:
        """Nothing comes before."""
        return {}

    def advance(self) -> Scored | None:
        """One update; after the last one, what it suggests."""
        began = time.perf_counter()
        self.loop.sums, self.loop.counted = {}, 0
        self.loop.advance()
        counted = torch.as_tensor(self.loop.counted).cpu().numpy()
        self.losses.append((self.loop.sums["loss"].cpu().numpy() / counted).tolist())
        rate, self.step = self.rate_at(self.step), self.step + 1
        curves = [smoothed([row[i] for row in self.losses], self.settings.smoothing) for i in range(len(self.seeds))]
        alive = [i for i, curve in enumerate(curves) if not self._blown_up(curve[:-1])]
        for i in alive:
            for name, value in (("rate", rate), ("loss", self.losses[-1][i]), ("smoothed", curves[i][-1])):
                if math.isfinite(value):
                    self._note(i, name, value)
        self.stopped = all(self._blown_up(curve) for curve in curves)
        self.seconds += time.perf_counter() - began
        return self._conclude(curves) if self.finished else None

    def _blown_up(self, curve: Sequence[float]) -> bool:
        """Whether a value is not finite, or far above the least before it."""
        least = np.minimum.accumulate(np.array(curve)) if curve else np.array([])
        return bool(np.any(~np.isfinite(curve)) or np.any(np.array(curve) > self.settings.stop * least))

    def _conclude(self, curves: Sequence[Sequence[float]]) -> Scored:
        rates = [self.rate_at(step) for step in range(self.step)]
        found: dict[str, list[float]] = {}
        for i, curve in enumerate(curves):
            for name, value in suggestion(rates, curve).items():
                found.setdefault(name, []).append(value)
                self._note(i, name, value)
        return {(FINDER, name): np.array(values) for name, values in found.items()}

    def _note(self, replica: int, name: str, value: float) -> None:
        self.rows.curves.append((self.seeds[replica], self.step, float(self.step), FINDER, name, float(value)))

    def state(self) -> dict[str, Any]:
        """See `Work`."""
        own = {"step": self.step, "seconds": self.seconds, "stopped": self.stopped, "losses": self.losses}
        return own | {"loop": self.loop.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Work`."""
        self.step, self.seconds, self.stopped = state["step"], state["seconds"], state["stopped"]
        self.losses = [list(row) for row in state["losses"]]
        self.loop.restore(state["loop"])


def smoothed(values: Sequence[float], share: float) -> list[float]:
    """Exponential means of what has come so far, without the pull of the zero that they start from."""

    def means() -> Iterator[float]:
        mean = 0.0
        for n, value in enumerate(values, 1):
            mean = share * mean + (1 - share) * value
            yield mean / (1 - share**n)

    return list(means())


def suggestion(rates: Sequence[float], curve: Sequence[float]) -> dict[str, float]:
    """The rate at which the loss falls fastest by the rate's logarithm, and the one at which it is least.

    Args:
        rates: rising.
        curve: the smoothed loss at each.

    Returns:
        `suggested_rate` and `lowest_rate`; nothing where the loss never falls.
    """
    finite = list(curve[: next((i for i, value in enumerate(curve) if not math.isfinite(value)), len(curve))])
    if len(finite) < 3:
        return {}
    slopes = np.gradient(np.array(finite), np.log(np.array(rates[: len(finite)])))
    least = int(np.argmin(finite))
    steepest = int(np.argmin(slopes[: least + 1]))
    return {"suggested_rate": rates[steepest], "lowest_rate": rates[least]} if slopes[steepest] < 0 else {}
