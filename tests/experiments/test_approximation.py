"""What approximates and what does not: data sets, nets and procedures against what is known exactly."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from repro.datasets.toys import xor
from repro.errors import UserError
from repro.experiments.understanding_neural_networks.activations.square import Square
from repro.experiments.understanding_neural_networks.architectures.residual_neurons import ResidualNeurons
from repro.experiments.understanding_neural_networks.datasets.disc import border, disc
from repro.experiments.understanding_neural_networks.datasets.wave import wave
from repro.experiments.understanding_neural_networks.procedures import linear_map as maps
from repro.experiments.understanding_neural_networks.procedures.linear_map import linear_map
from repro.experiments.understanding_neural_networks.procedures.random_features import random_features
from repro.experiments.understanding_neural_networks.tasks.approximation import Approximation
from repro.model.activations import Activation
from repro.model.architectures.mlp import MLP
from repro.model.backward import exact
from repro.model.layer_factory import LayerFactory
from repro.model.normalization import none
from repro.seeds import generator


def factory(unit=nn.ReLU):
    return LayerFactory(Activation(unit, nn.Sigmoid), exact, none)


def rows(procedure, data, seed=0, **settings):
    """What a procedure yields, by metric."""

    class Prepared:
        run = type("Run", (), {"seeds": (seed,)})

    Prepared.data = data
    return {name: float(v[0]) for (_, name), v in procedure(**settings)(Prepared).advance().items()}


# One matrix


def test_a_linear_net_is_the_product_of_its_matrices():
    widths = [20, 64, 64, 64, 64, 5]
    found = rows(linear_map, None, widths=widths, units="identity", samples=50)
    assert found["difference"] < 1e-10
    assert found["rank"] == 5
    assert rows(linear_map, None, widths=widths, units="relu", samples=50)["difference"] > 1


@pytest.mark.parametrize("narrowest", [1, 3, 7])
def test_the_product_s_rank_is_the_least_width(narrowest):
    found = rows(linear_map, None, widths=[10, 12, narrowest, 12, 8], units="identity", samples=5)
    assert found["rank"] == narrowest


def test_multiplied_by_hand():
    a, b = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]])
    assert maps.multiplied([a, b]).tolist() == [[3, 6], [4, 8]]
    assert maps.through(torch.tensor([[1.0, 1.0]]), [a, b], nn.Identity()).tolist() == [[9, 12]]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"widths": [3]}, r"needs inputs and outputs at least, e.g. \[20, 5\], not \[3\]"),
        ({"widths": [3, 0, 2]}, "each of procedure.widths must be a whole number of 1 or more, not 0"),
        ({"units": "sine"}, "known: identity, relu"),
        ({"samples": 0}, "procedure.samples must be"),
    ],
)
def test_wrong_options_of_a_linear_map(changes, says):
    with pytest.raises(UserError, match=says):
        rows(linear_map, None, **{"widths": [2, 2], "units": "relu", "samples": 2} | changes)


# One hidden layer


def test_the_curve():
    data = wave(5, 3)
    assert data.train.x.flatten().tolist() == [-1, -0.5, 0, 0.5, 1]
    assert data.train.y[2].item() == pytest.approx(0.2)
    assert data.train.y[4].item() == pytest.approx(0.3 + 0.2 * math.cos(7), abs=1e-6)
    assert data.train.y[3].item() == pytest.approx(-0.5 + 0.15 + 0.2 * math.cos(3.5), abs=1e-6)
    assert data.sizes == {"train": 5, "valid": 0, "test": 3}


def test_square_units_make_quadratic_functions_only():
    net = MLP((1,), 1, factory(Square), 1, 50, True, 0.0, None, False, None, None, None).double()
    x = torch.linspace(-1, 1, 101, dtype=torch.float64)[:, None]
    with torch.no_grad():
        y = net(x)[:, 0].numpy()
    assert np.abs(np.polyval(np.polyfit(x[:, 0].numpy(), y, 2), x[:, 0].numpy()) - y).max() < 1e-12
    assert np.ptp(y) > 0.01


def test_least_squares_on_random_features_against_a_loop():
    data = wave(40, 11)
    settings = {"width": 6, "unit": "tanh", "weight_std": 3.0, "bias_std": 2.0}
    found = rows(random_features, data, seed=4, **settings)
    rng = generator(4, "noise")
    w = 3 * torch.randn(1, 6, generator=rng, dtype=torch.float64)
    b = 2 * torch.randn(6, generator=rng, dtype=torch.float64)
    features = np.array([[math.tanh(float(x * w[0, j] + b[j])) for j in range(6)] for x in data.train.x[:, 0]])
    solution = np.linalg.lstsq(features, data.train.y[:, 0].double().numpy(), rcond=None)[0]
    errors = [
        abs(sum(solution[j] * math.tanh(float(x * w[0, j] + b[j])) for j in range(6)) - float(y))
        for x, y in zip(data.test.x[:, 0], data.test.y[:, 0], strict=True)
    ]
    assert found["test_greatest_error"] == pytest.approx(max(errors))
    assert found["test_rmse"] == pytest.approx(math.sqrt(sum(e * e for e in errors) / len(errors)))


def test_as_many_random_features_as_samples_fit_every_class():
    data = xor(30, 0, 40, 0.3, None, "none", None, 0)
    settings = {"unit": "sigmoid", "weight_std": 5.0, "bias_std": 5.0}
    found = rows(random_features, data, width=200, **settings)
    assert found["train_accuracy"] == 1
    assert set(found) == {"train_accuracy", "test_accuracy"}
    assert rows(random_features, data, width=1, **settings)["train_accuracy"] < 0.8


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"width": 0}, "procedure.width must be a whole number of 1 or more"),
        ({"unit": "tan"}, "did you mean tanh"),
        ({"weight_std": -1.0}, "procedure.weight_std must be"),
        ({"bias_std": -1.0}, "procedure.bias_std must be"),
    ],
)
def test_wrong_options_of_random_features(changes, says):
    with pytest.raises(UserError, match=says):
        rows(random_features, wave(5, 5), **{"width": 3, "unit": "tanh", "weight_std": 1.0, "bias_std": 1.0} | changes)


def test_approximation_s_numbers():
    task, wanted = Approximation(), torch.tensor([[0.0], [1.0], [2.0]])
    found = task.measure(torch.tensor([[0.0], [1.5], [1.0]]), wanted)
    assert found["greatest_error"] == 1
    assert found["loss"] == pytest.approx(1.25 / 3)
    assert task.derive({"loss": np.array([4.0])})["rmse"] == 2
    with pytest.raises(UserError, match="use dataset=wave"):
        task.check(torch.tensor([1, 2]), "xor")


# Few units a layer


def made(**changes):
    return disc(**{"train_size": 400, "border_size": 40, "grid_size": 2601, "radius": 0.6, "seed": 0} | changes)


def test_a_disc_in_a_square():
    data = made(train_size=20_000)
    x, y = data.train.x, data.train.y
    assert ((x.norm(dim=1) < 0.6) == (y == 1)).all()
    assert y.double().mean().item() == pytest.approx(math.pi * 0.36 / 4, abs=0.01)
    assert x.abs().max() <= 1
    assert data.test.y.double().mean().item() == pytest.approx(math.pi * 0.36 / 4 * (50 / 51) ** 2, abs=0.01)
    assert data.test.x[0].tolist() == [-1, -1]
    assert data.test.x[50].tolist() == [1, -1]


def test_the_border_goes_around_the_square():
    points = border(40)
    assert (np.abs(points).max(1) == 1).all()
    assert len(np.unique(points.round(9), axis=0)) == 40
    steps = np.linalg.norm(np.diff(np.vstack([points, points[:1]]), axis=0), axis=1)
    assert steps == pytest.approx(0.2)
    assert (made().valid.y == 0).all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"border_size": 6}, "multiple of 4, e.g. 4, not 6"),
        ({"grid_size": 10}, "square number, e.g. 9, not 10"),
        ({"radius": 1.5}, "above 0 and below 1"),
        ({"train_size": 0}, "train_size"),
    ],
)
def test_wrong_options_of_the_disc(changes, says):
    with pytest.raises(UserError, match=says):
        made(**changes)


def outputs_on_a_grid(net, edge, side):
    along = np.linspace(-edge, edge, side)
    grid = torch.from_numpy(np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2))
    with torch.no_grad():
        return net(grid)[:, 0].numpy().reshape(side, side)


def closed_regions(above):
    """How many connected regions of True do not touch the edge of the picture.

    Those of a few points are left out: so a strip looks that is narrower than the grid.
    """
    named, count = ndimage.label(above, structure=np.ones((3, 3)))
    outer = set(named[0]) | set(named[-1]) | set(named[:, 0]) | set(named[:, -1])
    return sum(name not in outer and (named == name).sum() > 8 for name in range(1, count + 1))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_relu_nets_of_width_two_have_no_closed_region_in_the_plane(depth):
    """Johnson 2019; Hanin 2019: no more units a layer than inputs, and every region is unbounded."""
    for seed in range(15):
        torch.manual_seed(seed)
        net = MLP((2,), 1, factory(), depth, 2, True, 0.0, None, False, None, None, None).double()
        y = outputs_on_a_grid(net, 20, 161)
        for level in np.quantile(y, [0.1, 0.3, 0.5, 0.7, 0.9]):
            # Where a net is constant, its values differ by rounding.
            assert closed_regions(y > level + 1e-9) == 0
            assert closed_regions(y < level - 1e-9) == 0


def test_three_units_make_a_closed_region():
    net = MLP((2,), 1, factory(), 1, 3, True, 0.0, None, False, None, None, None).double()
    angles = torch.tensor([0.0, 2.0, 4.0]) * math.pi / 3
    with torch.no_grad():
        net.hidden[0].linear.weight[:] = torch.stack([angles.cos(), angles.sin()], 1)
        net.hidden[0].linear.bias[:] = -0.3
        net.output.weight[:] = -1
        net.output.bias[:] = 0.2
    assert closed_regions(outputs_on_a_grid(net, 20, 161) > 0) == 1


def test_a_residual_neuron_by_hand():
    net = ResidualNeurons((2,), 1, factory(), 2)
    first = net.blocks[0]
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        first.linear.weight[:] = torch.tensor([[1.0, -1.0]])
        first.linear.bias[:] = 0.5
        first.back.weight[:] = torch.tensor([[2.0], [3.0]])
        net.output.weight[:] = torch.tensor([[1.0, 10.0]])
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert net(x).flatten().tolist() == [1 + 3 + 10 * 4.5, 10]  # h = (1, 0) + 1.5 (2, 3); the unit is off at (0, 1)
    assert sum(p.numel() for p in net.parameters()) == 2 * (2 + 1 + 2) + 2 + 1
    with pytest.raises(UserError, match=r"architecture\.depth must be"):
        ResidualNeurons((2,), 1, factory(), 0)
