"""Translation with attention (Bahdanau et al. 2015), in the form of the dl4mt tutorial, with any activation pair."""

from typing import Any

import torch
from torch import Tensor, nn

from repro.errors import UserError, whole
from repro.model.architectures.gru import GRULayer
from repro.model.layer_factory import LayerFactory
from repro.model.trees import Tree

Memory = dict[str, Tensor]
"""What is kept of a batch of source sentences: `annotations` (batch, steps, 2 · width), their `keys` (batch, steps,
attention) and `there` (batch, steps), False behind the end of a sentence."""


class Encoder(nn.Module):
    """Annotations of every source token: a GRU from left to right beside one from right to left.

    The second one reads each sentence from its own end, so that what fills it up comes behind it in both.

    Args:
        tokens: size of the vocabulary.
        embedding: numbers of a token's vector.
        width: units of each GRU.
        make: activation pair and backward rule.
        reset: see `GRULayer`.
    """

    def __init__(self, tokens: int, embedding: int, width: int, make: LayerFactory, reset: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, embedding)
        self.forwards = GRULayer(embedding, width, make, reset)
        self.backwards = GRULayer(embedding, width, make, reset)

    def forward(self, source: Tensor, there: Tensor) -> Tensor:
        """(batch, steps) to (batch, steps, 2 · width); behind the end of a sentence it is 0."""
        x = self.embedding(source.clamp_min(0)).transpose(0, 1)  # (steps, batch, embedding)
        place = torch.arange(len(x), device=x.device).unsqueeze(1)
        other = there.sum(1) - 1 - place  # where the first is last, and the last first
        other = torch.where(other < 0, place, other).unsqueeze(-1)
        start = (x.new_zeros(x.shape[1], self.forwards.units),)
        right, _ = self.forwards(x, start)
        left, _ = self.backwards(x.gather(0, other.expand_as(x)), start)
        both = torch.cat([right, left.gather(0, other.expand_as(left))], -1).transpose(0, 1)
        return both * there.unsqueeze(-1)


