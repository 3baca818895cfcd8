"""Translation: likelihood of the reference word by word, BLEU of what the net says by itself."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from repro.datasets.about import About, Language
from repro.datasets.pairs.batches import END, NO_TOKEN
from repro.datasets.pairs.vocabulary import text_package
from repro.datasets.protocol import Batch
from repro.errors import UserError, number, whole
from repro.model.architectures.recurrence import State
from repro.model.trees import Tree
from repro.storage.metrics import BLEU, PERPLEXITY, Metric
from repro.tasks import Call, Place, Task
from repro.tasks import Sequence as SequenceTask
from repro.tasks.beam_search import Beam, translations

LOSS = Metric("loss", "nats", "lower", "summed over the tokens of a sentence, averaged over sentences")
ORDERS = 4  # n-grams that BLEU counts


class Translation(Task):
    """Cross-entropy summed over the tokens of a sentence and averaged over sentences; perplexity of a token; BLEU.

    BLEU is sacrebleu's, on text as one writes it. On the way it is taken of greedy translations or of a narrow beam;
    `last_look` has the full one, for texts and for the net that `trainer.keep_best` keeps.

    Args:
        beam: width of the search at the last look, 1 or more.
        beam_on_the_way: at evaluations before.
        normalize: see `repro.tasks.beam_search.Beam`, 0 or more.
        longest: likewise, 1 or more.

    Raises:
        UserError: an option is not allowed, or the extra `[text]` is missing.
    """

    def __init__(self, beam: int, beam_on_the_way: int, normalize: float, longest: int) -> None:
        self.final = Beam(whole("task.beam", beam, 1), number("task.normalize", normalize, 0), longest)
        whole("task.longest", longest, 1)
        self.beam = replace(self.final, width=whole("task.beam_on_the_way", beam_on_the_way, 1))
        self.sacrebleu = text_package("sacrebleu")
        self.metrics = (LOSS, PERPLEXITY, replace(BLEU, method=self._signature()))
        self.language: Language | None = None

    def _signature(self) -> str:
        """How sacrebleu computes it, in its own words."""
        bleu = self.sacrebleu.BLEU()
        bleu.corpus_score(["a"], [["a"]])
        return str(bleu.get_signature())

    def suited(self, about: About | None) -> "Translation":
        """See `Task`."""
        suited = copy.copy(self)
        suited.language = None if about is None else about.language
        return suited

    def last_look(self) -> "Translation":
        """See `Task`; with the beam of the last look."""
        last = copy.copy(self)
        last.beam = self.final
        return last

    def check(self, target: Tree, dataset: str) -> None:
        """Pairs of sentences are needed."""
        if not (isinstance(target, dict) and {"tokens", "line"} <= set(target)):
            raise UserError(f"task=translation needs pairs of sentences, and dataset {dataset} has none")

    def measure(self, output: Tensor, target: Tree) -> dict[str, Tensor]:
        """Loss of logits (batch, steps, tokens), and tokens a sentence."""
        tokens = target["tokens"]
        total = SequenceTask._summed(output.flatten(0, 1), tokens.flatten())
        return {"loss": total / len(tokens), "tokens": (tokens != NO_TOKEN).sum().to(total.dtype) / len(tokens)}

    def example(self, target: Tree, outputs: int) -> Tensor:
        """See `Task`."""
        return torch.zeros(*target["tokens"].shape, outputs, device=target["tokens"].device)

    def evaluate(self, call: Call, batch: Batch, state: State) -> tuple[dict[str, Tensor], State]:
        """See `Task`; also what BLEU is made of."""
        sums, state = super().evaluate(call, batch, state)
        pairs = self.texts(call, batch)
        score = self.sacrebleu.corpus_bleu([said for _, said in pairs], [[wanted for wanted, _ in pairs]])
        parts = [*score.counts, *score.totals, score.sys_len, score.ref_len]
        return sums | {"bleu": torch.tensor(parts, dtype=torch.float64)}, state

    def finish(self, sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `Task`."""
        means = super().finish({name: value for name, value in sums.items() if name != "bleu"})
        if not means:
            return {}
        with np.errstate(over="ignore"):
            found = {"loss": means["loss"], "perplexity": np.exp(means["loss"] / means["tokens"])}
        if "bleu" in sums:
            found["bleu"] = np.array([self._bleu(parts) for parts in sums["bleu"]])
        return found

    def _bleu(self, parts: np.ndarray) -> float:
        whole_numbers = [int(part) for part in parts]
        counts, totals, lengths = (
            whole_numbers[:ORDERS],
            whole_numbers[ORDERS : 2 * ORDERS],
            whole_numbers[2 * ORDERS :],
        )
        return float(self.sacrebleu.BLEU.compute_bleu(counts, totals, *lengths, smooth_method="exp").score)

    def texts(self, call: Call, batch: Batch) -> list[tuple[str, str]]:
        """See `Task`."""
        assert self.language is not None
        said = self._said(call, batch.x["source"])
        wanted = [self.language.references[line] for line in batch.y["line"].tolist()]
        return [(one, self.language.written(tokens)) for one, tokens in zip(wanted, said, strict=True)]

    def _said(self, call: Call, source: Tensor) -> list[list[int]]:
        """Tokens of the translations of sources (batch, steps)."""
        memory, state = read(call, source)
        return translations(lambda *x: step(call, *x), memory, state, self.beam)

    def attention(self, call: Call, batch: Batch) -> Iterator[tuple[list[Place], list[str], Tensor]]:
        """Of every sentence its words, those of its translation, and weights (target words, source words)."""
        assert self.language is not None
        source = batch.x["source"]
        said = self._said(call, source)
        for i, tokens in enumerate(said):
            own = source[i][source[i] != NO_TOKEN]
            memory, state = read(call, own.unsqueeze(0))
            rows = []
            for word in [NO_TOKEN, *tokens]:
                _, state, weights = step(call, memory, state, torch.tensor([word], device=source.device))
                rows.append(weights[0])
            yield (
                [(word,) for word in self.language.source_words(own.tolist())],
                self.language.words([*tokens, END]),
                torch.stack(rows),
            )


def read(call: Call, source: Tensor) -> tuple[Tree, Tensor]:
    """Memory and first state of a translator that has read sources (batch, steps)."""
    memory, state = cast(tuple[Tree, Tensor], call({"source": source}, ())[0])
    return memory, state


def step(call: Call, memory: Tree, state: Tensor, word: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, state and attention weights of a translator one word further."""
    found = call({"memory": memory, "state": state, "word": word}, ())[0]
    return cast(tuple[Tensor, Tensor, Tensor], found)
