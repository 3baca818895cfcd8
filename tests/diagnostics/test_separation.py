"""How far a layer has told the classes apart, against loops and cases that are plain to see."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from test_quantities import case

from repro.diagnostics.measure import of_layers
from repro.diagnostics.separation import probe_accuracy, separation_ratio

WITH_CLASSES = ("separation_ratio", "probe_accuracy")


def slow_ratio(outs, classes):
    """One net's, sample by sample; `outs` a list of vectors."""
    middle = [sum(column) / len(outs) for column in zip(*outs, strict=True)]
    between = within = 0.0
    for name in set(classes):
        own = [out for out, y in zip(outs, classes, strict=True) if y == name]
        mean = [sum(column) / len(own) for column in zip(*own, strict=True)]
        between += len(own) * sum((m - c) ** 2 for m, c in zip(mean, middle, strict=True))
        within += sum((v - m) ** 2 for out in own for v, m in zip(out, mean, strict=True))
    return between / within


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
def test_what_is_measured_with_classes_equals_slow_twins(seeds):
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
            ratio, accuracy = (found[layer, name][replica] for name in WITH_CLASSES)
            assert ratio == pytest.approx(slow_ratio(values, y), rel=1e-9)
            assert accuracy == pytest.approx(slow_accuracy(values, y), abs=1e-9)


def measured(it, batch=None):
    from repro.training.replicas import learner

    taught = learner(it.modules, it.seeds, it.task, torch.device("cpu"))
    parameters = taught.parameters if taught.stacked else {k: v[None] for k, v in taught.parameters.items()}
    traces = taught.probe(it.x, it.y)
    rows = of_layers(taught.layers, traces, parameters, WITH_CLASSES, 0, batch or (it.x, it.y))
    return {(layer, quantity): values.tolist() for layer, _, quantity, values in rows if layer != "model"}


def test_targets_that_are_no_classes_have_none():
    it = case()
    assert measured(it, (it.x, it.x)) == {}
    assert measured(it, ({"a": it.x}, it.y)) == {}


def test_a_disc_in_a_ring_and_what_tells_it_apart():
    angle = torch.arange(40) * math.pi / 20
    radius = torch.tensor([1.0, 3.0]).repeat(20)
    x = radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
    y = (radius > 2).long()
    both = torch.stack([x, torch.stack([radius + 0.1 * angle.cos(), 0 * angle], 1)])
    ratio, accuracy = separation_ratio(both, y), probe_accuracy(both, y)
    assert ratio[0] < 0.01
    assert ratio[1] == pytest.approx(1 / (0.1**2 / 2), rel=0.05)
    assert 0.5 <= accuracy[0] < 0.7
    assert accuracy[1] == 1


def test_one_class_alone_is_told_rightly():
    assert probe_accuracy(torch.randn(2, 5, 3), torch.zeros(5, dtype=torch.long)).tolist() == [1, 1]
