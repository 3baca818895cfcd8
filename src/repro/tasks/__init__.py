"""What a batch means: the loss that is minimized and the metrics that are reported."""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from repro.datasets.about import About
from repro.datasets.protocol import Batch
from repro.errors import UserError
from repro.model.architectures.recurrence import State
from repro.model.trees import Tree, leaves, samples
from repro.storage.metrics import ACCURACY, BALANCED, LOSS, PERPLEXITY, R2, RMSE, Metric
from repro.tasks.cross_entropy import SummedCrossEntropy

Call = Callable[[Tree, State], tuple[Tensor, State]]
"""One net in evaluation mode: inputs and a state to outputs and the state after them."""

Place = tuple[str | int, ...]
"""What is written down of a place that attention can look at: a word, or the image, red, green and blue."""

COUNT = "count"
"""The name of the predictions among the sums of a split."""


class Task:
    """Loss and metrics of a batch. A task of one's own needs `check` and `measure`.

    `measure`, `objective`, `last` and `evaluate` work under `torch.func.vmap`.

    Attributes:
        metrics: what `measure` and `derive` give; others go by the rule of `repro.storage.metrics.better`.
        targets: what it predicts, for a data set that can give either.
    """

    metrics: tuple[Metric, ...] = (LOSS,)
    targets: Literal["classes", "numbers"] = "classes"

    @property
    def notes(self) -> list[str]:
        """Lines that are to be read before anything is trained."""
        return []

    def suited(self, about: About | None) -> "Task":
        """This task for a data set whose classes or units are known; itself where it makes no difference."""
        del about
        return self

    def check(self, target: Tensor, dataset: str) -> None:
        """Raise a `UserError` when the data set's targets are not of this task's kind."""

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Scalars, each a mean over the batch's predictions; one is called `loss`."""
        raise NotImplementedError

    def outputs(self, values: int) -> int:
        """Output units for so many classes, or values to predict."""
        return values

    def example(self, target: Tensor, outputs: int) -> Tensor:
        """An output of zeros that goes with a target, as a net of so many outputs would give it."""
        return torch.zeros(len(target), outputs, device=target.device)

    def objective(self, scores: Mapping[str, Tensor], target: Tensor) -> Tensor:
        """What is minimized, a scalar; the loss unless a task says otherwise."""
        del target
        return scores["loss"]

    def last_look(self) -> "Task":
        """This task for the net that is kept and for what is written of it, which may take longer; mostly itself."""
        return self

    def count(self, target: Tensor) -> int | Tensor:
        """Predictions in a batch, the weight of its means among those of other batches."""
        return samples(target)

    def evaluate(self, call: Call, batch: Batch, state: State) -> tuple[dict[str, Tensor], State]:
        """What a batch adds to the sums of its split, for one net; they are added up in what type they have.

        Args:
            call: the net; a task that decodes step by step calls it as often as it likes.
            batch: without a replica axis.
            state: of a recurrent net before the batch.

        Returns:
            Sums, and the state after the batch.
        """
        output, state = call(batch.x, state)
        scores, count = self.measure(output, batch.y), self.count(batch.y)
        sums = {name: value.double() * count for name, value in scores.items()}
        return sums | {COUNT: torch.as_tensor(count, device=leaves(output)[0].device)}, state

    def finish(self, sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Metrics of a split, each (replicas,), out of its sums (replicas, ...); none where nothing was predicted.

        Those of training hold what `measure` gives, times `count`, whatever `evaluate` does.
        """
        if not sums[COUNT].all():
            return {}
        means = {name: value / sums[COUNT] for name, value in sums.items() if name != COUNT}
        return means | self.derive(means)

    def derive(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Metrics that follow from means over a whole split, each (replicas,)."""
        del means
        return {}

    def read(self, output: Tensor) -> Tensor:
        """One number a sample out of outputs (..., samples, outputs): the class with the greatest."""
        return output.argmax(-1)

    def texts(self, call: Call, batch: Batch) -> list[tuple[str, str]]:
        """What is wanted and what the net says, of every sample of a batch, by a task that declares `writes_text`."""
        raise NotImplementedError

    def attention(self, call: Call, batch: Batch) -> Iterator[tuple[list[Place], list[str], Tensor]]:
        """Places it could look at, words said and weights (words, places), of every sample of a batch.

        By a task that declares `pairs`, whose places are words of the source, or `captions`, whose are an image's.
        """
        raise NotImplementedError

    def last(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of the last prediction in time, whose gradient is followed backwards through a recurrent net."""
        return self.measure(output, target)["loss"]


class Classification(Task):
    """One class of several: softmax cross-entropy in nats, accuracy in [0, 1]."""

    metrics: tuple[Metric, ...] = (LOSS, ACCURACY)

    def suited(self, about: About | None) -> Task:
        """See `Task`; where some classes have many more samples than others, balanced accuracy is measured too."""
        return Balanced(len(about.classes)) if about is not None and about.uneven else self

    def check(self, target: Tensor, dataset: str) -> None:
        """Class numbers are needed, shape (samples,)."""
        if target.is_floating_point():
            use = "task=recall" if target.dim() == 3 else "task=regression"
            raise UserError(
                f"task=classification needs classes, but the targets of dataset {dataset} are numbers; use {use}"
            )
        if target.dim() > 1:
            raise UserError(
                f"task=classification needs one class a sample, but dataset {dataset} has one a step; "
                "use task=language_model or task=sequence"
            )

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Loss and accuracy of logits (batch, classes) against class numbers (batch,)."""
        return {
            "loss": functional.cross_entropy(output, target),
            "accuracy": (output.argmax(-1) == target).to(output.dtype).mean(),
        }


class Balanced(Classification):
    """Classification of classes of uneven size.

    Args:
        classes: how many.
    """

    metrics = (LOSS, ACCURACY, BALANCED)

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def evaluate(self, call: Call, batch: Batch, state: State) -> tuple[dict[str, Tensor], State]:
        """See `Task`; also how many samples there are of each class, and how many of them are right."""
        kept: list[Tensor] = []

        def once(x: Tree, state: State) -> tuple[Tensor, State]:
            output, state = call(x, state)
            kept.append(output)
            return output, state

        sums, state = super().evaluate(once, batch, state)
        members = functional.one_hot(batch.y, self.classes)
        right = (kept[0].argmax(-1) == batch.y).unsqueeze(-1)
        return sums | {"right": (members * right).sum(0), "members": members.sum(0)}, state

    def finish(self, sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `Task`; classes that a split lacks do not count."""
        rest = {name: value for name, value in sums.items() if name not in ("right", "members")}
        metrics = super().finish(rest)
        if metrics and "right" in sums:
            there = sums["members"][0] > 0
            metrics[BALANCED.name] = (sums["right"][:, there] / sums["members"][:, there]).mean(axis=1)
        return metrics


class Regression(Task):
    """Real targets: mean squared error, averaged over samples and target columns."""

    targets = "numbers"

    def suited(self, about: About | None) -> Task:
        """See `Task`; where targets were standardized, RMSE in their own unit and R² are measured too."""
        return self if about is None else Scaled(about.deviation)

    def check(self, target: Tensor, dataset: str) -> None:
        """Real numbers are needed, shape (samples, columns)."""
        if not torch.is_floating_point(target):
            raise UserError(
                f"task=regression needs numbers, but the targets of dataset {dataset} are classes; "
                "use task=classification"
            )
        if target.dim() > 2:
            raise UserError(
                f"task=regression needs one row of numbers a sample, but dataset {dataset} has one a step; "
                "use task=recall"
            )

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Loss of outputs (batch, columns) against targets of the same shape."""
        return {"loss": functional.mse_loss(output, target)}

    def read(self, output: Tensor) -> Tensor:
        """The first column."""
        return output[..., 0]


class Scaled(Regression):
    """Regression of one standardized number a sample, with RMSE in its own unit and R².

    Args:
        deviation: standard deviation by which targets were divided.
    """

    metrics = (LOSS, RMSE, R2)

    def __init__(self, deviation: float) -> None:
        self.deviation = deviation

    def evaluate(self, call: Call, batch: Batch, state: State) -> tuple[dict[str, Tensor], State]:
        """See `Task`; also the sums that the targets' variance is made of."""
        sums, state = super().evaluate(call, batch, state)
        y = batch.y.double()
        return sums | {"first": y.sum(), "second": y.square().sum()}, state

    def derive(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """RMSE; R² where the targets' variance is known and not 0."""
        found = {RMSE.name: self.deviation * np.sqrt(means["loss"])}
        if "first" in means and (variance := means["second"] - means["first"] ** 2).min() > 0:
            found[R2.name] = 1 - means["loss"] / variance
        return found

    def finish(self, sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `Task`."""
        metrics = super().finish(sums)
        return {name: value for name, value in metrics.items() if name not in ("first", "second")}


MANY = 1000
"""Classes from which on a cross-entropy of our own is the faster one."""

IGNORED = -1
"""Targets of this class are not predicted."""


class Sequence(Task):
    """One class a step, or `IGNORED`: cross-entropy summed over time and averaged over the batch.

    The loss in the tables is the mean over predictions, in nats; what is minimized is their sum divided by the batch,
    as in the code of Zaremba et al. (2014): the learning rate goes with it.

    Args:
        accuracy: whether the share of right predictions is measured too; costs a look at every logit.
    """

    def __init__(self, accuracy: bool) -> None:
        self.accuracy = accuracy
        self.metrics = (LOSS, ACCURACY, PERPLEXITY) if accuracy else (LOSS, PERPLEXITY)

    def check(self, target: Tensor, dataset: str) -> None:
        """Class numbers are needed, shape (samples, steps)."""
        if target.is_floating_point() or target.dim() != 2:
            raise UserError(
                f"this task needs one class a step, and dataset {dataset} has none; "
                "use task=classification, task=regression or task=recall"
            )

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Means over predictions of logits (batch, steps, classes) against (batch, steps); 0 where there are none."""
        count = self._counted(target).clamp_min(1)
        flat, classes = output.flatten(0, 1), target.flatten()
        total = self._summed(flat, classes)
        scores = {"loss": total / count}
        if self.accuracy:
            scores["accuracy"] = (flat.argmax(-1) == classes).to(flat.dtype).sum() / count
        return scores

    def example(self, target: Tensor, outputs: int) -> Tensor:
        """See `Task`."""
        return torch.zeros(*target.shape, outputs, device=target.device)

    def objective(self, scores: Mapping[str, Tensor], target: Tensor) -> Tensor:
        """The sum over time of the losses, averaged over the batch."""
        return scores["loss"] * (self._counted(target) / len(target))

    def count(self, target: Tensor) -> Tensor:
        """Predictions: targets that are not ignored."""
        return self._counted(target)

    def derive(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Perplexity, e to the mean loss."""
        with np.errstate(over="ignore"):
            return {"perplexity": np.exp(means["loss"])}

    def last(self, output: Tensor, target: Tensor) -> Tensor:
        """The mean loss of the window's last step."""
        return self.measure(output[:, -1:], target[:, -1:])["loss"]

    @staticmethod
    def _summed(logits: Tensor, classes: Tensor) -> Tensor:
        if logits.shape[1] < MANY or torch._C._functorch.maybe_current_level() is not None:
            return functional.cross_entropy(logits, classes, ignore_index=IGNORED, reduction="sum")
        total: Tensor = SummedCrossEntropy.apply(logits, classes)  # type: ignore[no-untyped-call]
        return total

    @staticmethod
    def _counted(target: Tensor) -> Tensor:
        return (target != IGNORED).sum()
