"""Classes told by sigmoid outputs that are to be 1 for the right class and 0 for the others, by squared error."""

import torch
from torch import Tensor

from repro.errors import UserError
from repro.storage.metrics import ACCURACY, SHARE, Metric
from repro.tasks import Task

HALF_SQUARED = Metric("loss", "1", "lower", "half the squared distance from the one-hot target", (0.0, float("inf")))
GREATEST = Metric("greatest_output", "1", None, "the greatest of the outputs, mean over samples", SHARE)
DEFINITE = Metric("definite_share", "1", None, "share of samples with an output above 1/2", SHARE)


class SquaredError(Task):
    """Sigmoid outputs a against one-hot targets y: ½‖a − y‖², the mean over samples.

    The cost of Nielsen, *Neural Networks and Deep Learning* (2015), chapter 1, Eq. 6, and the reduction of its code,
    network.py: gradients are summed over outputs and averaged over the batch, so that its learning rates apply. The
    metrics need no label but accuracy's and the loss's: they tell of any input how sure the net is.
    """

    metrics = (HALF_SQUARED, ACCURACY, GREATEST, DEFINITE)

    def check(self, target: Tensor, dataset: str) -> None:
        """Class numbers are needed, shape (samples,)."""
        if target.is_floating_point() or target.dim() != 1:
            raise UserError(
                f"task=squared_error needs one class a sample, and dataset {dataset} has none; "
                "use task=regression for numbers, or see: repro list task"
            )

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Of values before the sigmoid (batch, classes) against class numbers (batch,)."""
        answers = torch.sigmoid(output)
        places = torch.arange(output.shape[-1], device=target.device)
        wanted = (target[:, None] == places).to(output.dtype)  # one_hot does not work under vmap
        greatest = answers.amax(-1)
        return {
            "loss": 0.5 * (answers - wanted).square().sum(-1).mean(),
            "accuracy": (output.argmax(-1) == target).to(output.dtype).mean(),
            "greatest_output": greatest.mean(),
            "definite_share": (greatest > 0.5).to(output.dtype).mean(),
        }
