"""Sequences that are right from the first token to the last, or wrong."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from repro.datasets.protocol import Batch
from repro.errors import UserError
from repro.storage.metrics import ACCURACY, LOSS, Metric
from repro.tasks import IGNORED, Call, Task

from ..datasets.episodes import END, SOURCE, TARGET

TOKENS = Metric("token_accuracy", "1", "higher", "share of right tokens, those before them given", ACCURACY.within)


class WholeSequence(Task):
    """Cross-entropy of a sequence's tokens, and whether all of them are right.

    The loss is the mean over the tokens of a sequence, in nats, averaged over sequences. A sequence that is right when
    the tokens before each are given is what greedy decoding says, and no other is: both agree up to the first wrong
    token.
    """

    metrics = (LOSS, ACCURACY, TOKENS)

    def check(self, target: Tensor, dataset: str) -> None:
        """Class numbers are needed, shape (samples, steps)."""
        if not isinstance(target, Tensor) or target.is_floating_point() or target.dim() != 2:
            raise UserError(
                f"task=whole_sequence needs one class a step, and dataset {dataset} has none; "
                "use dataset=episodes, or another task, see: repro list task"
            )

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Of logits (batch, steps, classes) against class numbers (batch, steps), `IGNORED` behind the end."""
        there = target != IGNORED
        count = there.sum(1).clamp_min(1)
        nats = functional.cross_entropy(output.transpose(1, 2), target, ignore_index=IGNORED, reduction="none")
        right = (output.argmax(-1) == target) | ~there
        return {
            "loss": (nats.sum(1) / count).mean(),
            "accuracy": right.all(1).to(output.dtype).mean(),
            TOKENS.name: ((right & there).sum(1) / count).mean(),
        }

    def example(self, target: Tensor, outputs: int) -> Tensor:
        """See `Task`."""
        return torch.zeros(*target.shape, outputs, device=target.device)

    def texts(self, call: Call, batch: Batch) -> list[tuple[str, str]]:
        """What is asked with what is wanted, and what a net says by greedy decoding, of every sample."""
        source, steps = batch.x["source"], batch.y.shape[1]
        before = torch.full_like(batch.y, IGNORED)
        for step in range(steps):
            said = call({"source": source, "target": before}, ())[0].argmax(-1)
            if step + 1 < steps:
                before[:, step + 1] = said[:, step]
        asked = (" ".join(_words(row, SOURCE)) for row in source.tolist())
        wanted = (" ".join(_words(row, TARGET)) for row in batch.y.tolist())
        return [
            (f"{q}: {a}", " ".join(_words(row, TARGET))) for q, a, row in zip(asked, wanted, said.tolist(), strict=True)
        ]


def _words(numbers: list[int], tokens: tuple[str, ...]) -> Iterator[str]:
    """Up to the end."""
    for number in numbers:
        if number == IGNORED or tokens[number] == END:
            return
        yield tokens[number]
