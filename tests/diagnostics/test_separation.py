"""Whether a layer has pulled the classes apart, against a slow twin and cases that are plain to see."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from test_quantities import case

from repro.diagnostics.measure import of_layers
from repro.diagnostics.separation import probe_accuracy


def slow_accuracy(outs, classes):
    """One net's: softmax regression by a minimizer that knows no gradient's formula."""
    x, y = np.asarray(outs), np.asarray(classes)
    spread = x.std(0)
    x = (x - x.mean(0)) / np.where(spread > 0, spread, 1)
    names = sorted(set(classes))
    place = np.searchsorted(names, y)

    def penalized(flat):
        w = flat.reshape(x.shape[1] + 1, -1)
        z = x @ w[:-1] + w[-1]
        top = z.max(1, keepdims=True)
        losses = np.log(np.exp(z - top).sum(1)) + top[:, 0] - z[np.arange(len(x)), place]
        return losses.sum() + (w[:-1] ** 2).sum() / 2000

    w = minimize(penalized, np.zeros((x.shape[1] + 1) * len(names)), options={"maxiter": 300}).x
    w = w.reshape(x.shape[1] + 1, -1)
    return float(np.mean((x @ w[:-1] + w[-1]).argmax(1) == place))


@pytest.mark.parametrize("seeds", [1, 3], ids=["single", "stacked"])
def test_accuracy_equals_a_slow_twin(seeds):
    it = case(seeds=seeds)
    found = measured(it)
    assert {layer for layer, _ in found} == {"input", "hidden.0", "hidden.1", "hidden.2"}
    y = it.y.tolist()
    for replica, module in enumerate(it.modules):
        outs, h = {"input": it.x.tolist()}, it.x
        for i, layer in enumerate(module.hidden):
            h = layer(h)
            outs[f"hidden.{i}"] = h.tolist()
        for layer, values in outs.items():
            accuracy = found[layer, "probe_accuracy"][replica]
            assert accuracy == pytest.approx(slow_accuracy(values, y), abs=1e-9)


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
