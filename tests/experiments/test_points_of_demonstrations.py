"""Points of Playground, of ConvNetJS and of a triangle, and a single output for two classes: what they should be."""

import numpy as np
import pytest
import torch

from repro.errors import UserError
from repro.experiments.understanding_neural_networks.datasets.convnetjs import convnetjs
from repro.experiments.understanding_neural_networks.datasets.half_planes import half_planes
from repro.experiments.understanding_neural_networks.datasets.playground import playground
from repro.experiments.understanding_neural_networks.model.playground import Playground
from repro.experiments.understanding_neural_networks.procedures.cuts import cosine
from repro.experiments.understanding_neural_networks.tasks.one_output import OneOutput


def of_playground(points, **changes):
    sizes = {"train_size": 20_000, "valid_size": 0, "test_size": 10}
    usual = {"points": points, "noise": 0.0, "features": None, "preprocessing": "none", "seed": 0}
    data = playground(**usual | sizes | changes)
    return data.train.x.double().numpy(), data.train.y.numpy()


def of_convnetjs(points, **changes):
    usual = {"points": points, "train_size": 100, "valid_size": 0, "test_size": 0, "preprocessing": "none", "seed": 0}
    data = convnetjs(**usual | changes)
    return data.train.x.double().numpy(), data.train.y.numpy()


def test_a_circle_in_its_ring():
    x, y = of_playground("circle")
    radius = np.linalg.norm(x, axis=1)
    assert y.mean() == 0.5
    assert radius[y == 1].max() < 2.5
    assert radius[y == 0].min() > 3.5
    assert radius.max() < 5
    # Radii are uniform, so that points are denser towards the middle.
    assert np.mean(radius[y == 1] < 1.25) == pytest.approx(0.5, abs=0.02)
    assert np.mean(radius[y == 0] < 4.25) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("points", ["circle", "xor"])
def test_noise_moves_the_label_and_not_the_point(points):
    plain, right = of_playground(points)
    x, y = of_playground(points, noise=0.2)
    assert np.array_equal(x, plain)
    assert 0.02 < np.mean(y != right) < 0.2
    # Moved by at most 1 along each axis, a point so far from the border keeps its class.
    distance = np.abs(np.linalg.norm(x, axis=1) - 2.5) if points == "circle" else np.abs(x).min(1)
    far = distance > (np.sqrt(2) if points == "circle" else 1)
    assert 0 < far.mean() < 1
    assert np.array_equal(y[far], right[far])
    # The chance to be told the other class is there on both sides of the border.
    assert 0 < np.mean(right[y != right]) < 1


def test_exclusive_or_keeps_off_the_axes():
    x, y = of_playground("xor")
    assert np.array_equal(y, x[:, 0] * x[:, 1] >= 0)
    assert np.abs(x).min() > 0.3
    assert 5.2 < np.abs(x).max() < 5.3
    assert y.mean() == pytest.approx(0.5, abs=0.02)


def test_arms_of_the_spiral():
    x, y = of_playground("spiral", train_size=500)
    for label, start in ((1, 0.0), (0, np.pi)):
        own = x[y == label]
        own = own[np.argsort(np.linalg.norm(own, axis=1))]
        i = np.arange(250)
        r, t = i / 250 * 5, 1.75 * i / 250 * 2 * np.pi + start
        assert own == pytest.approx(np.stack([r * np.sin(t), r * np.cos(t)], 1), abs=1e-5)
    moved, _ = of_playground("spiral", train_size=500, noise=0.3)
    assert 0.25 < np.abs(moved - x).max() <= 0.3


def test_convnetjs_ring_has_equal_angles():
    x, y = of_convnetjs("circle")
    radius = np.linalg.norm(x, axis=1)
    assert (y == 1).sum() == (y == 0).sum() == 50
    assert radius[y == 1].max() < 2
    assert 3 < radius[y == 0].min() < radius[y == 0].max() < 5
    angles = np.sort(np.arctan2(x[y == 0, 0], x[y == 0, 1]) % (2 * np.pi))
    steps = np.diff(angles, append=angles[0] + 2 * np.pi)
    assert steps == pytest.approx(2 * np.pi / 50, abs=1e-5)


def test_convnetjs_spiral():
    x, y = of_convnetjs("spiral", train_size=200)
    for label, start in ((1, 0.0), (0, np.pi)):
        own = x[y == label]
        radius = np.linalg.norm(own, axis=1)
        far = radius > 1
        # The angle that belongs to the radius, jitter of both aside: 0.1 of radius is 0.16 of angle.
        expected = 1.25 * 2 * np.pi * radius[far] / 5 + start
        off = np.angle(np.exp(1j * (np.arctan2(own[far, 0], own[far, 1]) - expected)))
        assert np.abs(off).max() < 0.1 + 0.1 * 1.25 * 2 * np.pi / 5 + 1e-6
        assert len(own) == 100


