"""The training loop: the same for one model and for many stacked ones, and exact across interruptions."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from repro.config import DiagnosticsConfig, TrainerConfig
from repro.datasets.data import Data, Split
from repro.diagnostics.quantities import Row, of_layers, update_ratio
from repro.diagnostics.schedule import measured_steps
from repro.optimization import Patience, Plateau, Schedule, add_penalties, clip
from repro.seeds import generator
from repro.training.learner import Learner

CHUNK = 2000  # samples evaluated at once
CHECK_EVERY = 100  # steps between two looks for a diverged loss, besides evaluations; looking makes a GPU wait

Scored = dict[tuple[str, str], np.ndarray]  # (split, metric) to values (replicas,)


@dataclass
class Rows:
    """Lines for the tables that are not written yet."""

    curves: list[tuple[Any, ...]] = field(default_factory=list)
    layers: list[tuple[Any, ...]] = field(default_factory=list)


class Loop:
    """Trains a learner step by step.

    Args:
        learner: the replicas.
        data: on the learner's device.
        optimizer: over the learner's parameters.
        schedule: factor on the learning rate by epoch.
        trainer: how long and how.
        diagnostics: what is measured and when.
    """

    def __init__(self, learner: Learner, data: Data, optimizer: torch.optim.Optimizer, schedule: Schedule,
                 trainer: TrainerConfig, diagnostics: DiagnosticsConfig) -> None:  # fmt: skip
        self.learner, self.data, self.optimizer, self.schedule = learner, data, optimizer, schedule
        self.trainer, self.diagnostics = trainer, diagnostics
        samples = len(data.train.x)
        self.batch = min(trainer.batch_size or samples, samples)
        # A last batch of one sample has no variance for batch norm; it is left out for every net alike.
        self.per_epoch = samples // self.batch + (samples % self.batch > (1 if self.batch > 1 else 0))
        self.total = trainer.steps if trainer.steps is not None else trainer.epochs * self.per_epoch
        self.epochs = math.ceil(self.total / self.per_epoch)
        self.measured = measured_steps(self.total, diagnostics.every, diagnostics.log_spaced)
        self.rates = [group["lr"] for group in optimizer.param_groups]
        self.step, self.seconds, self.stopped = 0, 0.0, False
        self.diverged: dict[int, int] = {}  # replica to the step at which its loss was seen not to be finite
        self.stopping, self.plateau = self._patience(), self._patience()
        self.sums: dict[str, Tensor] = {}  # of the training scores since the last evaluation
        self.counted = 0
        self.order: Tensor | None = None
        self.rows = Rows()
        self.probe = Split(data.train.x[: diagnostics.probe], data.train.y[: diagnostics.probe])

    def _patience(self) -> Patience:
        return Patience(higher_is_better=not self.trainer.monitor.endswith("loss"))

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.step >= self.total or self.stopped or len(self.diverged) == len(self.learner.seeds)

    def start(self) -> Scored:
        """Evaluate and measure before the first update."""
        self._measure()
        return self._evaluate()

    def advance(self) -> Scored | None:
        """One update and whatever is due after it; the scores, when that was an evaluation."""
        began = time.perf_counter()
        self._update(*self._next_batch())
        measuring = self.step in self.measured and bool(self.diagnostics.quantities)
        if measuring or self.step % CHECK_EVERY == 0:
            self._look_for_divergence()
        if measuring:
            self._measure()
        scored = self._evaluate() if self._evaluation_due() else None
        self.seconds += time.perf_counter() - began
        return scored

    def _evaluation_due(self) -> bool:
        every = self.trainer.eval_every * self.per_epoch
        return self.step == self.total or bool(every and self.step % every == 0)

    def _next_batch(self) -> tuple[Tensor, Tensor]:
        """(replicas, batch, ...) of inputs and targets, each replica in the order of its own seed."""
        train, seeds = self.data.train, self.learner.seeds
        if self.batch == len(train.x):
            return (train.x.expand(len(seeds), *train.x.shape), train.y.expand(len(seeds), *train.y.shape))
        epoch, place = divmod(self.step, self.per_epoch)
        if self.order is None or place == 0:
            # An epoch's order follows from seed and epoch alone, so that resuming needs no state.
            orders = [torch.randperm(len(train.x), generator=generator(s, "order", epoch)) for s in seeds]
            self.order = torch.stack(orders).to(train.x.device)
        chosen = self.order[:, place * self.batch : (place + 1) * self.batch]
        return train.x[chosen], train.y[chosen]

    def _update(self, x: Tensor, y: Tensor) -> None:
        factor = self.schedule(self.step // self.per_epoch, self.epochs)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        trainer, learner = self.trainer, self.learner
        scores = learner.gradients(x, y)
        if trainer.l2 or trainer.l1:
            add_penalties(learner.weights, trainer.l2, trainer.l1)
        if trainer.clip_norm is not None or trainer.clip_value is not None:
            gradients = [p.grad for p in learner.parameters.values() if p.grad is not None]
            clip(gradients, len(learner.seeds), learner.stacked, trainer.clip_norm, trainer.clip_value)
        watched = self.step + 1 in self.measured and "update_ratio" in self.diagnostics.quantities
        before = {k: w.detach().clone() for k, w in learner.weights.items()} if watched else {}
        self.optimizer.step()
        self.step += 1
        self.counted += x.shape[1]
        for name, value in scores.items():
            sums, samples = self.sums, x.shape[1]
            sums[name] = torch.add(sums[name], value, alpha=samples) if name in sums else value * samples
        if watched:
            self._note_layers(self._update_ratios(before))

    def _update_ratios(self, before: Mapping[str, Tensor]) -> Iterator[Row]:
        for layer in self.learner.layers:
            pair = before[layer.weight], self.learner.weights[layer.weight].detach()
            old, new = pair if self.learner.stacked else (v.unsqueeze(0) for v in pair)
            yield layer.name, layer.depth, "update_ratio", update_ratio(old, new)

    def _look_for_divergence(self) -> None:
        if not self.sums:
            return
        for replica, value in enumerate(self.sums["loss"].tolist()):
            if not math.isfinite(value):
                self.diverged.setdefault(replica, self.step)

    def _evaluate(self) -> Scored:
        scored: Scored = {("train", k): (v / self.counted).cpu().numpy() for k, v in self.sums.items()}
        self.sums, self.counted = {}, 0
        for name in ("valid", "test") if self.step else ("train", "valid", "test"):
            split: Split = getattr(self.data, name)
            if len(split.x):
                scored |= {(name, k): v.cpu().numpy() for k, v in evaluate(self.learner, split).items()}
        for (_, metric), values in scored.items():
            for replica in np.flatnonzero(~np.isfinite(values)) if metric == "loss" else ():
                self.diverged.setdefault(int(replica), self.step)
        for (split_name, metric), values in scored.items():
            self._note_curve(split_name, metric, values)
        rate = np.full(len(self.learner.seeds), self.optimizer.param_groups[0]["lr"])
        self._note_curve("train", "learning_rate", rate)
        self._watch(scored)
        return scored

    def _watch(self, scored: Mapping[tuple[str, str], np.ndarray]) -> None:
        """Early stopping and the plateau schedule, for a single replica."""
        split, _, metric = self.trainer.monitor.partition("_")
        if self.step == 0 or (split, metric) not in scored:
            return
        value = float(scored[split, metric][0])
        if self.trainer.patience is not None and self.stopping.watch(value) >= self.trainer.patience:
            self.stopped = True
        if isinstance(self.schedule, Plateau):
            self.schedule.watch(self.plateau, value)

    def _measure(self) -> None:
        if not self.diagnostics.quantities:
            return
        traces = self.learner.probe(self.probe.x, self.probe.y)
        self._note_layers(
            of_layers(self.learner.layers, traces, self.diagnostics.quantities, self.diagnostics.histogram)
        )

    def _alive(self) -> Iterator[tuple[int, int]]:
        return ((i, seed) for i, seed in enumerate(self.learner.seeds) if i not in self.diverged)

    def _note_curve(self, split: str, metric: str, values: np.ndarray) -> None:
        epoch = self.step / self.per_epoch
        self.rows.curves += [(seed, self.step, epoch, split, metric, float(values[i])) for i, seed in self._alive()]

    def _note_layers(self, found: Iterable[Row]) -> None:
        rows, epoch, alive = list(found), self.step / self.per_epoch, list(self._alive())
        # One copy from the device for all of them.
        values = torch.stack([row[-1] for row in rows]).tolist() if rows else []
        self.rows.layers += [(seed, self.step, epoch, *row[:-1], value[i])
                             for row, value in zip(rows, values, strict=True) for i, seed in alive]  # fmt: skip

    def state(self) -> dict[str, Any]:
        """Everything that training needs to go on as if it had never stopped, in plain containers."""
        return {
            "step": self.step, "seconds": self.seconds, "stopped": self.stopped, "diverged": dict(self.diverged),
            "stopping": vars(self.stopping), "plateau": vars(self.plateau),
            "scale": getattr(self.schedule, "scale", None), "sums": self.sums, "counted": self.counted,
            "optimizer": self.optimizer.state_dict(),
            "parameters": {k: v.detach() for k, v in self.learner.parameters.items()},
            "buffers": self.learner.buffers, "noise": [g.get_state() for g in self.learner.noise.generators],
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to where `state()` was taken."""
        device = self.data.train.x.device
        self.step, self.seconds, self.stopped = state["step"], state["seconds"], state["stopped"]
        self.diverged = dict(state["diverged"])
        self.stopping, self.plateau = Patience(**state["stopping"]), Patience(**state["plateau"])
        if isinstance(self.schedule, Plateau):
            self.schedule.scale = state["scale"]
        self.sums = {k: v.to(device) for k, v in state["sums"].items()}
        self.counted, self.order = state["counted"], None
        self.optimizer.load_state_dict(state["optimizer"])
        with torch.no_grad():
            for own, saved in ((self.learner.parameters, "parameters"), (self.learner.buffers, "buffers")):
                for name, value in own.items():
                    value.copy_(state[saved][name])
        for source, saved_state in zip(self.learner.noise.generators, state["noise"], strict=True):
            source.set_state(saved_state)


def evaluate(learner: Learner, split: Split) -> dict[str, Tensor]:
    """Loss and metrics over a whole split in evaluation mode, each (replicas,)."""
    sums: dict[str, Tensor] = {}
    for first in range(0, len(split.x), CHUNK):
        x, y = split.x[first : first + CHUNK], split.y[first : first + CHUNK]
        for name, value in learner.evaluate(x, y).items():
            sums[name] = sums.get(name, 0) + value.double() * len(x)
    return {name: value / len(split.x) for name, value in sums.items()}
