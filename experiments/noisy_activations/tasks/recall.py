"""Telling an item bit by bit at the end of a sequence."""

from torch import Tensor
from torch.nn import functional

from repro.errors import UserError
from repro.storage.metrics import LOSS, Metric
from repro.tasks import Task

BIT_ERROR = Metric("bit_error", "1", "lower", "share of wrong bits")


class Recall(Task):
    """Bits at the last steps of a sequence; what is said before does not count.

    The loss is the cost that figure 9 of Gulcehre et al. (2016) shows as NLL: cross-entropy in nats, summed over
    the L steps of an item, averaged over bits and sequences. Chance is L ln 2, 2.079 for items of 3 vectors.
    """

    metrics = (LOSS, BIT_ERROR)

    def check(self, target: Tensor, dataset: str) -> None:
        """Bits are needed, shape (samples, steps, bits)."""
        if not target.is_floating_point() or target.dim() != 3 or not ((target == 0) | (target == 1)).all():
            raise UserError(
                f"task=recall needs bits at the last steps, and dataset {dataset} has none; "
                "use dataset=associative_recall, or another task"
            )

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Cost, and share of wrong bits, of logits (batch, steps, bits) whose last steps answer (batch, L, bits)."""
        steps = target.shape[1]
        if output.dim() != 3:
            raise UserError(
                "task=recall needs a prediction at every step, and this net makes one a sequence; "
                "take architecture=ntm or lstm"
            )
        answer = output[:, -steps:]
        return {
            "loss": functional.binary_cross_entropy_with_logits(answer, target) * steps,
            "bit_error": ((answer > 0) != (target > 0.5)).to(answer.dtype).mean(),
        }

    def example(self, target: Tensor, outputs: int) -> Tensor:
        """See `Task`."""
        return target.new_zeros(*target.shape[:2], outputs)

    def last(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of the last step alone."""
        return self.measure(output[:, -1:], target[:, -1:])["loss"]
