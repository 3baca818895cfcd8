"""The captioner: its step in NumPy, fillers that change nothing, where its activation pair stands."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from test_lstm import FUSED, PLAIN, SOFT, rng

from repro.errors import UserError
from repro.model.activations import Activation, NoiseSource, Nonlinearity, attach_noise
from repro.model.activations.elementwise import hard_sigmoid, hard_tanh
from repro.model.architectures.captioner import Captioner
from repro.model.backward import exact
from repro.model.initialization import OrthogonalSquare, initialize, normal
from repro.model.layer_factory import LayerFactory
from repro.model.normalization import batch, none
from sentences import affine, filled

PLACES, NUMBERS, WORDS, WIDTH, EMBEDDING, UNITS = 6, 5, 11, 4, 3, 7
CAPTIONS = [[[-1, 4, 2], [-1]], [[-1, 9, 9, 10, 6], [-1, 3]]]  # of two images
HARD = Activation(hard_tanh, hard_sigmoid)


def net(pair: Activation = SOFT, **changes: float) -> Captioner:
    sizes = {
        "width": WIDTH,
        "embedding": EMBEDDING,
        "attention": UNITS,
        "attention_depth": 1,
        "start_depth": 1,
        "dropout": 0.0,
        **changes,
    }
    made = Captioner((PLACES, NUMBERS), WORDS, LayerFactory(pair, exact, none), **sizes).double()  # type: ignore[arg-type]
    initialize(made, partial(normal, std=0.8), rng(0))
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(generator=rng(len(name)))
    attach_noise(made, NoiseSource([rng(5)]))
    return made


def pictures(count: int = 2) -> torch.Tensor:
    return torch.randn(count, PLACES, NUMBERS, dtype=torch.float64, generator=rng(9))


def target(rows: list[list[list[int]]] = CAPTIONS, more: int = 0) -> torch.Tensor:
    flat = filled([caption for own in rows for caption in own], more)
    return flat.view(len(rows), -1, flat.shape[1])


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize(
    ("pair", "gate", "unit"),
    [(SOFT, expit, np.tanh), (HARD, lambda a: np.clip(a / 4 + 0.5, 0, 1), lambda a: np.clip(a, -1, 1))],
    ids=["soft", "hard"],
)
def test_logits_are_those_of_the_equations(pair: Activation, gate, unit, depth: int) -> None:
    """One caption at a time, one step after the other, in NumPy."""
    made, images = net(pair, attention_depth=depth, start_depth=depth), pictures()
    found = made({"image": images, "target": target()})
    spoken = made.words.weight.detach().numpy()

    def start(part, mean: np.ndarray) -> np.ndarray:
        hidden = mean if depth == 1 else np.maximum(affine(part.hidden, mean), 0)
        return unit(affine(part.linear, hidden))

    for i, image in enumerate(images.numpy()):
        keys = affine(made.attention.first, image)
        keys = keys if depth == 1 else affine(made.attention.second, unit(keys))
        for k, caption in enumerate(CAPTIONS[i]):
            h, c = (start(part, image.mean(0)) for part in (made.start_h, made.start_c))
            for step, word in enumerate(caption):
                previous = np.zeros(EMBEDDING) if word < 0 else spoken[word]
                scores = affine(made.attention.score, unit(keys + affine(made.attention.query, h)))[:, 0]
                weights = softmax(scores)
                context = gate(affine(made.gate.linear, h)) * (weights @ image)
                a = affine(made.cell.input, np.concatenate([previous, context])) + affine(made.cell.recurrent, h)
                o, into, f = (gate(block) for block in np.split(a, 4)[:3])
                c = f * c + into * unit(np.split(a, 4)[3])
                h = o * unit(c)
                read = affine(made.readout.state, h) + previous + affine(made.readout.context, context)
                logits = affine(made.output, unit(read))
                np.testing.assert_allclose(found["logits"][i, k, step].detach(), logits, rtol=1e-10, atol=1e-12)
                np.testing.assert_allclose(found["attention"][i, k, step].detach(), weights, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("pair", ["soft", "hard", "leak", "nah"])
def test_fillers_change_nothing(pair: str) -> None:
    """A caption alone and beside longer ones, and with more fillers: values and gradients."""
    made, images = net(FUSED[pair], attention_depth=2, start_depth=2).eval(), pictures()  # noise goes by shape
    with_others = made({"image": images, "target": target(more=3)})["logits"]
    for i, own in enumerate(CAPTIONS):
        for k, caption in enumerate(own):
            alone = made({"image": images[i : i + 1], "target": target([[caption]])})["logits"]
            padded = with_others[i, k, : len(caption)]
            torch.testing.assert_close(padded, alone[0, 0], rtol=0, atol=1e-12)
            gradients = [
                torch.autograd.grad(out.sin().sum(), list(made.parameters()), retain_graph=True, allow_unused=True)
                for out in (padded, alone)
            ]
            for one, other in zip(*gradients, strict=True):
                assert (one is None) == (other is None)
                if one is not None:
                    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_word_by_word_is_the_whole() -> None:
    made, images = net(), pictures()
    captions = target()[:, 0]
    whole = made({"image": images, "target": captions.unsqueeze(1)})
    memory, state = made({"image": images})
    for step in range(captions.shape[1]):
        logits, state, weights = made({"memory": memory, "state": state, "word": captions[:, step]})
        torch.testing.assert_close(weights.sum(1), torch.ones(2, dtype=torch.float64))
        torch.testing.assert_close(weights, whole["attention"][:, 0, step])
        torch.testing.assert_close(logits, whole["logits"][:, 0, step])


def test_the_pair_stands_everywhere() -> None:
    made = net(FUSED["nah"], attention_depth=2, start_depth=2)
    sites = [name for name, part in made.named_modules() if isinstance(part, Nonlinearity)]
    gates = ("input_gate", "forget_gate", "output_gate", "candidate", "cell_output")
    places = ("start_h.unit", "start_c.unit", "attention.unit", "attention.between", "gate.gate", "readout.unit")
    assert sorted(sites) == sorted([*(f"cell.{gate}" for gate in gates), *places])
    assert not any(isinstance(part, torch.nn.Tanh | torch.nn.Sigmoid) for part in made.modules())
    made({"image": 3 * pictures(), "target": target()})["logits"].sin().sum().backward()
    for site in sites:
        assert made.get_submodule(site).function.p.grad.abs().sum() > 0, site


@pytest.mark.parametrize("pair", ["nan", "nah", "nani"])
def test_noise_is_drawn_anew_at_every_site_and_off_in_evaluation(pair: str) -> None:
    made = net({**FUSED, **PLAIN}[pair])
    x = {"image": pictures(), "target": target()}
    assert not torch.equal(made(x)["logits"], made(x)["logits"])
    made.eval()
    assert torch.equal(made(x)["logits"], made(x)["logits"])


def test_dropout_is_on_the_way_to_the_word_alone() -> None:
    """What it drops changes logits and never where the net looks, which goes by the state."""
    made, x = net(dropout=0.5), {"image": pictures(), "target": target()}
    one, other = made(x), made(x)
    assert not torch.equal(one["logits"], other["logits"])
    assert torch.equal(one["attention"], other["attention"])
    made.eval()
    torch.testing.assert_close(made(x)["logits"], net().eval()(x)["logits"])
    deep = net(dropout=0.5, start_depth=2)
    assert not torch.equal(deep(x)["attention"], deep(x)["attention"])


def test_start_of_the_authors() -> None:
    """Square matrices are a hundredth of orthogonal ones, those of the gates block by block."""
    made = net()
    initialize(made, OrthogonalSquare(0.01, 0.01), rng(0))
    for block in made.cell.recurrent.weight.chunk(4):
        torch.testing.assert_close(block @ block.T, 1e-4 * torch.eye(WIDTH, dtype=torch.float64))


def test_what_it_refuses() -> None:
    for changes, says in (
        ({"width": 0}, "architecture.width must be a whole number of 1 or more, not 0"),
        ({"attention": 0}, "architecture.attention must be"),
        ({"attention_depth": 3}, "architecture.attention_depth must be 1 or 2, not 3"),
        ({"start_depth": 0}, "architecture.start_depth must be 1 or 2, not 0"),
        ({"dropout": 1.0}, "architecture.dropout must be"),
    ):
        with pytest.raises(UserError, match=says):
            net(**changes)
    sizes = {"width": 2, "embedding": 2, "attention": 2, "attention_depth": 1, "start_depth": 1, "dropout": 0.0}
    make = LayerFactory(SOFT, exact, partial(batch, momentum=0.1, eps=1e-5))
    with pytest.raises(UserError, match="normalization=none"):
        Captioner((4, 3), WORDS, make, **sizes)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="dataset=flickr8k"):
        Captioner((4,), WORDS, LayerFactory(SOFT, exact, none), **sizes)  # type: ignore[arg-type]
