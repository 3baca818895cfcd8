"""Whether a layer has pulled the classes apart, against a slow twin and cases that are plain to see."""

import math

import torch
from test_quantities import case

from repro.diagnostics.measure import of_layers
from repro.diagnostics.separation import probe_accuracy


def measured(it, batch=None):
    from repro.training.replicas import learner

    taught = learner(it.modules, it.seeds, it.task, torch.device("cpu"))
    parameters = taught.parameters if taught.stacked else {k: v[None] for k, v in taught.parameters.items()}
    traces = taught.probe(it.x, it.y)
    rows = of_layers(taught.layers, traces, parameters, ("probe_accuracy",), 0, *(batch or (it.x, it.y)))
    return {(layer, quantity): values.tolist() for layer, _, quantity, values in rows if layer != "model"}


def test_targets_that_are_no_classes_have_none():
    it = case()
    assert measured(it, (it.x, it.x)) == {}
    assert set(measured(it, ({"a": it.x}, it.y))) == {
        ("hidden.0", "probe_accuracy"),
        ("hidden.1", "probe_accuracy"),
        ("hidden.2", "probe_accuracy"),
    }


def test_a_disc_in_a_ring_and_what_tells_it_apart():
    angle = torch.arange(40) * math.pi / 20
    radius = torch.tensor([1.0, 3.0]).repeat(20)
    x = radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
    y = (radius > 2).long()
    both = torch.stack([x, torch.stack([radius + 0.1 * angle.cos(), 0 * angle], 1)])
    accuracy = probe_accuracy(both.double(), y)
    assert 0.5 <= accuracy[0] < 0.7
    assert accuracy[1] == 1


def test_one_class_alone_is_told_rightly():
    assert probe_accuracy(torch.randn(2, 5, 3).double(), torch.zeros(5, dtype=torch.long)).tolist() == [1, 1]
