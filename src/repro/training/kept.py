"""The best net of a run, by `trainer.monitor`, kept beside the one that goes on learning."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from repro.training.replicas import Learner

PARTS = ("parameters", "buffers")


class Kept:
    """Copies of a learner's parameters and buffers, where it was best.

    Attributes:
        step: at which that was; None before the first evaluation that counts.
    """

    def __init__(self) -> None:
        self.step: int | None = None
        self._values: dict[str, dict[str, Tensor]] = {}

    def take(self, learner: Learner, step: int) -> None:
        """Keep the learner as it is now."""
        self.step = step
        self._values = {part: {k: v.detach().clone() for k, v in getattr(learner, part).items()} for part in PARTS}

    @contextmanager
    def loaded(self, learner: Learner) -> Iterator[None]:
        """Within it the learner is the one that was kept, if one was, and its task takes its last look."""
        now, task = Kept(), learner.task
        now.take(learner, 0)
        self._load(learner)
        learner.task = task.last_look()
        try:
            yield
        finally:
            now._load(learner)
            learner.task = task

    def _load(self, learner: Learner) -> None:
        with torch.no_grad():
            for part, values in self._values.items():
                for name, value in getattr(learner, part).items():
                    value.copy_(values[name])

    def state(self) -> dict[str, Any]:
        """In plain containers."""
        return {"step": self.step, "values": self._values}

    def restore(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go back to where `state()` was taken."""
        self.step = state["step"]
        self._values = {part: {k: v.to(device) for k, v in own.items()} for part, own in state["values"].items()}
