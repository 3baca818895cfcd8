"""Beam search against going through everything that can be said, with a net and with made-up probabilities."""

from itertools import product

import pytest
import torch
from torch import Tensor

from repro.datasets.pairs.batches import NO_TOKEN
from repro.model.architectures.translator import Translator
from repro.model.backward import exact
from repro.model.layer_factory import LayerFactory
from repro.model.normalization import none
from repro.tasks import IGNORED
from repro.tasks.beam_search import Beam, translations
from sentences import SOFT, SOURCE, filled

LONGEST, TOKENS = 3, 4


def test_nothing_is_predicted_behind_the_end_of_a_sentence() -> None:
    assert NO_TOKEN == IGNORED


def translator(seed: int) -> Translator:
    """A net that ends sentences at all places: logits are spread out, and the end is no rarity."""
    made = Translator(
        (), TOKENS, LayerFactory(SOFT, exact, none), width=4, embedding=3, attention=5, reset="after", tokens=9
    )
    made = made.double().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0, 1.2, generator=torch.Generator().manual_seed(seed))
    return made


def all_there_is() -> list[list[int]]:
    """Every sentence of at most LONGEST tokens, its end included; the longest may have none."""
    words = range(1, TOKENS)
    ended = [[*one, 0] for n in range(LONGEST) for one in product(words, repeat=n)]
    return ended + [list(one) for one in product(words, repeat=LONGEST)]


def log_probabilities(made: Translator, source: list[int]) -> list[tuple[list[int], float]]:
    """Of everything there is, from one call that is told all words."""
    sentences = all_there_is()
    x = {"source": torch.tensor([source] * len(sentences)), "target": filled([[-1, *one[:-1]] for one in sentences])}
    rows = made(x).log_softmax(-1).detach()
    return [
        (tokens, sum(float(row[token]) for row, token in zip(own, tokens, strict=False)))
        for tokens, own in zip(sentences, rows, strict=True)
    ]


def said(made: Translator, source: Tensor, beam: Beam) -> list[list[int]]:
    with torch.no_grad():
        memory, state = made({"source": source})
        return translations(lambda m, s, w: made({"memory": m, "state": s, "word": w}), memory, state, beam)


def without_end(tokens: list[int]) -> list[int]:
    return tokens[:-1] if tokens[-1] == 0 else tokens


@pytest.mark.parametrize("normalize", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_beam_as_wide_as_everything_finds_the_best(seed: int, normalize: float) -> None:
    made = translator(seed)
    found = said(made, filled(SOURCE), Beam(len(all_there_is()), normalize, LONGEST))
    for source, own in zip(SOURCE, found, strict=True):
        best, _ = max(log_probabilities(made, source), key=lambda one: one[1] / len(one[0]) ** normalize)
        assert own == without_end(best)


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_a_batch_is_its_sentences_one_by_one(seed: int, width: int) -> None:
    made = translator(seed)
    together = said(made, filled(SOURCE, 2), Beam(width, 1.0, 7))
    assert together == [said(made, filled([source]), Beam(width, 1.0, 7))[0] for source in SOURCE]


@pytest.mark.parametrize("seed", range(4))
def test_a_beam_of_one_is_greedy(seed: int) -> None:
    made = translator(seed)
    for source, own in zip(SOURCE, said(made, filled(SOURCE), Beam(1, 1.0, 7)), strict=True):
        tokens: list[int] = []
        while len(tokens) < 7 and (not tokens or tokens[-1] != 0):
            x = {"source": torch.tensor([source]), "target": torch.tensor([[-1, *tokens]])}
            tokens.append(int(made(x)[0, -1].argmax()))
        assert own == without_end(tokens)


def test_a_wider_beam_finds_what_greed_passes_by() -> None:
    """First words 1 (0.6) and 2 (0.4); after 1 everything is unlikely, after 2 the end is sure."""
    table = {-1: [0.0, 0.6, 0.4, 0.0], 1: [0.34, 0.33, 0.33, 0.0], 2: [1.0, 0.0, 0.0, 0.0]}

    def step(memory: Tensor, state: Tensor, word: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return torch.tensor([table[int(w)] for w in word]).log(), state, memory

    start = torch.zeros(1, 1)
    assert translations(step, start, start, Beam(1, 0.0, 3)) == [[1]]
    assert translations(step, start, start, Beam(2, 0.0, 3)) == [[2]]
    # By the token a longer one may count for more: log(0.6 · 0.34) / 2 against log(0.4) / 2, and no end at all.
    assert translations(step, start, start, Beam(2, 1.0, 3)) == [[2]]
