"""The training loop: the same for one model and for many stacked ones, and exact across interruptions."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from repro.config.schema import DiagnosticsConfig, TrainerConfig
from repro.datasets.protocol import Batch, Feed
from repro.diagnostics.measure import Row, of_backward, of_layers
from repro.diagnostics.quantities import COMPARED, update_ratio
from repro.diagnostics.schedule import evaluation_due, measured_steps
from repro.model.architectures.recurrence import is_recurrent
from repro.model.trees import Tree, mapped, samples
from repro.schedules.annealing import Annealing
from repro.schedules.rate import Patience, Plateau, Schedule
from repro.storage.metrics import HESSIAN, KEPT, SCHEDULE, SPLITS, Metric, better
from repro.tasks import COUNT, Task
from repro.training.curvature import Curvature
from repro.training.evaluation import evaluate, probed, some
from repro.training.kept import Kept
from repro.training.optimization import add_penalties, clip, clip_weights, load_state
from repro.training.replicas import Learner
from repro.training.said import predictions
from repro.training.work import Rows, Scored

CHECK_EVERY = 100  # steps between two looks for a diverged loss, besides evaluations; looking makes a GPU wait


class Growth(Protocol):
    """Changes the size of nets on the way."""

    def due(self, step: int) -> bool:
        """Whether it does so after so many updates."""

    def grown(self, learner: Learner, step: int) -> tuple[Learner, torch.optim.Optimizer]:
        """The nets as they are from this update on, and an optimizer that knows nothing of what was before."""

    def blank(self, learner: Learner, step: int) -> tuple[Learner, torch.optim.Optimizer]:
        """Nets of the size that they have after so many updates, whose numbers are still to be loaded."""

    def notes(self, step: int) -> dict[str, float]:
        """What is written down of the size that nets have until this update."""


class Loop:
    """Trains a learner step by step.

    Args:
        learner: the replicas.
        feed: where batches come from, on the learner's device.
        optimizer: over the learner's parameters.
        schedule: factor on the learning rate by epoch.
        annealing: the noise's scale by update, or None.
        trainer: how long and how.
        diagnostics: what is measured and when.
        curvature: how the Hessian is looked at, or None.
        sizes: samples of each split; None where there is no end to them.
    """

    def __init__(
        self,
        learner: Learner,
        feed: Feed,
        optimizer: torch.optim.Optimizer,
        schedule: Schedule,
        annealing: Annealing | None,
        trainer: TrainerConfig,
        diagnostics: DiagnosticsConfig,
        curvature: Curvature | None = None,
        sizes: Mapping[str, int | None] | None = None,
    ) -> None:
        self.sizes = sizes or {}
        self.growth: Growth | None = None
        self.learner, self.feed, self.optimizer = learner, feed, optimizer
        self.seeds = learner.seeds
        self.metrics: Sequence[Metric] = learner.task.metrics
        self.parameters = sum(p.numel() for p in learner.parameters.values()) // len(self.seeds)
        self.schedule, self.annealing = schedule, annealing
        self.trainer, self.diagnostics, self.curvature = trainer, diagnostics, curvature
        self.per_epoch = feed.per_epoch
        self.total = trainer.steps if trainer.steps is not None else trainer.epochs * self.per_epoch
        self.epochs = math.ceil(self.total / self.per_epoch)
        self.measured = measured_steps(self.total, diagnostics.every, diagnostics.log_spaced, diagnostics.steps)
        self.rates = [group["lr"] for group in optimizer.param_groups]
        self.step, self.seconds, self.stopped = 0, 0.0, False
        self.diverged: dict[int, int] = {}  # replica to the step at which its loss was seen not to be finite
        self.stopping, self.plateau, self.kept = self._patience(), self._patience(), Kept()
        self.sums: dict[str, Tensor] = {}  # of the training scores since the last evaluation
        self.counted: Tensor | int = 0  # predictions in them
        self.rows = Rows()
        self.probe = probed(feed, diagnostics, self.sizes)
        self._anneal()

    def _patience(self) -> Patience:
        return Patience(higher_is_better=better(self.trainer.monitor, self.learner.task.metrics) == "higher")

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
        if self.growth is not None and self.growth.due(self.step):
            self._resize(*self.growth.grown(self.learner, self.step))
        self._update(self.feed.batch(self.step))
        measuring = self.step in self.measured and bool(self.diagnostics.quantities or self.curvature)
        if measuring or self.step % CHECK_EVERY == 0:
            self._look_for_divergence()
        if measuring:
            self._measure()
        due = self.step == self.total or evaluation_due(self.step, self.per_epoch, self.trainer)
        due |= self.growth is not None and self.growth.due(self.step)
        scored = self._evaluate() if due else None
        if scored is not None and self.finished and self.kept.step is not None:
            self._evaluate_kept()
        self.seconds += time.perf_counter() - began
        return scored

    def _resize(self, learner: Learner, optimizer: torch.optim.Optimizer) -> None:
        self.learner, self.optimizer = learner, optimizer
        self.parameters = sum(p.numel() for p in learner.parameters.values()) // len(self.seeds)
        if self.curvature is not None:
            self.curvature = Curvature(self.curvature.method, learner, self.feed)

    def _anneal(self) -> None:
        if self.annealing is not None:
            self.learner.set_noise(self.annealing(self.step))

    def _update(self, batch: Batch) -> None:
        if getattr(self.schedule, "continuous", False):
            factor = self.schedule(self.step / self.per_epoch, self.total / self.per_epoch)
        else:
            factor = self.schedule(self.step // self.per_epoch, self.epochs)
        factor *= self.feed.rate
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self._anneal()
        trainer, learner = self.trainer, self.learner
        searching = isinstance(self.optimizer, torch.optim.LBFGS)
        scores = {} if searching else learner.gradients(batch)
        if trainer.l2 or trainer.l1:
            add_penalties(learner.weights, trainer.l2, trainer.l1)
        if trainer.clip_norm is not None or trainer.clip_value is not None:
            gradients = [p.grad for p in learner.parameters.values() if p.grad is not None]
            clip(gradients, learner.stacked, trainer.clip_norm, trainer.clip_value)
        watched = self.step + 1 in self.measured and "update_ratio" in self.diagnostics.quantities
        before = {k: w.detach().clone() for k, w in learner.weights.items()} if watched else {}
        if searching:
            scores = self._closure_step(batch)
        else:
            self.optimizer.step()
        if trainer.clip_weights is not None:
            clip_weights(learner.weights.values(), trainer.clip_weights)
        self.step += 1
        count = counts(learner.task, batch.y)
        self.counted = self.counted + count
        for name, value in scores.items():
            self.sums[name] = self.sums.get(name, 0) + value.double() * count
        if watched:
            self._note_layers(self._update_ratios(before))

    def _closure_step(self, batch: Batch) -> dict[str, Tensor]:
        """A step of an optimizer that asks for loss and gradient as often as it likes; the scores before it."""
        asked: list[dict[str, Tensor]] = []

        def loss() -> Tensor:
            asked.append(self.learner.gradients(batch))
            return asked[-1]["loss"][0]

        self.optimizer.step(loss)  # type: ignore[arg-type]
        return asked[0]

    def _update_ratios(self, before: Mapping[str, Tensor]) -> Iterator[Row]:
        for layer in self.learner.layers:
            if layer.weight is None:
                continue
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
        counted = {COUNT: torch.as_tensor(self.counted)} if self.sums else {}
        scored = self._gathered("train", self.sums | counted)
        self.sums, self.counted = {}, 0
        for split in SPLITS[1:] if self.step else SPLITS:
            scored |= self._gathered(split, self._evaluated(split))
        for (_, metric), values in scored.items():
            for replica in np.flatnonzero(~np.isfinite(values)) if metric == "loss" else ():
                self.diverged.setdefault(int(replica), self.step)
        for (split_name, metric), values in scored.items():
            self._note_curve(split_name, metric, values)
        rate = np.full(len(self.learner.seeds), self.optimizer.param_groups[0]["lr"])
        self._note_curve("train", "learning_rate", rate)
        notes = self.feed.notes() | ({} if self.annealing is None else {"c": self.annealing(self.step)})
        notes |= {} if self.growth is None else self.growth.notes(self.step) | {"parameters": float(self.parameters)}
        for name, value in notes.items():
            self._note_curve(SCHEDULE, name, np.full(len(rate), value))
        self.feed.observe({f"{split}_{metric}": float(values[0]) for (split, metric), values in scored.items()})
        self._watch(scored)
        return scored

    def _evaluate_kept(self) -> None:
        """Note what the best net comes to, in the rows of the last step."""
        with self.kept.loaded(self.learner):
            for split in SPLITS[1:]:
                for (_, metric), values in self._gathered(split, self._evaluated(split)).items():
                    self._note_curve(split, f"{KEPT}{metric}", values)
        self._note_curve(SCHEDULE, f"{KEPT}step", np.full(len(self.seeds), self.kept.step))

    def _evaluated(self, split: str) -> dict[str, Tensor]:
        batches, most, size = self.feed.batches(split), self.trainer.eval_samples, self.sizes.get(split)
        if most is not None:
            batches = some(batches, size if size is not None else most, most)
            size = min(most, size if size is not None else most)
        # Of a text the size is in tokens, and its samples are streams.
        total = None if is_recurrent(self.learner.module) else size
        return evaluate(self.learner, batches, f"evaluating {split}", total)

    def _gathered(self, split: str, sums: Mapping[str, Tensor]) -> Scored:
        """The task's metrics of a split; none of one without batches."""
        metrics = self.learner.task.finish({k: v.cpu().numpy() for k, v in sums.items()}) if sums else {}
        return {(split, name): values for name, values in metrics.items()}

    def _watch(self, scored: Mapping[tuple[str, str], np.ndarray]) -> None:
        """Early stopping and the plateau schedule, for a single replica."""
        split, _, metric = self.trainer.monitor.partition("_")
        self.stopped |= self.feed.finished
        if self.step == 0 or (split, metric) not in scored:
            return
        value = float(scored[split, metric][0])
        if self.trainer.patience is not None or self.trainer.keep_best:
            waited = self.stopping.watch(value)
            if self.trainer.keep_best and waited == 0:
                self.kept.take(self.learner, self.step)
            self.stopped |= self.trainer.patience is not None and waited >= self.trainer.patience
        if isinstance(self.schedule, Plateau):
            self.schedule.watch(self.plateau, value)

    def _measure(self) -> None:
        if self.diagnostics.predictions_throughout:
            splits = self.diagnostics.predictions or ()
            self.rows.predictions += [row for split in splits for row in predictions(self, split)]
        if self.curvature is not None:
            self.measure_curvature()
        if not self.diagnostics.quantities:
            return
        traces = self.learner.probe(self.probe.x, self.probe.y)
        learner, wanted, bins = self.learner, self.diagnostics.quantities, self.diagnostics.histogram
        parameters = {**learner.parameters, **learner.buffers}
        parameters = parameters if learner.stacked else {k: v[None] for k, v in parameters.items()}
        x, y = self.probe.x, self.probe.y
        self._note_layers(of_layers(learner.layers, traces, parameters, wanted, bins, x, y))
        if set(wanted) & set(COMPARED):
            with learner.exactly():
                exact = learner.probe(self.probe.x, self.probe.y)
            self._note_layers(of_backward(learner.layers, traces, exact, wanted))

    def alive(self) -> Iterator[tuple[int, int]]:
        """Place and seed of every replica whose loss is finite so far."""
        return ((i, seed) for i, seed in enumerate(self.learner.seeds) if i not in self.diverged)

    def _note_curve(self, split: str, metric: str, values: np.ndarray) -> None:
        epoch = self.step / self.per_epoch
        self.rows.curves += [(seed, self.step, epoch, split, metric, float(values[i])) for i, seed in self.alive()]

    def _note_layers(self, measured: Iterable[Row]) -> None:
        rows, epoch, alive = list(measured), self.step / self.per_epoch, list(self.alive())
        # One copy from the device for all of them.
        values = torch.stack([row[-1] for row in rows]).tolist() if rows else []
        self.rows.layers += [
            (seed, self.step, epoch, *row[:-1], value[i])
            for row, value in zip(rows, values, strict=True)
            for i, seed in alive
        ]

    def measure_curvature(self) -> None:
        """Note down what there is to say of the Hessian at the present step."""
        curvature, epoch = self.curvature, self.step / self.per_epoch
        assert curvature is not None
        for replica, seed in self.alive():
            measured = list(curvature.measure(replica, last=self.step == self.total))
            self.rows.spectrum += [(seed, self.step, epoch, curvature.method.name, *one) for one in measured]
            self.rows.curves += [
                (seed, self.step, epoch, HESSIAN, one.quantity, one.value) for one in measured if one.place is None
            ]

    def state(self) -> dict[str, Any]:
        """Everything that training needs to go on as if it had never stopped, in plain containers."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "stopped": self.stopped,
            "diverged": dict(self.diverged),
            "stopping": vars(self.stopping),
            "plateau": vars(self.plateau),
            "scale": getattr(self.schedule, "scale", None),
            "sums": self.sums,
            "counted": self.counted,
            "feed": self.feed.state(),
            "carried": list(self.learner.carried),
            "optimizer": self.optimizer.state_dict(),
            "parameters": {k: v.detach() for k, v in self.learner.parameters.items()},
            "buffers": self.learner.buffers,
            "noise": [g.get_state() for g in self.learner.noise.generators],
            **({"kept": self.kept.state()} if self.trainer.keep_best else {}),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to where `state()` was taken."""
        self.step, self.seconds, self.stopped = state["step"], state["seconds"], state["stopped"]
        if self.growth is not None:
            self._resize(*self.growth.blank(self.learner, self.step))
        self.diverged = dict(state["diverged"])
        self.stopping, self.plateau = Patience(**state["stopping"]), Patience(**state["plateau"])
        if isinstance(self.schedule, Plateau):
            self.schedule.scale = state["scale"]
        device = next(iter(self.learner.parameters.values())).device
        self.sums = {k: v.to(device) for k, v in state["sums"].items()}
        counted = state["counted"]
        self.counted = counted.to(device) if isinstance(counted, Tensor) else counted
        self.feed.restore(state["feed"])
        self.learner.carried = tuple(v.to(device) for v in state["carried"])
        load_state(self.optimizer, state["optimizer"])
        with torch.no_grad():
            for own, saved in ((self.learner.parameters, "parameters"), (self.learner.buffers, "buffers")):
                for name, value in own.items():
                    value.copy_(state[saved][name])
        if "kept" in state:
            self.kept.restore(state["kept"], device)
        for source, saved_state in zip(self.learner.noise.generators, state["noise"], strict=True):
            source.set_state(saved_state)


def counts(task: Task, target: Tree) -> Tensor | int:
    """Predictions in targets (replicas, ...): the same number for all, or one a replica."""
    each = (task.count(mapped(itemgetter(i), target)) for i in range(samples(target)))
    first = next(each)
    return first if isinstance(first, int) else torch.stack([first, *map(torch.as_tensor, each)])