class Attention(nn.Module):
    """Additive attention: score of annotation h_i under a state s = v · unit(U s + W h_i + b), then a softmax.

    Args:
        annotation: numbers of h_i.
        state: numbers of s.
        units: of the hidden layer.
        make: activation pair and backward rule.
    """

    def __init__(self, annotation: int, state: int, units: int, make: LayerFactory) -> None:
        super().__init__()
        self.keys = make.weights.linear(annotation, units)
        self.query = make.weights.linear(state, units, bias=False)
        self.unit = make.unit(units)
        self.score = make.weights.linear(units, 1, bias=False)

    def forward(self, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """States (batch, width) to contexts (batch, 2 · width) and weights (batch, steps), which sum to 1."""
        hidden = self.unit(memory["keys"] + self.query(state).unsqueeze(1))  # (batch, steps, units)
        scores = self.score(hidden).squeeze(-1).masked_fill(~memory["there"], float("-inf"))
        weights = scores.softmax(-1)
        return torch.bmm(weights.unsqueeze(1), memory["annotations"]).squeeze(1), weights


class Readout(nn.Module):
    """unit(W s + V e + C c + b) of state s, previous word e and context c."""

    def __init__(self, width: int, embedding: int, units: int, make: LayerFactory) -> None:
        super().__init__()
        self.state = make.weights.linear(width, units)
        self.previous = make.weights.linear(embedding, units, bias=False)
        self.context = make.weights.linear(2 * width, units, bias=False)
        self.unit = make.unit(units)

    def forward(self, state: Tensor, previous: Tensor, context: Tensor) -> Tensor:
        """(..., width), (..., embedding) and (..., 2 · width) to (..., units)."""
        out: Tensor = self.unit(self.state(state) + self.previous(previous) + self.context(context))
        return out


class Start(nn.Module):
    """The decoder's first state: unit(W m + b) of the mean annotation m."""

    def __init__(self, width: int, make: LayerFactory) -> None:
        super().__init__()
        self.linear = make.weights.linear(2 * width, width)
        self.unit = make.unit(width)

    def forward(self, mean: Tensor) -> Tensor:
        """(batch, 2 · width) to (batch, width)."""
        out: Tensor = self.unit(self.linear(mean))
        return out


class Translator(nn.Module):
    """Bidirectional GRU encoder, additive attention, conditional GRU decoder.

    At each step a first GRU reads the word before (nothing before the first), attention looks where its state points,
    a second GRU reads the context found there, and a readout of state, word and context gives the logits. Every
    sigmoid and tanh is the activation pair's: gates and candidates, attention, first state, readout.

    Called with a tree: source and target, both filled up with -1, to logits (batch, steps, outputs); source alone to
    memory and first state; memory, state and word to logits (batch, outputs), the next state and attention weights.

    Args:
        shape: of a step of input: () for tokens.
        outputs: types of the target language.
        make: activation pair and backward rule; there is no normalization.
        width: units of each of the four GRUs.
        embedding: numbers of a word's vector, and units of the readout.
        attention: units of the attention's hidden layer; None = twice the width.
        reset: where the reset gates act, see `GRULayer`.
        tokens: types of the source language.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        outputs: int,
        make: LayerFactory,
        width: int,
        embedding: int,
        attention: int | None,
        reset: str,
        tokens: int | None,
    ) -> None:
        super().__init__()
        for name, value in (("width", width), ("embedding", embedding), ("attention", attention)):
            if value is not None:
                whole(f"architecture.{name}", value, 1)
        if tokens is None or shape:
            raise UserError("architecture=translator reads pairs of sentences; take dataset=multi30k, say")
        if not isinstance(make.normalize(width, 1), nn.Identity):
            raise UserError("normalization has no place in a translator; use normalization=none")
        self.encoder = Encoder(tokens, embedding, width, make, reset)
        self.start = Start(width, make)
        self.target = nn.Embedding(outputs, embedding)
        self.first = GRULayer(embedding, width, make, reset)
        self.attention = Attention(2 * width, width, 2 * width if attention is None else attention, make)
        self.second = GRULayer(2 * width, width, make, reset)
        self.readout = Readout(width, embedding, embedding, make)
        self.output = make.weights.linear(embedding, outputs)

    def forward(self, x: Tree) -> Any:
        """See above."""
        if "memory" in x:
            return self._said(x["memory"], x["state"], x["word"])
        memory, state = self._read(x["source"])
        return self._taught(memory, state, x["target"]) if "target" in x else (memory, state)

    def _read(self, source: Tensor) -> tuple[Memory, Tensor]:
        there = source >= 0
        annotations = self.encoder(source, there)
        mean = annotations.sum(1) / there.sum(1, keepdim=True)
        memory = {"annotations": annotations, "keys": self.attention.keys(annotations), "there": there}
        return memory, self.start(mean)

    def _taught(self, memory: Memory, state: Tensor, target: Tensor) -> Tensor:
        """Logits where the words before are given, (batch, steps) to (batch, steps, outputs)."""
        previous = self._embedded(target.t())
        states, contexts = [], []
        for x in self.first.input(previous):
            state, context, _ = self._step(memory, state, x)
            states.append(state)
            contexts.append(context)
        read = self.readout(torch.stack(states), previous, torch.stack(contexts))
        logits: Tensor = self.output(read.transpose(0, 1))
        return logits

    def _said(self, memory: Memory, state: Tensor, word: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the next word, the state and attention weights after one."""
        previous = self._embedded(word)
        state, context, weights = self._step(memory, state, self.first.input(previous))
        return self.output(self.readout(state, previous, context)), state, weights

    def _step(self, memory: Memory, state: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """State and projected word to the next state, the context and attention weights."""
        between = self.first.walk(x.unsqueeze(0), state)[0]
        context, weights = self.attention(between, memory)
        after = self.second.walk(self.second.input(context).unsqueeze(0), between)[0]
        return after, context, weights

    def _embedded(self, words: Tensor) -> Tensor:
        """Vectors of words; 0 where there is none."""
        vectors: Tensor = self.target(words.clamp_min(0))
        return vectors * (words >= 0).unsqueeze(-1)
