"""Classes told by sigmoid outputs, by the cross-entropy of each against 0 or 1."""

import torch
from torch import Tensor
from torch.nn import functional

from repro.errors import UserError
from repro.storage.metrics import ACCURACY, Metric
from repro.tasks import Task

SUMMED = Metric("loss", "nats", "lower", "cross-entropy of each output against 0 or 1, summed", (0.0, float("inf")))


class SigmoidCrossEntropy(Task):
    """Sigmoid outputs a against one-hot targets y: −Σ [y ln a + (1 − y) ln(1 − a)], the mean over samples.

    The cost of Nielsen, *Neural Networks and Deep Learning* (2015), chapter 3, Eq. 63, summed over outputs as in its
    network2.py, so that the error of an output is a − y.
    """

    metrics = (SUMMED, ACCURACY)

    def check(self, target: Tensor, dataset: str) -> None:
        """Class numbers are needed, shape (samples,)."""
        if target.is_floating_point() or target.dim() != 1:
            raise UserError(
                f"task=sigmoid_cross_entropy needs one class a sample, and dataset {dataset} has none; "
                "use task=regression for numbers, or see: repro list task"
            )

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Of values before the sigmoid (batch, classes) against class numbers (batch,)."""
        places = torch.arange(output.shape[-1], device=target.device)
        wanted = (target[:, None] == places).to(output.dtype)  # one_hot does not work under vmap
        nats = functional.binary_cross_entropy_with_logits(output, wanted, reduction="none")
        return {"loss": nats.sum(-1).mean(), "accuracy": (output.argmax(-1) == target).to(output.dtype).mean()}
