"""Squared error behind sigmoid outputs, against Nielsen's update worked out by hand."""

import math

import numpy as np
import pytest
import torch
from torch.func import vmap

from repro.errors import UserError
from repro.tasks.squared_error import SquaredError


def test_against_a_loop_over_samples():
    logits = [[2.0, -1.0, 0.5], [-3.0, -2.0, -1.0], [0.1, 0.2, 4.0]]
    classes = [0, 1, 2]
    found = SquaredError().measure(torch.tensor(logits, dtype=torch.float64), torch.tensor(classes))
    answers = [[1 / (1 + math.exp(-z)) for z in row] for row in logits]
    losses = [sum((a - (k == c)) ** 2 for k, a in enumerate(row)) / 2 for row, c in zip(answers, classes, strict=True)]
    assert found["loss"].item() == pytest.approx(sum(losses) / 3)
    assert found["accuracy"].item() == pytest.approx(2 / 3)
    assert found["greatest_output"].item() == pytest.approx(sum(map(max, answers)) / 3)
    assert found["definite_share"].item() == pytest.approx(2 / 3)


def test_the_gradient_is_that_of_nielsens_network():
    """Deltas (a − y) · a (1 − a) of each sample, weights' gradients summed and divided by the batch."""
    rng = np.random.default_rng(0)
    x, weight, classes = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), np.array([0, 3, 1, 1, 2])
    total = np.zeros_like(weight)
    for sample, c in zip(x, classes, strict=True):
        a = 1 / (1 + np.exp(-weight @ sample))
        total += np.outer((a - np.eye(4)[c]) * a * (1 - a), sample)
    parameter = torch.tensor(weight, requires_grad=True)
    SquaredError().measure(torch.tensor(x) @ parameter.T, torch.tensor(classes))["loss"].backward()
    assert parameter.grad.numpy() == pytest.approx(total / 5, rel=1e-12)


def test_stacked_nets_have_the_scores_of_single_ones():
    rng = torch.Generator().manual_seed(0)
    logits, classes = torch.randn(2, 6, 3, generator=rng), torch.tensor([[0, 1, 2, 0, 1, 2], [2, 2, 1, 1, 0, 0]])
    task = SquaredError()
    stacked = vmap(task.measure)(logits, classes)
    for i in range(2):
        alone = task.measure(logits[i], classes[i])
        assert {k: v[i].item() for k, v in stacked.items()} == pytest.approx({k: v.item() for k, v in alone.items()})


@pytest.mark.parametrize("target", [torch.zeros(3, 1), torch.zeros(3, 2, dtype=torch.long)])
def test_numbers_and_sequences_are_refused(target):
    with pytest.raises(UserError, match="needs one class a sample, and dataset mine has none"):
        SquaredError().check(target, "mine")
