"""Exact facts of width and depth: parameters, linear pieces, regions, parity; and the data of the comparison."""

import importlib.util
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from loading import need_mirror
from repro.errors import UserError
from repro.experiments.understanding_neural_networks.datasets.pooled_images import pooled, pooled_images
from repro.experiments.understanding_neural_networks.datasets.two_arms import two_arms
from repro.experiments.understanding_neural_networks.procedures.parity import one_layer, parity, tree_of_ors
from repro.experiments.understanding_neural_networks.procedures.regions import (
    composed_tents,
    cut_plane,
    pieces,
    random_pieces,
    regions,
    tents,
)
from repro.model.activations import Activation
from repro.model.architectures.mlp import MLP
from repro.model.backward import exact
from repro.model.layer_factory import LayerFactory
from repro.model.normalization import none
from repro.paths import experiments_dir
from repro.study.experiment import load

NAME = "understanding_neural_networks/wide_or_deep"


def script():
    path = experiments_dir() / f"{NAME}.py"
    spec = importlib.util.spec_from_file_location("wide_or_deep_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(procedure, seed=0, **settings):
    """What a procedure yields: (metric, step) to value."""

    class Prepared:
        run = type("Run", (), {"seeds": (seed,)})
        data = None

    work = procedure(**settings)(Prepared)
    work.advance()
    return {(metric, step): value for _, step, _, _, metric, value in work.rows.curves}


# Equal parameters


@pytest.mark.parametrize(
    ("task", "net", "count"),
    [
        ("spiral", "5x10", 492),
        ("spiral", "1x98", 492),
        ("spiral", "7x10", 712),
        ("spiral", "1x142", 712),
        ("mnist", "5x40", 14_850),
        ("mnist", "7x40", 18_130),
        ("mnist", "1x640", 132_490),
    ],
)
def test_parameters_are_those_of_the_net(task, net, count):
    module = script()
    depth, width = map(int, net.split("x"))
    _, inputs, outputs = module.TASKS[task]
    make = LayerFactory(Activation(nn.ReLU, nn.Sigmoid), exact, none)
    built = MLP((inputs,), outputs, make, depth, width, True, 0.0, None, False, None, None, None)
    assert sum(p.numel() for p in built.parameters()) == module.parameters(task, net) == count


def width_for(task, depth, count):
    """The least width with so many parameters."""
    module, width = script(), 1
    while module.parameters(task, f"{depth}x{width}") < count:
        width += 1
    return width


@pytest.mark.parametrize(
    ("task", "count", "widths"),
    [
        ("spiral", 492, {1: 98}),
        ("spiral", 712, {1: 142}),
        ("spiral", 240, {1: 48, 2: 13, 3: 10, 4: 8}),
        ("mnist", 14_850, {1: 72}),
        ("mnist", 18_130, {1: 88}),
        ("mnist", 20_000, {1: 97, 2: 72, 3: 61, 5: 50}),
    ],
)
def test_widths_by_parameters_are_those_that_are_trained(task, count, widths):
    trained = load(NAME).variants
    for depth, width in widths.items():
        assert width_for(task, depth, count) == width
        assert f"{task}_{depth}x{width}" in trained


def test_variants_are_what_they_are_called():
    for name, words in load(NAME).variants.items():
        if name.startswith(("spiral_", "torch_", "mnist_")):
            depth, width = name.partition("_")[2].split("x")
            assert {f"architecture.depth={depth}", f"architecture.width={width}"} <= set(words)


# Pieces


@pytest.mark.parametrize("depth", range(1, 13))
def test_a_tent_map_composed_so_often_has_that_power_of_two_pieces(depth):
    assert pieces(tents(depth), np.zeros(1), np.ones(1)) == 2**depth


def test_the_net_is_the_tent_map():
    for x in np.linspace(0, 1, 41):
        wanted = x
        for _ in range(3):
            wanted = 2 * wanted if wanted <= 0.5 else 2 - 2 * wanted
        h = np.array([x])
        for weight, bias in tents(3)[:-1]:
            h = np.maximum(weight @ h + bias, 0)
        assert float((tents(3)[-1][0] @ h)[0]) == pytest.approx(wanted, abs=1e-12)


def test_pieces_against_slopes_on_a_fine_grid():
    rng = np.random.default_rng(3)
    for widths in ([1, 7, 1], [1, 4, 4, 1], [1, 3, 3, 3, 1]):
        net = [(rng.normal(size=(m, n)), 0.3 * rng.normal(size=m)) for n, m in pairwise(widths)]
        t = np.linspace(-3, 3, 200_001)
        h = t[:, None]
        for weight, bias in net[:-1]:
            h = np.maximum(h @ weight.T + bias, 0)
        slopes = np.diff((h @ net[-1][0].T)[:, 0]) / np.diff(t)
        bends = np.flatnonzero(np.abs(np.diff(slopes)) > 1e-6)
        counted = 1 + int((np.diff(bends) > 1).sum()) + (len(bends) > 0)  # a bend within a step shows twice
        assert pieces(net, np.array([-3.0]), np.array([3.0])) == counted


def test_one_layer_adds_a_piece_a_unit_at_most():
    for seed in range(5):
        found = rows(random_pieces, seed, widths=[12], inputs=1, lines=3, reach=1000.0, bias_std=1.0)
        assert 12 <= found["mean", 0] <= 13
        assert found["units", 0] == 12


def test_a_sum_of_units_has_one_layer_s_pieces_and_no_more():
    steep = np.array([[1.0], [1.0], [1.0]])
    net = [(steep, np.array([0.0, -1.0, -2.0])), (np.ones((1, 3)), np.zeros(1))]
    assert pieces(net, np.array([-1.0]), np.array([4.0])) == 4
    flat = [(steep, np.array([0.0, 0.0, -2.0])), (np.array([[1.0, -1.0, 1.0]]), np.zeros(1))]
    assert pieces(flat, np.array([-1.0]), np.array([4.0])) == 2  # two units that cancel each other bend nothing


@pytest.mark.parametrize(
    ("procedure", "settings", "says"),
    [
        (composed_tents, {"depth": 0}, "procedure.depth must be"),
        (composed_tents, {"depth": 21}, "20 or less"),
        (random_pieces, {"widths": []}, r"e.g. \[16, 16, 16\]"),
        (random_pieces, {"widths": [0]}, "each of procedure.widths"),
        (random_pieces, {"lines": 0}, "procedure.lines"),
        (random_pieces, {"reach": 0.0}, "procedure.reach"),
        (random_pieces, {"bias_std": -1.0}, "procedure.bias_std"),
        (cut_plane, {"lines": [0]}, "each of procedure.lines"),
        (cut_plane, {"draws": 0}, "procedure.draws"),
        (parity, {"bits": [3]}, "power of two from 2 to 16, not 3"),
        (parity, {"bits": [32]}, "power of two from 2 to 16, not 32"),
    ],
)
def test_wrong_options(procedure, settings, says):
    usual = {
        composed_tents: {"depth": 2},
        random_pieces: {"widths": [2], "inputs": 1, "lines": 1, "reach": 1.0, "bias_std": 1.0},
        cut_plane: {"lines": [2], "draws": 1},
        parity: {"bits": [2]},
    }[procedure]
    with pytest.raises(UserError, match=says):
        rows(procedure, **usual | settings)


# Regions of the plane


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_regions_against_a_fine_grid(n):
    lines = np.random.default_rng(n).normal(size=(n, 3))
    # Far out all regions that reach there are seen, close by those between the crossings.
    pictures = [np.linspace(-edge, edge, 401) for edge in (0.6, 2, 6, 30, 300, 3000)]
    found = set()
    for along in pictures:
        points = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
        found |= set(map(tuple, np.unique(np.sign(points @ lines[:, :2].T + lines[:, 2]), axis=0)))
    assert regions(lines) == len(found) == 1 + n + n * (n - 1) // 2


# Parity


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_parity_by_one_layer_and_by_a_tree(bits):
    x = (np.arange(2**bits)[:, None] >> np.arange(bits)) & 1
    odd = np.array([bin(i).count("1") % 2 for i in range(2**bits)])
    assert (one_layer(x) == odd).all()
    told, levels = tree_of_ors(x)
    assert (told == odd).all()
    assert levels == math.log2(bits)
    found = rows(parity, bits=[bits])
    assert found["leaves", bits] == 2**bits
    assert found["cuts", bits] == bits
    assert found["layer_errors", bits] == found["tree_errors", bits] == 0


# Data


def arms(**changes):
    usual = {"train_size": 4000, "valid_size": 0, "test_size": 0, "turns": 1.75, "jitter": 0.0, "scale": 2.0, "seed": 0}
    return two_arms(**usual | changes)


def test_two_arms_half_a_turn_apart():
    data = arms()
    x, y = 2 * data.train.x.double().numpy(), data.train.y.numpy()
    along = np.linalg.norm(x, axis=1) / 5
    assert 0 <= along.min() < 0.01
    assert 0.99 < along.max() <= 1 + 1e-6
    angle = 2 * np.pi * 1.75 * along + np.pi * y
    assert x == pytest.approx(5 * along[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1), abs=1e-4)
    assert y.mean() == 0.5


def test_jitter_is_added_to_both_coordinates():
    apart = (arms(jitter=0.1).train.x - arms().train.x) * 2
    assert apart.std(0).numpy() == pytest.approx([0.1, 0.1], rel=0.05)


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"scale": 0.0}, "scale must be above 0"), ({"jitter": -1.0}, "jitter"), ({"turns": -1}, "turns")],
)
def test_wrong_options_of_the_arms(changes, says):
    with pytest.raises(UserError, match=says):
        arms(**changes)


