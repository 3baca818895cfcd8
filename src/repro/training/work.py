"""What a run does, step by step: training (`repro.training.loop`), or what another of `repro.procedures` does.

A procedure that has no steps is a function from settings to rows: see `from_rows`.
"""

import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol, overload

import numpy as np
import torch

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
    predictions: list[tuple[Any, ...]] = field(default_factory=list)


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

    def state(self) -> dict[str, Any]:
        """Everything that is needed to go on as if nothing had been, in plain containers."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to where `state()` was taken."""


class Measured(NamedTuple):
    """A number that a procedure found.

    Attributes:
        metric: its name.
        value: the number; of a stacked procedure an array of them, one a seed, or one number for all.
        step: where on the way it was found, or its place in a series; 0 where there is neither.
    """

    metric: str
    value: Any
    step: int = 0


Function = Callable[..., Iterator[Measured]]


@overload
def from_rows(function: Function) -> Callable[..., Any]: ...


@overload
def from_rows(
    *, check: Callable[..., None] | None = None, stacked: bool = False
) -> Callable[[Function], Callable[..., Any]]: ...


def from_rows(
    function: Function | None = None, *, check: Callable[..., None] | None = None, stacked: bool = False
) -> Callable[..., Any]:
    """Make a procedure of a function `(data, rng, *, settings ...) -> rows`, called once a seed.

    `data` is what `dataset=` builds, or None where the procedure takes none, and `rng` a `torch.Generator` of the seed.
    Its rows go into curves.csv under the function's name as their split: `dice_mean` is the metric mean of dice, and
    of a series the last value stands in runs.csv.

    Args:
        function: the function; as a decorator it stands alone or with what follows.
        check: is called with all settings before anything is read or written, and raises `UserError` or nothing.
        stacked: the function does all seeds at once: `rng` is a list of generators and values are arrays, one a seed.
            A seed must come out as it would alone, so that each draws from its own generator only.
    """
    if function is None:
        return lambda function: _procedure(function, check, stacked)
    return _procedure(function, check, stacked)


def _procedure(function: Function, check: Callable[..., None] | None, stacked: bool) -> Callable[..., Any]:
    def procedure(**settings: Any) -> Callable[[Any], "Once"]:
        if check is not None:
            check(**settings)
        return lambda prepared: Once(function.__name__, prepared, partial(function, **settings), stacked)

    # What a configuration may set, for the checks of its names and types.
    options = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    procedure.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    procedure.__module__, procedure.__doc__ = function.__module__, function.__doc__
    procedure.__annotations__ = {p.name: p.annotation for p in options}
    return procedure


class Untrained:
    """The part of `Work` that is the same where nothing is trained."""

    parameters, per_epoch = 0, 1
    metrics: Sequence[Metric] = ()


class Once(Untrained):
    """The work of a function that finds all its rows in one go; interrupted, it starts anew."""

    def __init__(self, name: str, prepared: Any, function: Function, stacked: bool = False) -> None:
        self.name, self.seeds, self.data, self.function = name, prepared.run.seeds, prepared.data, function
        self.stacked = stacked
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
        for seed, rows in self._found():
            self.rows.curves += [(seed, one.step, float(one.step), self.name, one.metric, one.value) for one in rows]
            for name, value in {one.metric: one.value for one in rows}.items():
                last.setdefault((self.name, name), []).append(value)
        # Rows later than the step of a checkpoint count as not yet found.
        self.total = self.step = max([1, *(row[1] for row in self.rows.curves)])
        self.seconds, self.finished = time.perf_counter() - began, True
        return {name: np.array(values) for name, values in last.items()}

    def _found(self) -> Iterator[tuple[int, list[Measured]]]:
        """The rows of each seed, values as plain numbers."""
        rngs = [generator(seed, "noise") for seed in self.seeds]
        if not self.stacked:
            for seed, rng in tracked(zip(self.seeds, rngs, strict=True), self.name, "seed", len(rngs)):
                rows = (Measured(*one) for one in self.function(self.data, rng))
                yield seed, [one._replace(value=float(one.value)) for one in rows]
            return
        all_rows = [Measured(*one) for one in self.function(self.data, rngs)]
        values = [np.broadcast_to(_array(one.value), len(rngs)) for one in all_rows]
        for place, seed in enumerate(self.seeds):
            yield seed, [one._replace(value=float(own[place])) for one, own in zip(all_rows, values, strict=True)]

    def state(self) -> dict[str, Any]:
        """See `Work`."""
        return {"step": self.step, "finished": self.finished, "seconds": self.seconds}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Work`."""
        self.step = self.total = state["step"]
        self.finished, self.seconds = state["finished"], state["seconds"]


def _array(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value, dtype=float)
