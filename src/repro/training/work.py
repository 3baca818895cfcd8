"""What a run does, step by step: train (`repro.training.loop`), or one of `repro.jobs`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from repro.training.learner import Learner

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
        learner: what is worked on.
        per_epoch: steps in an epoch.
        total: steps in all.
        step: steps made.
        seconds: they took.
        stopped: whether it ended before its last step.
        diverged: replica to the step at which its loss was seen not to be finite.
        rows: lines for the tables.
    """

    learner: Learner
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

    def state(self) -> dict[str, Any]:
        """Everything that is needed to go on as if nothing had been, in plain containers."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to where `state()` was taken."""
