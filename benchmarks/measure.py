"""How everything here is measured."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from repro.config.compose import compose
from repro.config.run import Run, resolve
from repro.datasets.protocol import Dataset, Order
from repro.procedures.train import Train
from repro.training import prepare
from repro.training.loop import Loop
from repro.training.replicas import learner


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        bar: what is measured.
        measured: the figure with its unit.
        required: the same for the bar; empty where there is none.
        met: None where there is no bar, or nothing could be measured.
    """

    bar: str
    measured: str
    required: str = ""
    met: bool | None = None


def in_turns(
    jobs: Sequence[Callable[[], object]], repeats: int, clock: Callable[[], float] = time.process_time
) -> list[list[float]]:
    """Seconds of processor time, or by another clock, of each job, measured one after the other, `repeats` times."""
    seconds: list[list[float]] = [[] for _ in jobs]
    for _ in range(repeats):
        for found, job in zip(seconds, jobs, strict=True):
            began = clock()
            job()
            found.append(clock() - began)
    return seconds


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Median of the ratios of measurements that were made in turn."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def run_of(*words: str) -> Run:
    """The run that `repro train` would make of these words."""
    return resolve(compose(list(words)))


def loop_of(run: Run, data: Dataset | None = None, net: nn.Module | None = None, device: str = "cpu") -> Loop:
    """Its loop, on other data and with another net if they are given."""
    torch.set_num_threads(run.settings["threads"])
    parts, place = prepare.components(run), torch.device(device)
    if data is None:
        data, feed = prepare.read_data(run, parts, place)
    else:
        trainer = run.trainer
        feed = data.feed(Order(run.seeds, trainer.batch_size, place, trainer.steps, trainer.epochs))
    loop = Train()(prepare.Prepared(run, place, parts, data, feed))
    if net is not None:
        loop.learner = learner([net], run.seeds, parts.task, place)
        loop.optimizer = parts.optimizer(list(loop.learner.parameters.values()), fused=True)
    return loop


def times(loop: Loop, steps: int) -> Callable[[], None]:
    """A job: so many steps of a loop, to their end on a GPU as well."""
    on_gpu = next(iter(loop.learner.parameters.values())).is_cuda

    def job() -> None:
        for _ in range(steps):
            loop.advance()
        if on_gpu:
            torch.cuda.synchronize()

    return job
