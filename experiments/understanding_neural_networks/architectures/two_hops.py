"""An encoder and a decoder between which attention looks twice: for a word, and for what was told of that word."""

import math

import torch
from torch import Tensor, nn

from repro.errors import UserError, whole
from repro.model.architectures.gru import GRULayer
from repro.model.architectures.translator import Encoder
from repro.model.layer_factory import LayerFactory
from repro.model.trees import Tree


class Hop(nn.Module):
    """Attention by products: softmax(q · k / √n) of queries q and keys k, linear in what asks and in what is there.

    Args:
        asking: numbers of what asks.
        width: numbers of an annotation, of a query and of a key.
        make: kind of weights.
    """

    def __init__(self, asking: int, width: int, make: LayerFactory) -> None:
        super().__init__()
        self.query = make.weights.linear(asking, width, bias=False)
        self.key = make.weights.linear(width, width, bias=False)

    def forward(self, asks: Tensor, annotations: Tensor, there: Tensor) -> Tensor:
        """(batch, steps, asking) and (batch, tokens, width) to what is found, (batch, steps, width)."""
        scores = self.query(asks) @ self.key(annotations).transpose(1, 2) / math.sqrt(annotations.shape[-1])
        found: Tensor = scores.masked_fill(~there.unsqueeze(1), float("-inf")).softmax(-1) @ annotations
        return found


class TwoHops(nn.Module):
    """Bidirectional GRU encoder, GRU decoder, and one or two hops of attention from each of the decoder's states.

    The first hop asks with the state; the second with the state and what the first found, so that it can look up in one
    place what it read in another. A readout of all of them gives the logits.

    Called with a tree: source tokens and target, the token before each that is to be told, both filled up with -1.

    Args:
        shape: of a step of input: () for tokens.
        outputs: types of tokens to be told.
        make: activation pair and backward rule; there is no normalization.
        width: units of the decoder, an even number; each direction of the encoder has half as many.
        embedding: numbers of a token's vector.
        hops: 1 or 2.
        reset: where the reset gates act, see `repro.model.architectures.gru.GRULayer`.
        tokens: types of source tokens.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        outputs: int,
        make: LayerFactory,
        width: int,
        embedding: int,
        hops: int,
        reset: str,
        tokens: int | None,
    ) -> None:
        super().__init__()
        whole("architecture.embedding", embedding, 1)
        if whole("architecture.width", width, 2) % 2:
            raise UserError(f"architecture.width must be even, half for each direction of the encoder, not {width}")
        if hops not in (1, 2):
            raise UserError(f"architecture.hops must be 1 or 2, not {hops}")
        if tokens is None or shape:
            raise UserError("architecture=two_hops reads tokens and answers with tokens; take dataset=episodes")
        if not isinstance(make.normalize(width, 1), nn.Identity):
            raise UserError("normalization has no place in a recurrent net here; use normalization=none")
        self.encoder = Encoder(tokens, embedding, width // 2, make, reset)
        self.start = make.weights.linear(width, width)
        self.start_unit = make.unit(width)
        self.target = nn.Embedding(outputs, embedding)
        self.decoder = GRULayer(embedding, width, make, reset)
        self.hops = nn.ModuleList(Hop((hop + 1) * width, width, make) for hop in range(hops))
        self.readout = make.weights.linear((hops + 1) * width, width)
        self.readout_unit = make.unit(width)
        self.output = make.weights.linear(width, outputs)

    def forward(self, x: Tree) -> Tensor:
        """`source` (batch, tokens) and `target` (batch, steps) to logits (batch, steps, outputs)."""
        source, before = x["source"], x["target"]
        there = source >= 0
        annotations = self.encoder(source, there)  # (batch, tokens, width)
        mean = annotations.sum(1) / there.sum(1, keepdim=True)
        previous = self.target(before.clamp_min(0)) * (before >= 0).unsqueeze(-1)
        states, _ = self.decoder(previous.transpose(0, 1), (self.start_unit(self.start(mean)),))
        known = states.transpose(0, 1)  # (batch, steps, width), and what each hop finds beside it
        for hop in self.hops:
            known = torch.cat([known, hop(known, annotations, there)], -1)
        out: Tensor = self.output(self.readout_unit(self.readout(known)))
        return out
