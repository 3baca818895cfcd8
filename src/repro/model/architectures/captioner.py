"""Captions by soft attention over the places of an image (Xu et al. 2015), with any activation pair."""

from typing import Any

import torch
from torch import Tensor, nn

from repro.errors import UserError, whole
from repro.model.activations.noise import Dropout
from repro.model.architectures.lstm import LSTMLayer, State
from repro.model.layer_factory import LayerFactory
from repro.model.trees import Tree

Memory = dict[str, Tensor]
"""What is kept of a batch of images: `annotations` (batch, places, numbers) and their `keys` (batch, places, units)."""


class Attention(nn.Module):
    """Additive attention: score of annotation a under a state h = v · unit(U h + keys of a), then a softmax.

    Keys are W a + b, or V unit(W a + b) + d with two layers.

    Args:
        numbers: of an annotation.
        width: numbers of h.
        units: of the hidden layer.
        depth: layers of the keys, 1 or 2.
        make: activation pair and backward rule.
    """

    def __init__(self, numbers: int, width: int, units: int, depth: int, make: LayerFactory) -> None:
        super().__init__()
        self.first = make.weights.linear(numbers, units)
        self.between = make.unit(units) if depth == 2 else None
        self.second = make.weights.linear(units, units) if depth == 2 else None
        self.query = make.weights.linear(width, units, bias=False)
        self.unit = make.unit(units)
        self.score = make.weights.linear(units, 1, bias=False)

    def keys(self, annotations: Tensor) -> Tensor:
        """(batch, places, numbers) to (batch, places, units)."""
        keys: Tensor = self.first(annotations)
        return keys if self.second is None or self.between is None else self.second(self.between(keys))

    def forward(self, h: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """States (batch, width) to contexts (batch, numbers) and weights (batch, places), which sum to 1."""
        hidden = self.unit(memory["keys"] + self.query(h).unsqueeze(1))  # (batch, places, units)
        weights = self.score(hidden).squeeze(-1).softmax(-1)
        return torch.bmm(weights.unsqueeze(1), memory["annotations"]).squeeze(1), weights


class Start(nn.Module):
    """h or c before the first word: unit(W m + b) of the mean annotation m, or of a hidden layer of it.

    The hidden layer's units are rectifiers, as in the authors' code, and dropout stands behind it.

    Args:
        numbers: of an annotation.
        width: units.
        depth: layers, 1 or 2.
        dropout: see `Captioner`.
        make: activation pair and backward rule.
    """

    def __init__(self, numbers: int, width: int, depth: int, dropout: float, make: LayerFactory) -> None:
        super().__init__()
        self.hidden = make.weights.linear(numbers, numbers) if depth == 2 else None
        self.dropout = dropped(dropout)
        self.linear = make.weights.linear(numbers, width)
        self.unit = make.unit(width)

    def forward(self, mean: Tensor) -> Tensor:
        """(batch, numbers) to (batch, width)."""
        if self.hidden is not None:
            mean = self.dropout(self.hidden(mean).relu())
        out: Tensor = self.unit(self.linear(mean))
        return out


class Gate(nn.Module):
    """β = gate(w · h + b): one number that says how much the context counts."""

    def __init__(self, width: int, make: LayerFactory) -> None:
        super().__init__()
        self.linear = make.weights.linear(width, 1)
        self.gate = make.gate(1)

    def forward(self, h: Tensor) -> Tensor:
        """(batch, width) to (batch, 1)."""
        out: Tensor = self.gate(self.linear(h))
        return out


class Readout(nn.Module):
    """unit(W h + e + C c + b) of state h, previous word e and context c, with dropout on h and on what comes out."""

    def __init__(self, width: int, embedding: int, numbers: int, dropout: float, make: LayerFactory) -> None:
        super().__init__()
        self.dropout = dropped(dropout)
        self.state = make.weights.linear(width, embedding)
        self.context = make.weights.linear(numbers, embedding, bias=False)
        self.unit = make.unit(embedding)

    def forward(self, h: Tensor, previous: Tensor, context: Tensor) -> Tensor:
        """(..., width), (..., embedding) and (..., numbers) to (..., embedding)."""
        read = self.state(self.dropout(h)) + previous + self.context(context)
        out: Tensor = self.dropout(self.unit(read))
        return out


def dropped(probability: float) -> nn.Module:
    """Dropout with this probability, in [0, 1)."""
    return Dropout(probability) if probability else nn.Identity()


class Captioner(nn.Module):
    """LSTM that reads the word before and what attention finds in the image, and says the next word.

    At each step attention looks where the state before points, a gate β scales what it finds, the LSTM reads that
    beside the word before (nothing before the first), and a readout of state, word and context gives the logits.
    Every sigmoid and tanh is the activation pair's: gates and candidate, attention, β, first state, readout.

    Called with a tree: image (batch, places, numbers) and target (batch, captions, steps), filled up with -1, to the
    `logits` (batch, captions, steps, outputs) and `attention` (batch, captions, steps, places); image alone to memory
    and first state; memory, state and word to logits (batch, outputs), the next state and attention weights.

    Args:
        shape: of an image: (places, numbers).
        outputs: words that there are.
        make: activation pair and backward rule; there is no normalization.
        width: units of the LSTM.
        embedding: numbers of a word's vector, and units of the readout.
        attention: units of the attention's hidden layer.
        attention_depth: layers of what is seen of the image there, 1 or 2.
        start_depth: layers from the mean annotation to the first state, 1 or 2.
        dropout: probability in [0, 1) that a number of the state or of the readout is dropped in training, on the way
            to the next word only, and of the hidden layer before the first state.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        outputs: int,
        make: LayerFactory,
        width: int,
        embedding: int,
        attention: int,
        attention_depth: int,
        start_depth: int,
        dropout: float,
    ) -> None:
        super().__init__()
        for name, value in (("width", width), ("embedding", embedding), ("attention", attention)):
            whole(f"architecture.{name}", value, 1)
        for name, value in (("attention_depth", attention_depth), ("start_depth", start_depth)):
            if value not in (1, 2):
                raise UserError(f"architecture.{name} must be 1 or 2, not {value!r}")
        if len(shape) != 2:
            raise UserError("architecture=captioner reads images as places; take dataset=flickr8k")
        if not isinstance(make.normalize(width, 1), nn.Identity):
            raise UserError("normalization has no place in a captioner; use normalization=none")
        numbers = shape[1]
        self.start_h = Start(numbers, width, start_depth, dropout, make)
        self.start_c = Start(numbers, width, start_depth, dropout, make)
        self.words = nn.Embedding(outputs, embedding)
        self.attention = Attention(numbers, width, attention, attention_depth, make)
        self.gate = Gate(width, make)
        self.cell = LSTMLayer(embedding + numbers, width, make)
        for part in (self.cell.input, self.cell.recurrent):
            part.blocks = 4  # type: ignore[assignment]  # initialized one by one
        self.readout = Readout(width, embedding, numbers, dropout, make)
        self.output = make.weights.linear(embedding, outputs)

    def forward(self, x: Tree) -> Any:
        """See above."""
        if "memory" in x:
            return self._said(x["memory"], x["state"], x["word"])
        if "target" not in x:
            memory, state = self._seen(x["image"])
            return memory, torch.stack(state, 1)
        target, (memory, h_and_c) = x["target"], self._seen(x["image"])
        if target.shape[1] > 1:
            memory, h_and_c = repeated(memory, h_and_c, target.shape[1])
        logits, weights = self._taught(memory, h_and_c, target.flatten(0, 1))
        return {"logits": logits.reshape(*target.shape, -1), "attention": weights.reshape(*target.shape, -1)}

    def _seen(self, image: Tensor) -> tuple[Memory, State]:
        mean = image.mean(1)
        return {"annotations": image, "keys": self.attention.keys(image)}, (self.start_h(mean), self.start_c(mean))

    def _taught(self, memory: Memory, state: State, target: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and attention where the words before are given, (batch, steps) to (batch, steps, ...)."""
        previous = self._embedded(target.t())
        states, contexts, weights = [], [], []
        for word in previous:
            state, context, looked = self._step(memory, state, word)
            states.append(state[0])
            contexts.append(context)
            weights.append(looked)
        read = self.readout(torch.stack(states), previous, torch.stack(contexts))
        return self.output(read.transpose(0, 1)), torch.stack(weights, 1)

    def _said(self, memory: Memory, state: Tensor, word: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the next word, the state (batch, 2, width) and attention weights after one."""
        previous = self._embedded(word)
        h, c = state.unbind(1)
        after, context, weights = self._step(memory, (h, c), previous)
        return self.output(self.readout(after[0], previous, context)), torch.stack(after, 1), weights

    def _step(self, memory: Memory, state: State, word: Tensor) -> tuple[State, Tensor, Tensor]:
        """State and the word's vector to the next state, the gated context and attention weights."""
        found, weights = self.attention(state[0], memory)
        context = self.gate(state[0]) * found
        _, after = self.cell(torch.cat([word, context], -1).unsqueeze(0), state)
        return after, context, weights

    def _embedded(self, words: Tensor) -> Tensor:
        """Vectors of words; 0 where there is none."""
        vectors: Tensor = self.words(words.clamp_min(0))
        return vectors * (words >= 0).unsqueeze(-1)


def repeated(memory: Memory, state: State, times: int) -> tuple[Memory, State]:
    """The same for several captions of each image, one behind the other."""
    h, c = (part.repeat_interleave(times, 0) for part in state)
    return {name: part.repeat_interleave(times, 0) for name, part in memory.items()}, (h, c)
