"""Beam search through what a translator says, for a whole batch at once; greedy search is a beam of one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from repro.datasets.pairs.batches import END, NO_TOKEN
from repro.model.trees import Tree, mapped

Step = Callable[[Tree, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""Memory, states (rows, ...) and words (rows,) to logits (rows, tokens), states and attention weights."""


@dataclass(frozen=True)
class Beam:
    """How translations are looked for.

    Attributes:
        width: translations of a sentence that are followed at once; 1 is greedy search.
        normalize: a translation of n tokens, its end included, counts by log p / n^normalize; 0 = by log p.
        longest: tokens of a translation at most, its end included; what has not ended then counts as it is.
    """

    width: int
    normalize: float
    longest: int


def translations(step: Step, memory: Tree, state: Tensor, beam: Beam) -> list[list[int]]:
    """The best translation of each sentence that the beam comes by, as tokens without the one that ends it.

    As in the dl4mt tutorial: at each step the best continuations of all followed translations of a sentence are
    kept, as many as the beam is wide less those that have ended, and at last the best of all that have ended.

    Args:
        step: one word further.
        memory: of the sentences, tensors (sentences, ...).
        state: (sentences, ...).
        beam: how.
    """
    n, width = len(state), beam.width
    rows = torch.arange(n, device=state.device)
    memory = mapped(lambda v: v.repeat_interleave(width, 0), memory)
    state = state.repeat_interleave(width, 0)
    scores = torch.full((n, width), float("-inf"), dtype=state.dtype, device=state.device)
    scores[:, 0] = 0  # all rows are alike before the first word
    tokens = torch.empty(n, width, 0, dtype=torch.int64, device=state.device)
    best, found = _Best(n, scores), torch.zeros(n, dtype=torch.int64, device=state.device)
    rank = torch.arange(width, device=state.device)
    word = torch.full((n * width,), NO_TOKEN, device=state.device)
    for length in range(1, beam.longest + 1):
        logits, state, _ = step(memory, state, word)
        total = scores.unsqueeze(-1) + logits.log_softmax(-1).view(n, width, -1)
        scores, chosen = total.flatten(1).topk(min(width, total[0].numel()), 1)
        scores, chosen = (_widened(v, width, fill) for v, fill in ((scores, float("-inf")), (chosen, 0)))
        scores = scores.masked_fill(rank >= width - found.unsqueeze(1), float("-inf"))
        parent, word = chosen // logits.shape[-1], chosen % logits.shape[-1]
        tokens = torch.cat([tokens.gather(1, parent.unsqueeze(-1).expand_as(tokens)), word.unsqueeze(-1)], -1)
        ended = ((word == END) | (length == beam.longest)) & scores.isfinite()
        best.take(scores.masked_fill(~ended, float("-inf")) / length**beam.normalize, tokens)
        found = found + ended.sum(1)
        scores = scores.masked_fill(ended, float("-inf"))
        if not scores.isfinite().any():
            break
        state = state.view(n, width, *state.shape[1:])[rows.unsqueeze(1), parent].flatten(0, 1)
        word = word.flatten()
    return best.sentences


class _Best:
    """The best translations that have ended so far."""

    def __init__(self, n: int, like: Tensor) -> None:
        self.scores = like.new_full((n,), float("-inf"))
        self.sentences: list[list[int]] = [[] for _ in range(n)]

    def take(self, scores: Tensor, tokens: Tensor) -> None:
        """Those that ended at this step: scores (n, width), -inf for others, and tokens (n, width, length)."""
        top, which = scores.max(1)
        better = top > self.scores
        self.scores = torch.where(better, top, self.scores)
        for i in better.nonzero().flatten().tolist():
            own = tokens[i, int(which[i])].tolist()
            self.sentences[i] = own[:-1] if own[-1] == END else own


def _widened(v: Tensor, width: int, fill: Any) -> Tensor:
    """Filled up on the right, where a vocabulary has fewer tokens than the beam is wide."""
    return torch.nn.functional.pad(v, (0, width - v.shape[1]), value=fill)