def small(**changes):
    usual = {"images": "digits", "side": 4, "valid_size": 100, "subset": None, "preprocessing": "none", "seed": 0}
    return pooled_images(**usual | changes, data_dir=None)


def test_pixels_are_means_of_patches():
    image = np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8)
    half, _ = pooled((image, np.zeros(1)), 4, 16.0)
    assert half[0, 0, 0, 0] == pytest.approx((0 + 1 + 8 + 9) / 4 / 16)
    assert half.mean() == pytest.approx(image.mean() / 16)
    whole, _ = pooled((image, np.zeros(1)), 8, 16.0)
    assert torch.equal(torch.from_numpy(whole), torch.from_numpy(image).float() / 16)


def test_pooled_digits():
    data = small()
    assert data.shape == (1, 4, 4)
    assert data.sizes == {"train": 1247, "valid": 100, "test": 450}
    assert data.train.x.min() >= 0
    assert data.train.x.max() <= 1


def test_pooled_images_of_mnist():
    need_mirror("mnist")
    data = small(images="mnist", side=14, subset=1000)
    assert data.shape == (1, 14, 14)
    assert data.sizes == {"train": 1000, "valid": 100, "test": 10_000}


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"side": 9}, "side must be at most 8"), ({"side": 0}, "side"), ({"images": "letters"}, "known: digits, mnist")],
)
def test_wrong_options_of_pooled_images(changes, says):
    with pytest.raises(UserError, match=says):
        small(**changes)