def test_features_stand_behind_the_inputs():
    usual = {"points": "xor", "train_size": 5, "valid_size": 3, "test_size": 4, "noise": 0.0, "preprocessing": "none"}
    plain = playground(**usual, seed=0, features=None)
    data = playground(**usual, seed=0, features=["products", "squares", "sines"])
    for split in ("train", "valid", "test"):
        x, more = getattr(plain, split).x, getattr(data, split).x
        assert more.shape == (len(x), 7)
        expected = torch.cat([x, x.prod(1, keepdim=True), x.square(), x.sin()], 1)
        assert torch.allclose(more, expected, atol=1e-6)


def test_the_triangle():
    data = half_planes(1, 0, 100_000, [90, 210, 330], 0.8, "none", 0)
    x, y = data.test.x.double().numpy(), data.test.y.numpy()
    assert y.mean() == pytest.approx(3 * np.sqrt(3) * 0.8**2 / 16, abs=0.005)
    corners = 1.6 * np.array([[0, -1], [np.sqrt(0.75), 0.5], [-np.sqrt(0.75), 0.5]])

    def area(a, b, c):
        return 0.5 * np.abs((b - a)[..., 0] * (c - a)[..., 1] - (b - a)[..., 1] * (c - a)[..., 0])

    parts = sum(area(x, corners[i], corners[i - 1]) for i in range(3))
    assert np.array_equal(y == 1, parts < area(*corners) + 1e-9)


def test_units_are_matched_with_normals():
    sides = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert cosine(np.array([[-3.0, 0.0], [0.0, 0.1]]), sides) == pytest.approx(1)
    assert cosine(np.array([[1.0, 1.0], [0.0, 2.0], [0.0, -1.0]]), sides) == pytest.approx(np.sqrt(0.5))
    assert cosine(np.zeros((2, 2)), sides) == 0


def test_one_output_and_its_losses():
    z, y = torch.tensor([[0.3], [-1.2], [2.0]]), torch.tensor([1, 1, 0])
    logistic, squared = OneOutput("logistic").measure(z, y), OneOutput("half_squared").measure(z, y)
    p = [1 / (1 + np.exp(-v)) for v in (0.3, -1.2, 2.0)]
    assert logistic["loss"].item() == pytest.approx(-np.mean(np.log([p[0], p[1], 1 - p[2]])), rel=1e-6)
    o = np.tanh([0.3, -1.2, 2.0])
    assert squared["loss"].item() == pytest.approx(np.mean([(o[0] - 1) ** 2, (o[1] - 1) ** 2, (o[2] + 1) ** 2]) / 2)
    assert logistic["accuracy"].item() == pytest.approx(1 / 3)
    assert OneOutput("logistic").read(z).tolist() == [1, 0, 1]


def test_playground_starts():
    layer = torch.nn.Linear(300, 40)
    start = Playground(0.5, 0.1)
    start(layer.weight, torch.Generator().manual_seed(0))
    start.bias(layer.bias, layer.weight, torch.Generator())
    assert layer.weight.abs().max().item() == pytest.approx(0.5, abs=1e-3)
    assert layer.weight.std().item() == pytest.approx(1 / np.sqrt(12), rel=0.02)
    assert layer.bias.tolist() == pytest.approx([0.1] * 40)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: of_playground("square"), "unknown points 'square'; known: circle, spiral, xor"),
        (lambda: of_playground("xor", noise=1.5), "noise must be a finite number of at least 0 and at most 1, not 1.5"),
        (lambda: of_playground("xor", features=["cubes"]), "unknown feature in features 'cubes'; known: products"),
        (lambda: of_playground("xor", features=["sines", "sines"]), "features must list each of products, sines"),
        (lambda: of_convnetjs("xor"), "unknown points 'xor'; known: circle, spiral"),
        (lambda: half_planes(9, 0, 0, [], 0.8, "none", 0), "angles must list the direction of at least one"),
        (lambda: half_planes(9, 0, 0, [90], 0, "none", 0), "distance must be above 0, e.g. 0.8"),
        (lambda: OneOutput("hinge"), "unknown task.loss 'hinge'; known: half_squared, logistic"),
        (lambda: OneOutput("logistic").outputs(3), "task=one_output tells two classes apart, and there are 3"),
        (lambda: OneOutput("logistic").check(torch.zeros(2, 1), "d"), "needs one class a sample, and dataset d has"),
        (lambda: Playground(0, 0.1), "initialization.bound must be a finite number above 0, not 0"),
    ],
)
def test_wrong_options(make, says):
    with pytest.raises(UserError, match=says):
        make()
