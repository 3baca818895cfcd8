"""What a run does, step by step: training (`repro.training.loop`), or what another of `repro.procedures` does.

A procedure that has no steps is a function from settings to rows: see `from_rows`.
"""

import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from repro.bars import tracked
from repro.seeds import generator
from repro.storage.metrics import Metric

Scored = dict[tuple[str, str], np.ndarray]  # (split, metric) to values (replicas,)


@dataclass
class Rows:
    """Lines for the tables that are not written yet."""

    curves: list[tuple[Any, ...]] = field(default_factory=list)
    layers: list[tuple[Any, ...]] = field(default_factory=list)
    spectrum: list[tuple[Any, ...]] = field(default_factory=list)


class Work(Protocol):
    """Steps that can be interrupted after each, and taken up again.

    Attributes:
        seeds: of the run.
        parameters: that are trained, of one seed.
        metrics: that the task declares.
        per_epoch: steps in an epoch.
        total: steps in all.
        step: steps made.
        seconds: they took.
        stopped: whether it ended before its last step.
        diverged: replica to the step at which its loss was seen not to be finite.
        rows: lines for the tables.
    """

    seeds: Sequence[int]
    parameters: int
    metrics: Sequence[Metric]
    per_epoch: int
    total: int
    step: int
    seconds: float
    stopped: bool
    diverged: dict[int, int]
    rows: Rows

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""

    def start(self) -> Scored:
        """What comes before the first step; the scores then."""

    def advance(self) -> Scored | None:
        """One step; its scores, if any are due."""

    def predictions(self, split: str) -> Iterator[tuple[Any, ...]]:
        """Lines of predictions.csv for a split."""

    def texts(self, split: str) -> Iterator[tuple[Any, ...]]:
        """Lines of texts.csv for a split."""

    def attention(self, split: str) -> Iterator[tuple[Any, ...]]:
        """Lines of attention.csv for a split."""

    def state(self) -> dict[str, Any]:
        """Everything that is needed to go on as if nothing had been, in plain containers."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to where `state()` was taken."""


class Measured(NamedTuple):
    """A number that a procedure found.

    Attributes:
        metric: its name.
        value: the number.
        step: where on the way it was found; 0 where there is no way.
    """

    metric: str
    value: float
    step: int = 0


def from_rows(function: Callable[..., Iterator[Measured]]) -> Callable[..., Any]:
    """Make a procedure of a function `(data, rng, *, settings ...) -> rows`, called once a seed.

    `data` is what `dataset=` builds, or None where the procedure takes none, and `rng` a `torch.Generator` of the seed.
    Its rows go into curves.csv under the function's name as their split: `dice_mean` is the metric mean of dice.
    """

    def procedure(**settings: Any) -> Callable[[Any], "Once"]:
        return lambda prepared: Once(function.__name__, prepared, partial(function, **settings))

    # What a configuration may set, for the checks of its names and types.
    options = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    procedure.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    procedure.__module__, procedure.__doc__ = function.__module__, function.__doc__
    procedure.__annotations__ = {p.name: p.annotation for p in options}
    return procedure


class Untrained:
    """The part of `Work` that is the same where nothing is trained: there is nothing to predict with."""

    parameters, per_epoch = 0, 1
    metrics: Sequence[Metric] = ()

    def predictions(self, split: str) -> Iterator[tuple[Any, ...]]:
        """None."""
        del split
        yield from ()

    texts = attention = predictions


class Once(Untrained):
    """The work of a function that finds all its rows in one go, seed by seed; interrupted, it starts anew."""

    def __init__(self, name: str, prepared: Any, function: Callable[..., Iterator[Measured]]) -> None:
        self.name, self.seeds, self.data, self.function = name, prepared.run.seeds, prepared.data, function
        self.total, self.step, self.seconds, self.stopped, self.finished = 1, 0, 0.0, False, False
        self.diverged: dict[int, int] = {}
        self.rows = Rows()

    def start(self) -> Scored:
        """Nothing comes before."""
        return {}

    def advance(self) -> Scored:
        """Everything; the last value of each metric."""
        began = time.perf_counter()
        last: dict[tuple[str, str], list[float]] = {}
        for seed in tracked(self.seeds, self.name, "seed"):
            rows = [Measured(*one) for one in self.function(self.data, generator(seed, "noise"))]
            self.rows.curves += [
                (seed, one.step, float(one.step), self.name, one.metric, float(one.value)) for one in rows
            ]
            for name, value in {one.metric: float(one.value) for one in rows}.items():
                last.setdefault((self.name, name), []).append(value)
        # Rows later than the step of a checkpoint count as not yet found.
        self.total = self.step = max([1, *(row[1] for row in self.rows.curves)])
        self.seconds, self.finished = time.perf_counter() - began, True
        return {name: np.array(values) for name, values in last.items()}

    def state(self) -> dict[str, Any]:
        """See `Work`."""
        return {"step": self.step, "finished": self.finished, "seconds": self.seconds}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Work`."""
        self.step = self.total = state["step"]
        self.finished, self.seconds = state["finished"], state["seconds"]
