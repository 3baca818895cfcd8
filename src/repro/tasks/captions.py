"""Captions: likelihood of what people wrote of an image, and scores of what the net says of it by itself."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from repro.datasets.about import About, Gallery
from repro.datasets.captions.images import captions_package
from repro.datasets.pairs.batches import END, NO_TOKEN
from repro.datasets.protocol import Batch
from repro.errors import UserError, number, whole
from repro.model.architectures.recurrence import State
from repro.model.trees import Tree
from repro.storage.metrics import PERPLEXITY, POSITIVE, Metric
from repro.tasks import Call, Place, Task
from repro.tasks import Sequence as SequenceTask
from repro.tasks.beam_search import Beam, translations
from repro.tasks.caption_scores import ORDERS, Cider, Meteor, bleu_parts, bleus, java
from repro.tasks.translation import step

HUNDRED = (0.0, 100.0)
WAY = "pycocoevalcap 1.2, lower case, without punctuation, 5 references"
LOSS = Metric("loss", "nats", "lower", "summed over the tokens of a caption, averaged over captions")
UNEVENNESS = Metric(
    "unevenness", "1", None, "(1 - attention in all)², summed over places, averaged over captions", POSITIVE
)
BLEUS = tuple(
    Metric(
        f"bleu_{n}", "1/100", "higher", f"n-grams of up to {n} words that captions share with references", HUNDRED, WAY
    )
    for n in range(1, ORDERS + 1)
)
CIDER = Metric("cider", "1", "higher", "n-grams shared with references, rare ones weighing more", (0.0, 10.0), WAY)
METEOR = Metric("meteor", "1/100", "higher", "words, stems and synonyms shared with references", HUNDRED, WAY)


class Captions(Task):
    """Cross-entropy summed over a caption's tokens and averaged over captions; BLEU, CIDEr and METEOR of its own.

    What is minimized is the cross-entropy and `alpha_c` times the unevenness of attention: the doubly stochastic
    penalty of Xu et al. (2015), by which a caption is to look at every place equally often in all. BLEU and CIDEr on
    the way are of greedy captions, or of a narrow beam; `last_look` has the full one, and METEOR, which takes a Java
    runtime.

    Args:
        alpha_c: 0 or more.
        beam: width of the search at the last look, 1 or more.
        beam_on_the_way: at evaluations before.
        normalize: see `repro.tasks.beam_search.Beam`, 0 or more.
        longest: likewise, 1 or more.
        meteor: whether METEOR is taken where it can be.

    Raises:
        UserError: an option is not allowed, or the extra `[captions]` is missing.
    """

    metrics = (LOSS, PERPLEXITY, UNEVENNESS, *BLEUS, CIDER, METEOR)

    def __init__(
        self, alpha_c: float, beam: int, beam_on_the_way: int, normalize: float, longest: int, meteor: bool
    ) -> None:
        self.alpha_c = number("task.alpha_c", alpha_c, 0)
        self.final = Beam(whole("task.beam", beam, 1), number("task.normalize", normalize, 0), longest)
        whole("task.longest", longest, 1)
        self.beam = replace(self.final, width=whole("task.beam_on_the_way", beam_on_the_way, 1))
        captions_package("pycocoevalcap.bleu.bleu_scorer")
        self.gallery: Gallery | None = None
        self.ciders: dict[range, Cider] = {}
        self.asks_meteor = meteor
        self.meteor: Meteor | None = None  # at the last look

    @property
    def notes(self) -> list[str]:
        """See `Task`."""
        if not self.asks_meteor or java() is not None:
            return []
        return [
            "METEOR is left out: it takes a Java runtime (apt-get install default-jre-headless, or from adoptium.net)"
        ]

    def suited(self, about: About | None) -> "Captions":
        """See `Task`."""
        suited = copy.copy(self)
        suited.gallery, suited.ciders = None if about is None else about.gallery, {}
        return suited

    def last_look(self) -> "Captions":
        """See `Task`; with the beam of the last look, and METEOR."""
        last, path = copy.copy(self), java() if self.asks_meteor else None
        last.beam, last.meteor = self.final, None if path is None else Meteor(path)
        return last

    def check(self, target: Tree, dataset: str) -> None:
        """Captions of images are needed."""
        if not (isinstance(target, dict) and {"tokens", "line"} <= set(target) and target["tokens"].dim() == 3):
            raise UserError(f"task=captions needs images with captions, and dataset {dataset} has none")

    def measure(self, output: Tree, target: Tree) -> dict[str, Tensor]:
        """Of `logits` (batch, captions, steps, words) and `attention` (batch, captions, steps, places), per caption."""
        tokens, attention = target["tokens"], output["attention"]
        there, captions = tokens != NO_TOKEN, tokens.shape[0] * tokens.shape[1]
        total = SequenceTask._summed(output["logits"].flatten(0, 2), tokens.flatten())
        looked = (attention * there.unsqueeze(-1)).sum(2)  # (batch, captions, places)
        return {
            "loss": total / captions,
            "tokens": there.sum().to(total.dtype) / captions,
            "unevenness": (1 - looked).square().sum(-1).mean(),
        }

    def objective(self, scores: Mapping[str, Tensor], target: Tree) -> Tensor:
        """The loss, and the penalty."""
        del target
        return scores["loss"] + self.alpha_c * scores["unevenness"]

    def example(self, target: Tree, outputs: int) -> Tree:
        """See `Task`."""
        like = target["tokens"]
        return {
            name: torch.zeros(*like.shape, n, device=like.device) for name, n in (("logits", outputs), ("attention", 1))
        }

    def evaluate(self, call: Call, batch: Batch, state: State) -> tuple[dict[str, Tensor], State]:
        """See `Task`; also what the scores of captions are made of."""
        sums, state = super().evaluate(call, batch, state)
        gallery, lines = self._gallery(), batch.y["line"].tolist()
        said = [" ".join(gallery.words(tokens)) for tokens in self._said(call, batch.x["image"])]
        wanted = [gallery.references[line] for line in lines]
        parts = {"bleu": bleu_parts(said, wanted), "cider": [self._cider(lines[0]).total(said, wanted)]}
        if self.meteor is not None:
            parts["meteor"] = self.meteor.counts(said, wanted)
        return sums | {name: torch.tensor(part, dtype=torch.float64) for name, part in parts.items()}, state

    def _cider(self, line: int) -> Cider:
        """Of the split that has this line."""
        gallery = self._gallery()
        own = next(lines for lines in gallery.splits.values() if line in lines)
        if own not in self.ciders:
            self.ciders[own] = Cider([gallery.references[i] for i in own])
        return self.ciders[own]

    def finish(self, sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `Task`."""
        means = super().finish({name: value for name, value in sums.items() if name not in ("bleu", "meteor")})
        if not means:
            return {}
        tokens = means.pop("tokens")
        with np.errstate(over="ignore"):
            found = {"loss": means["loss"], "perplexity": np.exp(means["loss"] / tokens)}
        found["unevenness"] = means["unevenness"]
        if "bleu" in sums:
            of_each = zip(*(bleus(parts) for parts in sums["bleu"].tolist()), strict=True)
            found |= {metric.name: np.array(values) for metric, values in zip(BLEUS, of_each, strict=True)}
            found["cider"] = means["cider"][:, 0]
        if "meteor" in sums and self.meteor is not None:
            found["meteor"] = np.array([self.meteor.score(counts) for counts in sums["meteor"].tolist()])
        return found

    def texts(self, call: Call, batch: Batch) -> list[tuple[str, str]]:
        """See `Task`; of the references the first."""
        gallery = self._gallery()
        said = self._said(call, batch.x["image"])
        wanted = [gallery.references[line][0] for line in batch.y["line"].tolist()]
        return [(one, " ".join(gallery.words(tokens))) for one, tokens in zip(wanted, said, strict=True)]

    def attention(self, call: Call, batch: Batch) -> Iterator[tuple[list[Place], list[str], Tensor]]:
        """Of every image its places, each with the image's name and its mean colour, words said, and weights."""
        gallery, images = self._gallery(), batch.x["image"]
        said = self._said(call, images)
        for i, (tokens, line) in enumerate(zip(said, batch.y["line"].tolist(), strict=True)):
            memory, state = seen(call, images[i : i + 1])
            rows = []
            for word in [NO_TOKEN, *tokens]:
                _, state, weights = step(call, memory, state, torch.tensor([word], device=images.device))
                rows.append(weights[0])
            places: list[Place] = [(gallery.images[line], *colour) for colour in gallery.colours(line)]
            yield places, gallery.words([*tokens, END]), torch.stack(rows)

    def _said(self, call: Call, images: Tensor) -> list[list[int]]:
        """Tokens of the captions of images (batch, places, numbers)."""
        memory, state = seen(call, images)
        return translations(lambda *x: step(call, *x), memory, state, self.beam)

    def _gallery(self) -> Gallery:
        assert self.gallery is not None
        return self.gallery


def seen(call: Call, images: Tensor) -> tuple[Tree, Tensor]:
    """Memory and first state of a captioner that has seen images."""
    memory, state = call({"image": images}, ())[0]
    return memory, state
