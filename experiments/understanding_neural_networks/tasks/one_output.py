"""Two classes told by a single output."""

import torch
from torch import Tensor
from torch.nn import functional

from repro.errors import UserError, unknown
from repro.storage.metrics import ACCURACY, Metric
from repro.tasks import Task

LOSSES = {
    "logistic": Metric("loss", "nats", "lower", "cross-entropy of sigmoid(z)", (0.0, float("inf"))),
    "half_squared": Metric("loss", "1", "lower", "half the squared distance of tanh(z) from -1 or 1", (0.0, 2.0)),
}


class OneOutput(Task):
    """Class 1 where the output z is above 0, else class 0.

    Args:
        loss: logistic, the cross-entropy of sigmoid(z) in nats; or half_squared, ½(tanh(z) - y)² with y = 1 for class
            1 and y = -1 for class 0, as in TensorFlow Playground (src/nn.ts, Errors.SQUARE). Means over samples.

    Raises:
        UserError: there is no such loss.
    """

    def __init__(self, loss: str) -> None:
        if loss not in LOSSES:
            raise unknown("task.loss", str(loss), LOSSES)
        self.loss = loss
        self.metrics = (LOSSES[loss], ACCURACY)

    def check(self, target: Tensor, dataset: str) -> None:
        """Class numbers are needed, shape (samples,)."""
        if target.is_floating_point() or target.dim() != 1:
            raise UserError(
                f"task=one_output needs one class a sample, and dataset {dataset} has none; "
                "use another task, see: repro list task"
            )

    def outputs(self, values: int) -> int:
        """One."""
        if values != 2:
            raise UserError(f"task=one_output tells two classes apart, and there are {values}; use task=classification")
        return 1

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Loss and accuracy of outputs (batch, 1) against class numbers (batch,)."""
        wanted = target.to(output.dtype)
        z = output[..., 0]
        loss = (
            functional.binary_cross_entropy_with_logits(z, wanted)
            if self.loss == "logistic"
            else 0.5 * (torch.tanh(z) - (2 * wanted - 1)).square().mean()
        )
        return {"loss": loss, "accuracy": (self.read(output) == target).to(output.dtype).mean()}

    def read(self, output: Tensor) -> Tensor:
        """The class, (..., samples, 1) to (..., samples)."""
        return (output[..., 0] > 0).long()
