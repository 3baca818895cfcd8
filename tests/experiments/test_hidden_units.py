"""Hidden units by number: exact facts, both ways to compute, held batches, random units."""

import numpy as np
import pytest
import torch

from repro.config.compose import compose
from repro.config.run import resolve
from repro.datasets.protocol import Order
from repro.errors import UserError
from repro.experiments.understanding_neural_networks.datasets.held_batches import held_batches
from repro.experiments.understanding_neural_networks.procedures import hidden_units
from repro.paths import experiments_dir
from repro.plots.experiment import module_of
from repro.tasks.squared_error import SquaredError
from repro.training.prepare import prepare

PAPER = "understanding_neural_networks"
USUAL = {"images": "digits", "digits": [0, 1], "side": 4, "repeats": 3, "subset": None, "seed": 0, "data_dir": None}


def of_a_net(*words):
    run = resolve(compose(["dataset=digits", "activation=sigmoid", "diagnostics=none", *words]))
    return sum(p.numel() for p in prepare(run).learner().parameters.values())


def test_numbers_of_parameters():
    """The digit network and its offline twin; 81-n-2 without biases; nets that have as many as one another."""
    assert of_a_net("architecture.depth=2", "architecture.width=16") == 1482 == 64 * 16 + 16 * 16 + 16 * 10 + 42
    no_bias = ("dataset=held_batches", "dataset.images=digits", "dataset.side=null", "architecture.bias=false")
    assert of_a_net(*no_bias, "architecture.depth=1", "architecture.width=150") == 64 * 150 + 150 * 2
    one = ("dataset=playground", "task=one_output")
    for shape, wide in (([4, 4], 9), ([4, 4, 4], 14), ([8, 8], 26)):
        deep = of_a_net(*one, f"architecture.depth={len(shape)}", f"architecture.width={shape}".replace(" ", ""))
        assert deep == of_a_net(*one, "architecture.depth=1", f"architecture.width={wide}") == 4 * wide + 1
    assert of_a_net(*one, "architecture.depth=2", "architecture.width=[4,2]") == 25


def test_the_rules_of_thumb_for_digits():
    script = module_of(experiments_dir() / PAPER / "hidden_units.py")
    found = script.rules(1347, 64, 10)
    assert [round(v, 1) for v in found.values()] == [10.4, 21.9, 129]
    assert max(found.values()) / min(found.values()) > 10
    # Two to ten samples a weight: 64 n + 10 n weights of a net without biases.
    allowed = [n for n in range(1, 300) if 2 <= 1347 / (74 * n) <= 10]
    assert (allowed[0], allowed[-1]) == (2, 9)


def test_one_unit_without_biases_says_the_same_of_every_image():
    words = ("dataset=held_batches", "dataset.images=digits", "task=squared_error", "architecture.bias=false")
    words += ("dataset.side=null", "activation=sigmoid", "initialization=normal", "initialization.std=1", "replicas=9")
    prepared = prepare(resolve(compose([*words, "architecture.depth=1", "architecture.width=1"])))
    told = prepared.learner().predict(prepared.data.test.x)
    assert all(len(set(own.tolist())) == 1 for own in told)
    assert len({own[0].item() for own in told}) == 2  # which of the two is a matter of the start
    # With two units it is not so.
    two = prepare(resolve(compose([*words, "architecture.depth=1", "architecture.width=2"])))
    told = two.learner().predict(two.data.test.x)
    assert any(len(set(own.tolist())) == 2 for own in told)


def batch():
    rng = np.random.default_rng(0)
    return (
        rng.uniform(size=(20, 7)),
        np.eye(2)[rng.integers(0, 2, 20)],
        rng.normal(size=(7, 4)),
        rng.normal(size=(4, 2)),
    )


