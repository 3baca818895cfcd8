"""What Nielsen's nets are trained by, against his update worked out by hand, and how they start."""

import numpy as np
import pytest
import torch

from repro.errors import UserError
from repro.experiments.understanding_neural_networks.model.initialization import DrawnBiases
from repro.experiments.understanding_neural_networks.tasks.sigmoid_cross_entropy import SigmoidCrossEntropy
from repro.model.initialization import initialize


def test_loss_and_gradient_are_those_of_his_network2() -> None:
    """Errors a − y of each sample; weights' gradients summed and divided by the batch."""
    rng = np.random.default_rng(0)
    x, weight, classes = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), np.array([0, 3, 1, 1, 2])
    total, loss = np.zeros_like(weight), 0.0
    for sample, c in zip(x, classes, strict=True):
        a, wanted = 1 / (1 + np.exp(-weight @ sample)), np.eye(4)[c]
        total += np.outer(a - wanted, sample)
        loss -= float((wanted * np.log(a) + (1 - wanted) * np.log(1 - a)).sum())
    parameter = torch.tensor(weight, requires_grad=True)
    found = SigmoidCrossEntropy().measure(torch.tensor(x) @ parameter.T, torch.tensor(classes))
    found["loss"].backward()
    assert found["loss"].item() == pytest.approx(loss / 5, rel=1e-12)
    assert found["accuracy"].item() == pytest.approx(np.mean((x @ weight.T).argmax(1) == classes))
    assert parameter.grad is not None
    assert parameter.grad.numpy() == pytest.approx(total / 5, rel=1e-12)


def test_numbers_are_refused() -> None:
    with pytest.raises(UserError, match="needs one class a sample, and dataset mine has none"):
        SigmoidCrossEntropy().check(torch.zeros(3, 1), "mine")


def test_biases_are_drawn_too_and_weights_go_with_the_fan_in() -> None:
    net = torch.nn.Linear(400, 2000)
    initialize(net, DrawnBiases(3.0), torch.Generator().manual_seed(0))
    assert net.weight.std().item() == pytest.approx(400**-0.5, rel=0.01)
    assert net.bias.std().item() == pytest.approx(3, rel=0.05)
    with pytest.raises(UserError, match=r"initialization\.std"):
        DrawnBiases(0.0)
