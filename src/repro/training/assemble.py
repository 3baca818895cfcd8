"""From a run's settings to the objects that the loop works on. Data are read last, after everything else is checked."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from repro.architectures.kit import Kit
from repro.build import build, check_node
from repro.config import COMPONENTS, Run
from repro.datasets.data import Data, Split
from repro.errors import UserError, unknown
from repro.initialization import initialize
from repro.optimization import Plateau, make_optimizer
from repro.seeds import generator
from repro.tasks import Task
from repro.training.learner import learner
from repro.training.loop import Loop


@dataclass(frozen=True)
class Parts:
    """The components of a run that need no data."""

    kit: Kit
    initialization: Any
    optimizer: Any
    schedule: Any
    task: Task


def device_of(name: str) -> torch.device:
    """The device of that name; "auto" takes CUDA where it is to be had.

    Raises:
        UserError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        have = ", ".join(["auto", "cpu", *(["cuda"] if torch.cuda.is_available() else [])])
        raise UserError(f"device={name} is not available on this machine; available: {have}") from error
    return device


def check_targets(run: Run) -> None:
    """Check targets, names and types of every component, building nothing; done even for a run that is finished."""
    for group in COMPONENTS:
        check_node(run.settings[group], group, run.settings["trusted"])


def components(run: Run) -> Parts:
    """Build everything that needs no data, before any data are read; `check_targets` came first."""
    settings, trusted = run.settings, run.settings["trusted"]

    def part(group: str) -> Any:
        return build(settings[group], group, trusted)

    kit = Kit(part("activation"), part("backward"), part("normalization"))
    schedule = part("schedule")
    schedule(0, 1)  # a schedule checks its options when it is asked
    parts = Parts(kit, part("initialization"), part("optimizer"), schedule, part("task"))
    # A first look at options that only show when used: weights of a net with two units.
    with _explained("optimizer"):
        parts.optimizer([nn.Parameter(torch.zeros(1))])
    kit.unit(1), kit.gate(1), kit.normalize(1, 1)
    with _explained("initialization"):
        parts.initialization(torch.empty(4, 4), generator(0, "initialization"))
    return parts


class _explained:  # noqa: N801 - reads as a word of the with statement
    """Turn a component's ValueError into a one-line UserError that names its group."""

    def __init__(self, group: str) -> None:
        self.group = group

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, ValueError):
            raise UserError(f"{self.group}: {error}") from error


def read_data(run: Run, parts: Parts) -> Data:
    """Read the data set and check that it suits the task."""
    data: Data = build(run.settings["dataset"], "dataset", run.settings["trusted"])
    parts.task.check(data.train.y, data.name)
    if len(data.train.x) < 2 and run.settings["normalization"]["_target_"].endswith(".batch"):
        raise UserError("normalization=batch needs 2 or more training samples")
    return data


def models(run: Run, parts: Parts, data: Data) -> list[nn.Module]:
    """One network a seed, initialized from that seed alone."""
    return list(_models(run, parts, data))


def _models(run: Run, parts: Parts, data: Data) -> Iterator[nn.Module]:
    for seed in run.seeds:
        # torch's layers fill themselves from the global generator; what they draw is overwritten below.
        with torch.random.fork_rng(devices=[]):
            module: nn.Module = build(
                run.settings["architecture"],
                "architecture",
                run.settings["trusted"],
                shape=tuple(data.train.x.shape[1:]),
                outputs=data.outputs,
                kit=parts.kit,
            )
        with _explained("initialization"):
            initialize(module, parts.initialization, generator(seed, "initialization"))
        yield module


def loop(run: Run, parts: Parts, data: Data, device: torch.device) -> Loop:
    """The loop, ready to start."""
    try:
        taught = learner(models(run, parts, data), run.seeds, parts.task, device)
    except (MemoryError, RuntimeError) as error:
        if "memory" not in str(error):
            raise
        raise UserError("the net does not fit into memory; make architecture smaller or take fewer replicas") from error
    there = replace(data, train=_to(data.train, device), valid=_to(data.valid, device), test=_to(data.test, device))
    rest = [p for name, p in taught.parameters.items() if name not in taught.weights]
    with _explained("optimizer"):
        optimizer = make_optimizer(parts.optimizer, list(taught.weights.values()), rest, device)
    _check_monitor(run, parts, there)
    return Loop(taught, there, optimizer, parts.schedule, run.trainer, run.diagnostics)


def _check_monitor(run: Run, parts: Parts, data: Data) -> None:
    """A watched metric must exist, or early stopping would never stop."""
    monitor, watched = run.trainer.monitor, run.trainer.patience is not None or isinstance(parts.schedule, Plateau)
    metrics = parts.task.measure(torch.zeros(2, data.outputs), data.train.y[:2].cpu())
    # Without anybody watching it, the default may name a split that has no samples.
    splits = [s for s in ("train", "valid", "test") if len(getattr(data, s).x) or not watched]
    known = [f"{split}_{metric}" for split in splits for metric in metrics]
    if monitor not in known:
        raise unknown("metric in trainer.monitor", monitor, known)


def _to(split: Split, device: torch.device) -> Split:
    def move(values: Tensor) -> Tensor:
        return values.to(device)

    return Split(move(split.x), move(split.y))
