"""From a run's settings to the objects that the loop works on. Data are read last, after everything else is checked."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from repro.architectures.kit import Kit
from repro.build import build, check_node
from repro.config import Run
from repro.datasets.data import Data, Split
from repro.errors import UserError
from repro.initialization import initialize
from repro.optimization import Plateau
from repro.seeds import generator
from repro.tasks import Task
from repro.training.learner import Learner, learner
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


def components(run: Run) -> Parts:
    """Build everything that needs no data and check the rest, before any data are read."""
    settings, trusted = run.settings, run.settings["trusted"]

    def part(group: str) -> Any:
        return build(settings[group], group, trusted)

    for group in ("dataset", "architecture"):
        check_node(settings[group], group, trusted)
    kit = Kit(part("activation"), part("backward"), part("normalization"))
    schedule = part("schedule")
    schedule(0, 1)  # a schedule checks its options when it is asked
    parts = Parts(kit, part("initialization"), part("optimizer"), schedule, part("task"))
    # A first look at options that only show when used: weights of a net with two units.
    parts.optimizer([nn.Parameter(torch.zeros(1))]) if settings["optimizer"].get("_partial_") else None
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
            module: nn.Module = build(run.settings["architecture"], "architecture", run.settings["trusted"],
                                      shape=tuple(data.train.x.shape[1:]), outputs=data.outputs, kit=parts.kit)  # fmt: skip
        with _explained("initialization"):
            initialize(module, parts.initialization, generator(seed, "initialization"))
        yield module


def loop(run: Run, parts: Parts, data: Data, device: torch.device) -> Loop:
    """The loop, ready to start."""
    taught = learner(models(run, parts, data), run.seeds, parts.task, device)
    there = replace(
        data, train=_to(data.train, device), valid=_to(data.valid, device), test=_to(data.test, device)
    )
    rest = [p for name, p in taught.parameters.items() if name not in taught.weights]
    groups: list[dict[str, Any]] = [
        {"params": list(taught.weights.values())},
        {"params": rest, "weight_decay": 0.0},
    ]
    with _explained("optimizer"):
        optimizer = parts.optimizer([group for group in groups if group["params"]])
    _check_monitor(run, parts, there)
    return Loop(taught, there, optimizer, parts.schedule, run.trainer, run.diagnostics)


def _check_monitor(run: Run, parts: Parts, data: Data) -> None:
    """A watched metric must exist, or early stopping would never stop."""
    if run.trainer.patience is None and not isinstance(parts.schedule, Plateau):
        return
    split, _, metric = run.trainer.monitor.partition("_")
    output = torch.zeros(2, data.outputs)
    target = data.train.y[:2].cpu()
    known = [f"{s}_{m}" for s in ("train", "valid", "test") for m in parts.task.measure(output, target)
             if len(getattr(data, s).x)]  # fmt: skip
    if f"{split}_{metric}" not in known:
        raise UserError(
            f"trainer.monitor={run.trainer.monitor} is not measured here; known: {', '.join(known)}"
        )


def _to(split: Split, device: torch.device) -> Split:
    def move(values: Tensor) -> Tensor:
        return values.to(device)

    return Split(move(split.x), move(split.y))