def test_both_back_ends_make_the_updates_of_autograd():
    x, y, first, second = batch()
    layers = [torch.tensor(w, requires_grad=True) for w in (first, second)]
    target = torch.tensor(y.argmax(1))
    for _ in range(5):
        z = torch.sigmoid(torch.tensor(x) @ layers[0]) @ layers[1]
        loss = SquaredError().measure(z, target)["loss"]
        gradients = torch.autograd.grad(loss, layers)
        layers = [(w - 0.1 * g).detach().requires_grad_() for w, g in zip(layers, gradients, strict=True)]
    for back_end in hidden_units.BACK_ENDS.values():
        for found, expected in zip(back_end(x, y, first, second, 5), layers, strict=True):
            assert found == pytest.approx(expected.detach().numpy(), abs=1e-12)
    assert not np.allclose(layers[0].detach().numpy(), first, atol=1e-4)


def test_the_line_through_times():
    found = {m.metric: m.value for m in hidden_units._line({1: 99.0, 2: 7.0, 20: 25.0, 50: 55.0, 100: 105.0})}
    assert found["slope"] == pytest.approx(1)
    assert found["intercept"] == pytest.approx(5)
    assert found["knee"] == pytest.approx(5)
    assert found["r2"] == pytest.approx(1)
    bent = {m.metric: m.value for m in hidden_units._line({20: 0.0, 50: 10.0, 100: 0.0, 150: 10.0})}
    assert bent["r2"] < 0.6


def rows(function, data, **settings):
    """What a procedure finds of a data set, with the seed 0."""
    run = type("Run", (), {"seeds": (0,)})()
    work = function(**settings)(type("Prepared", (), {"run": run, "data": data})())
    work.advance()
    return [(row[4], row[5], row[1]) for row in work.rows.curves]


def test_times_are_measured_of_every_width():
    usual = {"back_end": "vectorised", "widths": [2, 20, 150], "iterations": 2, "repeats": 1}
    found = rows(hidden_units.timing, held_batches(**USUAL), **usual)
    assert [step for metric, value, step in found if metric == "milliseconds" and value > 0] == [2, 20, 150]
    times = {step: value for metric, value, step in found if metric == "milliseconds"}
    assert {metric: value for metric, value, _ in found}["ratio"] == pytest.approx(times[2] / times[150])


def test_batches_are_held():
    data = held_batches(**USUAL)
    assert (data.shape, data.outputs, data.sizes["valid"]) == ((1, 4, 4), 2, 0)
    plain = held_batches(**USUAL | {"repeats": 1})
    held, single = (one.feed(Order((0, 5), 20)) for one in (data, plain))
    assert held.per_epoch == 3 * single.per_epoch
    for step in (0, 1, 2, 3, 8, 4):
        assert torch.equal(held.batch(step).x, single.batch(step // 3).x)
    assert not torch.equal(held.batch(2).x, held.batch(3).x)
    assert len(held.probe(7)) == 7
    assert sum(len(b) for b in held.batches("test")) == data.sizes["test"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: held_batches(**USUAL | {"images": "letters"}), "unknown images 'letters'; known: digits, mnist"),
        (lambda: held_batches(**USUAL | {"repeats": 0}), "repeats must be a whole number of 1 or more, not 0"),
        (lambda: held_batches(**USUAL | {"side": 9}), "side=9 is more than the 8 pixels"),
        (lambda: held_batches(**USUAL | {"digits": [1]}), "digits must list two or more"),
        (
            lambda: rows(hidden_units.timing, None, back_end="gpu", widths=[2, 20, 150], iterations=1, repeats=1),
            "unknown procedure.back_end 'gpu'; known: per_neuron, vectorised",
        ),
        (
            lambda: rows(hidden_units.timing, None, back_end="vectorised", widths=[2, 3], iterations=1, repeats=1),
            r"procedure.widths must have 2, 150 and another one from 20 on, not \[2, 3\]",
        ),
    ],
)
def test_wrong_options(make, says):
    with pytest.raises(UserError, match=says):
        make()
