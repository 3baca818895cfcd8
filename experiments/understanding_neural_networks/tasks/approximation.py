"""How near a net comes to a function: by its mean squared error and by the greatest one."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor
from torch.nn import functional

from repro.errors import UserError
from repro.storage.metrics import LOSS, POSITIVE, RMSE, Metric
from repro.tasks import Task

GREATEST = Metric("greatest_error", "the target's", "lower", "greatest distance from the target", POSITIVE)


class Approximation(Task):
    """One number a sample: mean squared error, its root, and the greatest distance from a target.

    The greatest distance is taken over a batch, and averaged over batches; a split of up to 2,000 samples is one.
    """

    targets = "numbers"
    metrics = (LOSS, RMSE, GREATEST)

    def check(self, target: Tensor, dataset: str) -> None:
        """Real numbers are needed, shape (samples, columns)."""
        if not target.is_floating_point() or target.dim() != 2:
            raise UserError(
                f"task=approximation needs one row of numbers a sample, and dataset {dataset} has none; "
                "use dataset=wave, or another task, see: repro list task"
            )

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Of outputs (batch, columns) against targets of the same shape."""
        return {"loss": functional.mse_loss(output, target), GREATEST.name: (output - target).abs().amax()}

    def derive(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """RMSE."""
        return {RMSE.name: np.sqrt(means["loss"])}

    def read(self, output: Tensor) -> Tensor:
        """The first column."""
        return output[..., 0]
