"""What a batch means: the loss that is minimized and the metrics that are reported."""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from repro.errors import UserError


class Task(Protocol):
    """Loss and metrics of a batch. Both methods work under `torch.func.vmap`."""

    def check(self, target: Tensor, dataset: str) -> None:
        """Raise a `UserError` when the data set's targets are not of this task's kind."""

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Scalars, each the mean over the batch; `loss` is the one that is minimized."""


class Classification:
    """One class of several: softmax cross-entropy in nats, accuracy in [0, 1]."""

    def check(self, target: Tensor, dataset: str) -> None:
        """Class numbers are needed, shape (samples,)."""
        if target.is_floating_point():
            raise UserError(f"task=classification needs classes, but the targets of dataset {dataset} are numbers; "
                            "use task=regression")  # fmt: skip

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Loss and accuracy of logits (batch, classes) against class numbers (batch,)."""
        return {
            "loss": functional.cross_entropy(output, target),
            "accuracy": (output.argmax(-1) == target).to(output.dtype).mean(),
        }


class Regression:
    """Real targets: mean squared error, averaged over samples and target columns."""

    def check(self, target: Tensor, dataset: str) -> None:
        """Real numbers are needed, shape (samples, columns)."""
        if not torch.is_floating_point(target):
            raise UserError(f"task=regression needs numbers, but the targets of dataset {dataset} are classes; "
                            "use task=classification")  # fmt: skip

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Loss of outputs (batch, columns) against targets of the same shape."""
        return {"loss": functional.mse_loss(output, target)}
