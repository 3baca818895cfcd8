"""Nets asked about changed images, held against loops over images and over single pixels."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from repro.datasets.protocol import Batch
from repro.errors import UserError
from repro.experiments.understanding_neural_networks.tasks.perturbed import Perturbed, moved, turned, universal
from repro.tasks import COUNT

SIZE, SAMPLES = 0.1, 12
RNG = torch.Generator().manual_seed(0)
X = torch.rand(SAMPLES, 1, 4, 4, generator=RNG, dtype=torch.float64)
Y = torch.randint(3, (SAMPLES,), generator=RNG)


def task(**changes):
    nothing = {"fgsm": [], "noise": [], "universal": [], "shift": [], "rotation": []}
    return Perturbed(**(nothing | changes))


def net(seed=0):
    own = torch.Generator().manual_seed(seed)
    made = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=own, dtype=torch.float64))
    return made


def scored(wanted, model, x=X):
    with torch.no_grad():
        sums, _ = wanted.evaluate(lambda images, state: (model(images), state), Batch(x, Y), ())
    return {name: float(value) / SAMPLES for name, value in sums.items() if name != COUNT}


def right(model, images):
    with torch.no_grad():
        return float((model(images).argmax(1) == Y).double().mean())


def test_fgsm_goes_by_the_sign_of_each_images_own_gradient():
    model, changed = net(), []
    for image, label in zip(X, Y, strict=True):
        own = image[None].clone().requires_grad_()
        functional.cross_entropy(model(own), label[None]).backward()
        changed.append((own.detach() + SIZE * own.grad.sign()).clamp(0, 1))
    found = scored(task(fgsm=[SIZE]), model)
    assert found["fgsm_10_accuracy"] == right(model, torch.cat(changed)) < found["accuracy"]


def test_against_a_linear_net_nothing_of_its_size_is_worse():
    """Of all signs, those of the gradient raise a linear net's loss between two classes most."""
    weights = torch.tensor([[1.0, -2.0, 0.5], [-1.0, 2.0, -0.5]], dtype=torch.float64)
    x, y = torch.full((1, 3), 0.5, dtype=torch.float64, requires_grad=True), torch.tensor([0])
    functional.cross_entropy(x @ weights.T, y).backward()
    losses = {
        signs: functional.cross_entropy((x + SIZE * torch.tensor(signs)).double() @ weights.T, y).item()
        for signs in itertools.product((-1.0, 1.0), repeat=3)
    }
    assert max(losses, key=losses.get) == tuple(x.grad.sign()[0].tolist())


def test_a_universal_perturbation_is_one_of_its_size_and_found_on_other_images():
    model = net()
    halves = [universal(model, X[i::2], Y[i::2], SIZE) for i in (0, 1)]
    assert all(v.shape == (1, 1, 4, 4) and v.abs().max() <= SIZE for v in halves)

    def loss(v, i):
        with torch.no_grad():
            return float(functional.cross_entropy(model((X[i::2] + v).clamp(0, 1)), Y[i::2]))

    assert all(loss(v, i) > loss(0 * v, i) for i, v in enumerate(halves))
    changed = X.clone()
    changed[1::2] += halves[0]
    changed[0::2] += halves[1]
    found = scored(task(universal=[SIZE]), model)
    assert found["universal_10_accuracy"] == pytest.approx(right(model, changed.clamp(0, 1)))


def test_noise_is_of_its_size_and_the_same_for_any_net():
    seen = []

    def model(images):
        seen.append(images)
        return net()(images)

    for _ in range(2):
        scored(task(noise=[SIZE]), model)
    inside = (X > SIZE) & (X < 1 - SIZE)
    assert (seen[-1] - X).abs()[inside].tolist() == pytest.approx([SIZE] * int(inside.sum()))
    assert torch.equal(seen[-1], seen[len(seen) // 2 - 1])


@pytest.mark.parametrize(("down", "across"), [(1, 0), (-2, 0), (0, 3), (2, -1), (5, 0)])
def test_moved_images_equal_a_loop_over_pixels(down, across):
    slow = torch.zeros_like(X)
    for row in range(4):
        for column in range(4):
            if 0 <= row - down < 4 and 0 <= column - across < 4:
                slow[:, :, row, column] = X[:, :, row - down, column - across]
    assert torch.equal(moved(X, down, across), slow)


def test_moving_counts_all_four_sides():
    model = net()
    sides = [moved(X, *side) for side in ((1, 0), (-1, 0), (0, 1), (0, -1))]
    found = scored(task(shift=[1]), model)
    assert found["shift_1_accuracy"] == pytest.approx(np.mean([right(model, images) for images in sides]))
    same = [(model(images).argmax(1) == model(X).argmax(1)).double().mean().item() for images in sides]
    assert found["shift_1_changed"] == pytest.approx(1 - np.mean(same))


def test_turned_images():
    assert torch.allclose(turned(X, 0), X)
    assert torch.allclose(turned(X, 90), X.rot90(1, (2, 3)))
    assert torch.allclose(turned(turned(X, 90), -90), X)


def test_stacked_nets_answer_as_each_alone():
    wanted = task(fgsm=[SIZE], noise=[SIZE], universal=[SIZE], shift=[1], rotation=[15])
    models = [net(seed) for seed in range(3)]
    parameters = {
        k: torch.stack([dict(m.named_parameters())[k] for m in models]) for k, _ in models[0].named_parameters()
    }

    def one(own):
        call = lambda images, state: (torch.func.functional_call(models[0], own, (images,)), state)  # noqa: E731
        return wanted.evaluate(call, Batch(X, Y), ())[0]

    with torch.no_grad():
        sums = torch.func.vmap(one, randomness="error")({k: v.detach() for k, v in parameters.items()})
    for i, model in enumerate(models):
        for name, value in scored(wanted, model).items():
            assert float(sums[name][i]) / SAMPLES == pytest.approx(value), name


def test_every_metric_that_is_found_is_declared():
    wanted = task(fgsm=[0.05, 0.25], noise=[SIZE], universal=[SIZE], shift=[1, 2], rotation=[15])
    assert {metric.name for metric in wanted.metrics} == set(scored(wanted, net()))
    assert "fgsm_5_accuracy" in scored(wanted, net())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fgsm": [-0.1]}, "each of task.fgsm must be a finite number of at least 0"),
        ({"rotation": [math.inf]}, "each of task.rotation must be a finite number"),
        ({"shift": [0]}, "each of task.shift must be a whole number of 1 or more"),
    ],
)
def test_wrong_options(change, says):
    with pytest.raises(UserError, match=says):
        task(**change)


def test_other_inputs_are_refused():
    for x in (X - 0.5, X.flatten(1)):
        with pytest.raises(UserError, match=r"needs images with pixels in \[0, 1\]; take dataset.preprocessing=none"):
            scored(task(fgsm=[SIZE]), net(), x)
