"""From a run's settings to the objects that the loop works on. Data are read last, after everything else is checked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from repro.activations import Nonlinearity
from repro.architectures.kit import Kit
from repro.architectures.layers import Plain
from repro.backward import LinearAbove, at_depth
from repro.build import build, check_node, locate, takes
from repro.config import COMPONENTS, Run
from repro.datasets.data import Dataset, Feed, Order
from repro.diagnostics.probe import layers_of
from repro.errors import UserError, unknown
from repro.initialization import initialize
from repro.optimization import Plateau, make_optimizer
from repro.seeds import generator
from repro.tasks import Task
from repro.training.curvature import Curvature
from repro.training.execution import Execution, check_compiler
from repro.training.learner import Learner, learner
from repro.training.loop import Loop
from repro.training.work import Work


@dataclass(frozen=True)
class Parts:
    """The components of a run that need no data."""

    kit: Kit
    initialization: Any
    optimizer: Any
    schedule: Any
    task: Task
    annealing: Any
    curriculum: Any
    job: Any
    hessian: Any


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
        if run.settings[group] is not None:
            check_node(run.settings[group], group, run.settings["trusted"])
    _check_sequences(run)


def _check_sequences(run: Run) -> None:
    """A net for sequences needs a data set of sequences, and the other way round."""
    groups = ("dataset", "architecture")
    data, net = (getattr(locate(run.settings[g], g, run.settings["trusted"]), "sequential", False) for g in groups)
    names = {g: run.settings["choices"].get(g) or run.settings[g]["_target_"] for g in groups}
    if net and not data:
        raise UserError(f"architecture={names['architecture']} reads sequences, and dataset={names['dataset']} has "
                        "none; take dataset=penn_treebank, say, or architecture=mlp")  # fmt: skip
    if data and not net:
        raise UserError(f"dataset={names['dataset']} has sequences, which architecture={names['architecture']} cannot "
                        "read; take architecture=lstm, lstm_classifier or ntm")  # fmt: skip
    for key in ("precision", "compile"):
        if net and run.settings["trainer"][key]:
            raise UserError(f"trainer.{key} is for nets without a state, not for architecture="
                            f"{names['architecture']}; leave it null")  # fmt: skip


def components(run: Run) -> Parts:
    """Build everything that needs no data, before any data are read; `check_targets` came first."""
    settings, trusted = run.settings, run.settings["trusted"]

    def part(group: str) -> Any:
        return None if settings[group] is None else build(settings[group], group, trusted)

    kit = Kit(part("activation"), part("backward"), part("normalization"), part("weight"))
    schedule = part("schedule")
    schedule(0, 1)  # a schedule checks its options when it is asked
    parts = Parts(kit, part("initialization"), part("optimizer"), schedule, part("task"), part("annealing"),
                  part("curriculum"), part("job"), part("hessian"))  # fmt: skip
    # A first look at options that only show when used: weights of a net with two units.
    with _explained("optimizer"):
        parts.optimizer([nn.Parameter(torch.zeros(1))])
    kit.unit(1), kit.gate(1), kit.normalize(1, 1)
    with _explained("backward"):
        kit.rule(torch.tanh, torch.zeros(1))
    with _explained("initialization"):
        parts.initialization(torch.empty(4, 4), generator(0, "initialization"))
    if run.trainer.compile:
        check_compiler(device_of(run.settings["device"]))
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


def execution(run: Run) -> Execution:
    """In which arithmetic and layout the net is run."""
    return Execution(run.trainer.precision, bool(run.trainer.channels_last), bool(run.trainer.compile))


def read_data(run: Run, parts: Parts, device: torch.device) -> tuple[Dataset, Feed]:
    """Read the data set and check that it suits the task."""
    data: Dataset = build(run.settings["dataset"], "dataset", run.settings["trusted"])
    trainer = run.trainer
    order = Order(run.seeds, trainer.batch_size, device, trainer.steps, trainer.epochs, parts.curriculum,
                  execution(run).dtype)  # fmt: skip
    feed = data.feed(order)
    probe = feed.probe(2)
    parts.task.check(probe.y, data.name)
    if len(probe.x) < 2 and run.settings["normalization"]["_target_"].endswith(".batch"):
        raise UserError("normalization=batch needs 2 or more training samples")
    return data, feed


def models(run: Run, parts: Parts, data: Dataset) -> list[nn.Module]:
    """One network a seed, initialized from that seed alone."""
    return list(_models(run, parts, data))


def _models(run: Run, parts: Parts, data: Dataset) -> Iterator[nn.Module]:
    for seed in run.seeds:
        # torch's layers fill themselves from the global generator; what they draw is overwritten below.
        tokens = {"tokens": data.tokens} if takes(run.settings["architecture"], "tokens") else {}
        with torch.random.fork_rng(devices=[]):
            module: nn.Module = build(
                run.settings["architecture"],
                "architecture",
                run.settings["trusted"],
                shape=data.shape,
                outputs=parts.task.outputs(data.outputs),
                kit=parts.kit,
                **tokens,
            )
        settle(module, parts.kit)
        with _explained("initialization"):
            initialize(module, parts.initialization, generator(seed, "initialization"))
        yield module


def settle(module: nn.Module, kit: Kit) -> None:
    """Give every nonlinearity the rule of its depth; an architecture must have got its layers from the kit."""
    for part in module.modules():
        if type(part) in (nn.Linear, nn.Conv2d) and not isinstance(kit.weights, Plain):
            raise UserError(f"this architecture makes a {type(part).__name__} by itself, which weight=binary and "
                            "backward=feedback_alignment cannot replace; leave them out")  # fmt: skip
    layers = layers_of(module)
    depths = {layer.site: layer.depth for layer in layers}
    deepest = max((layer.depth for layer in layers), default=0)
    sites = [(depths.get(n, deepest), m) for n, m in module.named_modules() if isinstance(m, Nonlinearity)]
    last = max((depth for depth, site in sites if site.rule is kit.rule), default=0)
    if isinstance(kit.rule, LinearAbove) and kit.rule.depth >= last:
        raise UserError(f"backward.depth={kit.rule.depth} leaves no activation above it to be linear; the deepest one "
                        f"of this net is at {last}")  # fmt: skip
    for depth, site in sites:
        site.rule = at_depth(site.rule, depth)


def work(run: Run, parts: Parts, data: Dataset, feed: Feed, device: torch.device) -> Work:
    """What the run does, ready to start: its job, or training."""
    if parts.job is None:
        return loop(run, parts, data, feed, device)
    found: Work = parts.job(_learner(run, parts, data, device), feed)
    return found


def loop(run: Run, parts: Parts, data: Dataset, feed: Feed, device: torch.device) -> Loop:
    """The training loop, ready to start."""
    taught = _learner(run, parts, data, device)
    rest = [p for name, p in taught.parameters.items() if name not in taught.weights]
    with _explained("optimizer"):
        optimizer = make_optimizer(parts.optimizer, list(taught.weights.values()), rest, device)
    _check_monitor(run, parts, data, feed)
    curvature = None if parts.hessian is None else Curvature(parts.hessian, taught, feed)
    return Loop(taught, feed, optimizer, parts.schedule, parts.annealing, run.trainer, run.diagnostics, curvature)


def _learner(run: Run, parts: Parts, data: Dataset, device: torch.device) -> Learner:
    try:
        how = execution(run)
        return learner(models(run, parts, data), run.seeds, parts.task, device, how)
    except (MemoryError, RuntimeError) as error:
        if "memory" not in str(error):
            raise
        raise UserError("the net does not fit into memory; make architecture smaller or take fewer replicas") from error


def _check_monitor(run: Run, parts: Parts, data: Dataset, feed: Feed) -> None:
    """A watched metric must exist, or early stopping would never stop."""
    monitor, watched = run.trainer.monitor, run.trainer.patience is not None or isinstance(parts.schedule, Plateau)
    target = feed.probe(2).y
    scores = parts.task.measure(parts.task.example(target, parts.task.outputs(data.outputs)), target)
    metrics = [*scores, *parts.task.derive({k: v.cpu().numpy() for k, v in scores.items()})]
    # Without anybody watching it, the default may name a split that has no samples.
    splits = [s for s in ("train", "valid", "test") if data.sizes[s] != 0 or not watched]
    known = [f"{split}_{metric}" for split in splits for metric in metrics]
    if monitor not in known:
        raise unknown("metric in trainer.monitor", monitor, known)
