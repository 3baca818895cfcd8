"""Classes told by sigmoid outputs that know nothing of each other."""

import torch
from torch import Tensor
from torch.nn import functional

from repro.errors import UserError
from repro.storage.metrics import ACCURACY, LOSS, Metric
from repro.tasks import Task

ZERO = 1e-5
"""Residuals up to this size, in absolute value, count as zero, as in the code of Milletarì et al. 2018."""


ZERO_RESIDUALS = Metric("zero_residuals", "1", "higher", "share of outputs that are what they should be")


class Sigmoids(Task):
    """One sigmoid output a class, or a single one for two classes: binary cross-entropy in nats, averaged over both.

    Residuals are the outputs minus what they should be, 0 or 1 (Milletarì et al. 2018).

    Args:
        shifted: whether class c is wanted at output c - 1, so that class 0 is wanted nowhere and counts as told when
            the first output is the greatest: a slip in those authors' code for digits.
    """

    metrics = (LOSS, ACCURACY, ZERO_RESIDUALS)

    def __init__(self, shifted: bool | None) -> None:
        self.shift = 1 if shifted else 0

    def check(self, target: Tensor, dataset: str) -> None:
        """Class numbers are needed, shape (samples,)."""
        if target.is_floating_point() or target.dim() != 1:
            raise UserError(
                f"task=sigmoids needs one class a sample, and dataset {dataset} has none; "
                "use another task, see: repro list task"
            )

    def outputs(self, values: int) -> int:
        """One for two classes, else one a class."""
        return 1 if values == 2 else values

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Loss, accuracy and share of zero residuals of logits (batch, outputs) against class numbers (batch,)."""
        wanted = self._wanted(output, target)
        residuals = torch.sigmoid(output) - wanted
        right = self.read(output) == self.read(wanted - 0.5)
        return {
            "loss": functional.binary_cross_entropy_with_logits(output, wanted),
            "accuracy": right.to(output.dtype).mean(),
            "zero_residuals": (residuals.abs() <= ZERO).to(output.dtype).mean(),
        }

    def read(self, output: Tensor) -> Tensor:
        """The class: of a single output, 1 where it is above 0; else the greatest one's place."""
        return (output[..., 0] > 0).long() if output.shape[-1] == 1 else output.argmax(-1)

    def _wanted(self, output: Tensor, target: Tensor) -> Tensor:
        outputs = output.shape[-1]
        # A single output stands for class 1.
        places = torch.arange(outputs, device=target.device) + (1 if outputs == 1 else self.shift)
        return (target[:, None] == places).to(output.dtype)
