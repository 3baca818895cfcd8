"""When to measure the layers, and when to evaluate."""

from collections.abc import Sequence

import numpy as np

from repro.config.schema import TrainerConfig


def measured_steps(
    total: int, every: int | None, log_spaced: int, steps: Sequence[int] | None = None
) -> frozenset[int]:
    """The steps after which the layers are measured; 0 (before the first update) and `total` are among them.

    Args:
        total: updates of the run, 0 or more.
        every: distance between two measurements; None = log-spaced.
        log_spaced: about so many measurements, evenly spaced on a logarithmic axis from 1 to total.
        steps: these instead, as far as they are not beyond total; None = go by the other two.
    """
    if steps is not None:
        between = {step for step in steps if step <= total}
    elif every is not None:
        between = set(range(0, total, every))
    elif log_spaced and total:
        between = set(np.geomspace(1, total, log_spaced).round().astype(int).tolist())
    else:
        between = set()
    return frozenset(between | {0, total})


def evaluation_due(step: int, per_epoch: int, trainer: TrainerConfig) -> bool:
    """Whether an evaluation is due after a step that is not the last."""
    every = trainer.eval_every * per_epoch
    if trainer.eval_steps is not None:
        return (step - (trainer.eval_offset or 0)) % trainer.eval_steps == 0
    return bool(every and step % every == 0)


def most_measured(total: int, every: int | None, log_spaced: int, steps: Sequence[int] | None = None) -> int:
    """How many steps `measured_steps` works out, at most; nothing is worked out here."""
    if steps is not None:
        return len(steps) + 2
    return (-(-total // every) if every is not None else log_spaced) + 2
