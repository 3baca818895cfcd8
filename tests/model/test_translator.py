"""The translator: its decoder step in NumPy, fillers that change nothing, where its activation pair stands."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from test_lstm import FUSED, PLAIN, SOFT, rng

from repro.errors import UserError
from repro.model.activations import Activation, NoiseSource, Nonlinearity, attach_noise
from repro.model.activations.elementwise import hard_sigmoid, hard_tanh
from repro.model.architectures.translator import Translator
from repro.model.backward import exact
from repro.model.initialization import OrthogonalSquare, initialize, normal
from repro.model.layer_factory import LayerFactory
from repro.model.normalization import batch, none
from sentences import SOURCE, TARGET, affine, filled

TYPES, WORDS, WIDTH, EMBEDDING, UNITS = 9, 11, 4, 3, 5
HARD = Activation(hard_tanh, hard_sigmoid)


def net(pair: Activation = SOFT, reset: str = "after", **changes: int) -> Translator:
    sizes = {"width": WIDTH, "embedding": EMBEDDING, "attention": UNITS, **changes}
    made = Translator((), WORDS, LayerFactory(pair, exact, none), reset=reset, tokens=TYPES, **sizes).double()
    initialize(made, partial(normal, std=0.8), rng(0))
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(generator=rng(len(name)))
    attach_noise(made, NoiseSource([rng(5)]))
    return made


def gru_step(layer, x: np.ndarray, h: np.ndarray, gate, unit) -> np.ndarray:
    n = layer.units
    a, u = affine(layer.input, x), affine(layer.recurrent, h)
    r, z = gate(a[:n] + u[:n]), gate(a[n : 2 * n] + u[n : 2 * n])
    return z * h + (1 - z) * unit(a[2 * n :] + r * u[2 * n :])


@pytest.mark.parametrize(
    ("pair", "gate", "unit"),
    [(SOFT, expit, np.tanh), (HARD, lambda a: np.clip(a / 4 + 0.5, 0, 1), lambda a: np.clip(a, -1, 1))],
    ids=["soft", "hard"],
)
def test_logits_are_those_of_the_equations(pair: Activation, gate, unit) -> None:
    """One sentence at a time, one step after the other, in NumPy."""
    made = net(pair)
    found = made({"source": filled(SOURCE), "target": filled(TARGET)}).detach().numpy()
    read = made.encoder.embedding.weight.detach().numpy()
    spoken = made.target.weight.detach().numpy()
    for sentence, (source, target) in enumerate(zip(SOURCE, TARGET, strict=True)):
        right, left, h = [], [], np.zeros(WIDTH)
        for token in source:
            h = gru_step(made.encoder.forwards, read[token], h, gate, unit)
            right.append(h)
        h = np.zeros(WIDTH)
        for token in reversed(source):
            h = gru_step(made.encoder.backwards, read[token], h, gate, unit)
            left.insert(0, h)
        annotations = np.concatenate([right, left], 1)
        s = unit(affine(made.start.linear, annotations.mean(0)))
        for step, word in enumerate(target):
            previous = np.zeros(EMBEDDING) if word < 0 else spoken[word]
            between = gru_step(made.first, previous, s, gate, unit)
            scores = [
                affine(
                    made.attention.score,
                    unit(affine(made.attention.keys, annotation) + affine(made.attention.query, between)),
                )[0]
                for annotation in annotations
            ]
            context = softmax(scores) @ annotations
            s = gru_step(made.second, context, between, gate, unit)
            a = sum(
                affine(part, x)
                for part, x in (
                    (made.readout.state, s),
                    (made.readout.previous, previous),
                    (made.readout.context, context),
                )
            )
            logits = affine(made.output, unit(a))
            np.testing.assert_allclose(found[sentence, step], logits, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("pair", ["soft", "hard", "leak", "nah"])
def test_fillers_change_nothing(pair: str) -> None:
    """A sentence alone and beside longer ones, and with more fillers: values and gradients."""
    made = net(FUSED[pair]).eval()  # noise goes by shape
    with_others = made({"source": filled(SOURCE, 4), "target": filled(TARGET, 3)})
    for i, (source, target) in enumerate(zip(SOURCE, TARGET, strict=True)):
        alone = made({"source": filled([source]), "target": filled([target])})
        torch.testing.assert_close(with_others[i, : len(target)], alone[0], rtol=0, atol=1e-12)
        gradients = [
            torch.autograd.grad(out.sin().sum(), list(made.parameters()), retain_graph=True, allow_unused=True)
            for out in (with_others[i, : len(target)], alone)
        ]
        for one, other in zip(*gradients, strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("reset", ["after", "before"])
def test_word_by_word_is_the_whole(reset: str) -> None:
    made = net(reset=reset)
    source, target = filled(SOURCE), filled(TARGET)
    whole = made({"source": source, "target": target})
    memory, state = made({"source": source})
    for step in range(target.shape[1]):
        logits, state, weights = made({"memory": memory, "state": state, "word": target[:, step]})
        torch.testing.assert_close(weights.sum(1), torch.ones(3, dtype=torch.float64))
        assert (weights[source < 0] == 0).all()
        torch.testing.assert_close(logits, whole[:, step])


def test_the_pair_stands_everywhere() -> None:
    made = net(FUSED["nah"])
    sites = [name for name, part in made.named_modules() if isinstance(part, Nonlinearity)]
    grus = ("encoder.forwards", "encoder.backwards", "first", "second")
    gates = ("reset_gate", "update_gate", "candidate")
    assert sorted(sites) == sorted(
        [f"{gru}.{gate}" for gru in grus for gate in gates] + ["start.unit", "attention.unit", "readout.unit"]
    )
    assert not any(isinstance(part, torch.nn.Tanh | torch.nn.Sigmoid) for part in made.modules())
    made({"source": filled(SOURCE), "target": filled(TARGET)}).sin().sum().backward()
    for site in sites:
        assert made.get_submodule(site).function.p.grad.abs().sum() > 0, site


@pytest.mark.parametrize("pair", ["nan", "nah", "nani"])
def test_noise_is_drawn_anew_at_every_site_and_off_in_evaluation(pair: str) -> None:
    made = net({**FUSED, **PLAIN}[pair])
    x = {"source": filled(SOURCE), "target": filled(TARGET)}
    assert not torch.equal(made(x), made(x))
    made.eval()
    assert torch.equal(made(x), made(x))


def test_start_of_the_tutorial() -> None:
    made = net(embedding=WIDTH, attention=2 * WIDTH)
    initialize(made, OrthogonalSquare(0.01, 0.01), rng(0))
    for layer in (made.encoder.forwards, made.first, made.second):
        for block in layer.recurrent.weight.chunk(3):
            torch.testing.assert_close(block @ block.T, 1e-4 * torch.eye(WIDTH, dtype=torch.float64))
    assert not made.first.input.bias.any()
    assert 0.003 < made.target.weight.std() < 0.03
    assert 0.003 < made.output.weight.std() < 0.03
    torch.testing.assert_close(made.first.input.weight[:WIDTH].norm(), torch.tensor(0.02, dtype=torch.float64))


def test_what_it_refuses() -> None:
    for changes, says in (({"width": 0}, "architecture.width"), ({"attention": 0}, "architecture.attention")):
        with pytest.raises(UserError, match=says):
            net(**changes)
    make = LayerFactory(SOFT, exact, partial(batch, momentum=0.1, eps=1e-5))
    with pytest.raises(UserError, match="normalization=none"):
        Translator((), WORDS, make, width=2, embedding=2, attention=2, reset="after", tokens=3)
    with pytest.raises(UserError, match="dataset=multi30k"):
        Translator((4,), WORDS, LayerFactory(SOFT, exact, none), 2, 2, 2, "after", None)
