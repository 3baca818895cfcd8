"""Data sets: every configuration file, splits, wrong options, generated data."""

import numpy as np
import pytest
import torch

from loading import error_of, load, need_mirror, node
from repro.config.groups import option_files
from repro.datasets.from_arrays import confuse
from repro.datasets.memory import Data
from repro.datasets.splits import count, cut, draw, keep, shares
from repro.datasets.store.sources import REGISTRY

ALL = sorted(option_files("dataset"))
GENERATED = ["circles", "gaussian_noise", "halves", "logistic", "spiral", "three_gaussians", "xor"]
# Well-known numbers of the real sets: labels of the official training and test files; mean and deviation of
# each colour over the training files, in [0, 1].
LABELS = {
    "mnist": (
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
    ),
    "cifar10": ([5000] * 10, [1000] * 10),
}
CHANNELS = {"mnist": ([0.1307], [0.3081]), "cifar10": ([0.49140, 0.48216, 0.44653], [0.24703, 0.24348, 0.26159])}


# ---- every configuration file ----


# Others have no end, no classes or no validation split.
IN_MEMORY = [n for n in ALL if n not in REGISTRY and "epoch_steps" not in node(n) and "valid_size" in node(n)]


@pytest.mark.parametrize("name", IN_MEMORY)
def test_builds(name, tmp_path):
    changes = {}
    if name == "table":
        (tmp_path / "table.csv").write_text("a,b,y\n" + "".join(f"{i},{i % 7}.5,{'pq'[i % 2]}\n" for i in range(60)))
        changes = {"path": str(tmp_path / "table.csv"), "target": "y"}
    check_data(name, load(name, **changes))


@pytest.mark.parametrize("name", ["mnist", pytest.param("cifar10", marks=pytest.mark.slow)])
def test_builds_from_the_real_files(name, tmp_path):
    need_mirror(name)
    data = load(name, preprocessing="none", data_dir=str(tmp_path))
    check_data(name, data)
    train, test = LABELS[name]
    assert (torch.bincount(data.train.y) + torch.bincount(data.valid.y)).tolist() == train
    assert torch.bincount(data.test.y).tolist() == test
    assert [len(data.valid), len(data.test)] == [5000, 10_000]
    channels = torch.cat([data.train.x, data.valid.x]).transpose(0, 1).flatten(1) / 255
    means, deviations = CHANNELS[name]
    assert channels.mean(1).tolist() == pytest.approx(means, abs=1e-4)
    assert channels.std(1).tolist() == pytest.approx(deviations, abs=1e-4)
    assert data.source.startswith(f"{name}: ")


def check_data(name, data):
    assert isinstance(data, Data)
    assert data.name == name
    for split in (data.train, data.valid, data.test):
        assert split.x.dtype == (torch.uint8 if name in REGISTRY else torch.float32)
        assert split.x.is_contiguous()
        assert split.x.shape[1:] == data.train.x.shape[1:]
        numbers = split.y.is_floating_point()
        assert split.y.dtype == (torch.float32 if numbers else torch.int64)
        assert split.y.shape == ((len(split), data.outputs) if numbers else (len(split),))
        assert len(split) > 0 or split is data.valid
        assert torch.isfinite(split.x).all()
    assert data.train.y.is_floating_point() or set(data.train.y.tolist()) == set(range(data.outputs))


@pytest.mark.parametrize("name", ALL)
def test_first_line_describes(name):
    lines = option_files("dataset")[name].read_text().splitlines()
    assert lines[0].startswith("# ")
    assert lines[1].startswith(("_target_: repro.datasets.", "_target_: repro.experiments."))


# ---- splits ----


def test_count():
    assert count("valid_size", 7, 100) == 7
    assert count("valid_size", 0.25, 100) == 25
    assert count("valid_size", 0, 100) == count("valid_size", 0.0, 100) == 0
    assert count("valid_size", 0.001, 100) == 1


def test_shares_sum_up_and_are_nearest():
    rng = np.random.default_rng(0)
    for _ in range(200):
        counts = rng.integers(0, 30, size=rng.integers(1, 8))
        n = int(rng.integers(0, counts.sum() + 1))
        part = shares(counts, n)
        assert part.sum() == n
        assert (part <= counts).all()
        assert (np.abs(part - counts * n / max(counts.sum(), 1)) < 1).all()


def test_cut_is_a_partition_stratified_and_seeded():
    y = np.repeat([0, 1, 2], [50, 30, 20])
    parts = cut(y, 20, 0.3, seed=0, stratified=True)
    assert [len(part) for part in parts] == [50, 20, 30]
    assert sorted(np.concatenate(parts)) == list(range(100))
    assert [np.bincount(y[part]).tolist() for part in parts] == [[25, 15, 10], [10, 6, 4], [15, 9, 6]]
    again, other = (cut(y, 20, 0.3, seed=seed, stratified=True) for seed in (0, 1))
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))
    assert not (parts[0] == other[0]).all()
    assert not (np.sort(parts[0]) == parts[0]).all()  # the first samples are a fair sample


def test_values_are_split_without_classes():
    y = np.linspace(0, 1, 40)[:, None]
    parts = cut(y, 5, 5, seed=3, stratified=False)
    assert sorted(np.concatenate(parts)) == list(range(40))


def test_keep_is_stratified_and_leaves_the_split_alone():
    y = np.repeat([0, 1], [80, 20])
    kept = keep(y, 10, 0, True)
    assert np.bincount(y[kept]).tolist() == [8, 2]
    assert len(set(kept)) == 10
    assert (keep(y, None, 0, True) == np.arange(100)).all()
    whole, part = load("digits"), load("digits", subset=100)
    assert len(part.train) == 100
    assert (whole.test.y == part.test.y).all()
    assert torch.bincount(part.train.y).min() >= 9


def test_draw_touches_no_global_state():
    np.random.seed(0)
    torch.manual_seed(0)
    before = (np.random.get_state()[1].copy(), torch.get_rng_state())
    draw(np.repeat([0, 1], 50), 10, np.random.default_rng(0))
    for name in [*GENERATED, "digits"]:
        load(name)
    assert (np.random.get_state()[1] == before[0]).all()
    assert (torch.get_rng_state() == before[1]).all()


def test_digits_split_is_stratified_and_disjoint():
    data = load("digits", preprocessing="none")
    assert [len(s) for s in (data.train, data.valid, data.test)] == [1257, 180, 360]
    every = torch.cat([s.y for s in (data.train, data.valid, data.test)])
    for split in (data.train, data.valid, data.test):
        expected = torch.bincount(every) * len(split) / len(every)
        assert (torch.bincount(split.y) - expected).abs().max() <= 2
        assert split.x.min() == 0
        assert split.x.max() == 1
    from sklearn.datasets import load_digits

    def rows(x):
        return sorted(map(bytes, (x.reshape(len(x), -1) * 16).astype(np.uint8)))

    ours = np.concatenate([s.x.numpy() for s in (data.train, data.valid, data.test)])
    assert rows(ours) == rows(load_digits().data / 16)  # so every image is in one split, once


@pytest.mark.parametrize("name", [*GENERATED, "digits"])
def test_seed_decides(name):
    same, again, other = load(name, seed=0), load(name, seed=0), load(name, seed=1)
    assert torch.equal(same.train.x, again.train.x)
    assert torch.equal(same.test.y, again.test.y)
    assert not torch.equal(same.train.x, other.train.x)


@pytest.mark.parametrize("name", GENERATED)
def test_training_samples_do_not_depend_on_the_other_sizes(name):
    data, other = load(name), load(name, valid_size=3, test_size=0)
    assert torch.equal(data.train.x, other.train.x)
    assert (len(other.valid), len(other.test)) == (3, 0)
    assert other.test.x.shape[1:] == data.train.x.shape[1:]


# ---- wrong options ----


@pytest.mark.parametrize(
    ("name", "changes", "parts"),
    [
        ("digits", {"preprocessing": "standardise"}, ["'standardise'", "whiten", "did you mean standardize?"]),
        ("digits", {"valid_size": -1}, ["valid_size", "-1"]),
        ("digits", {"test_size": 1.0}, ["test_size", "1.0"]),
        ("digits", {"test_size": float("nan")}, ["test_size", "nan"]),
        ("digits", {"valid_size": 1000, "test_size": 797}, ["no training sample of 1797"]),
        ("digits", {"valid_size": 0.5, "test_size": 0.6}, ["no training sample of 1797"]),
        ("digits", {"subset": 0}, ["subset", "1 or more"]),
        ("digits", {"subset": -3}, ["subset", "-3"]),
        ("digits", {"subset": 1258}, ["subset 1258", "1257"]),
        ("digits", {"seed": -1}, ["seed", "-1"]),
        ("digits", {"components": 3}, ["components=3", "pca or whiten"]),
        ("digits", {"components": 0, "preprocessing": "pca"}, ["components", "1 or more"]),
        ("digits", {"components": 65, "preprocessing": "pca"}, ["components=65", "64 features"]),
        ("digits", {"valid_size": "many"}, ["valid_size", "'many'"]),
        ("mnist", {"valid_size": -0.1}, ["valid_size"]),
        ("cifar10", {"preprocessing": "zca"}, ["preprocessing", "'zca'"]),
        ("cifar10", {"crop": 0}, ["crop", "1 or more", "0"]),
        ("cifar10", {"crop": 4, "preprocessing": "whiten"}, ["crop needs pixels", "whiten", "crop=null"]),
        ("mnist", {"flip": True, "preprocessing": "pca"}, ["flip needs pixels", "pca", "flip=null"]),
        ("mnist", {"crop": True}, ["dataset.crop must be", "not True"]),
        ("mnist", {"digits": [0]}, ["digits must list two or more", "[0]", "null"]),
        ("mnist", {"digits": [0, 10]}, ["digits must list two or more", "[0, 10]"]),
        ("mnist", {"digits": [3, 3]}, ["digits must list two or more", "each once"]),
        ("mnist", {"digits": 3}, ["dataset.digits must be", "not 3"]),
        ("mnist", {"side": 29}, ["side=29", "28 pixels", "null"]),
        ("mnist", {"side": 0}, ["side", "1 or more"]),
        ("xor", {"features": ["product"]}, ["unknown feature", "did you mean products"]),
        ("circles", {"features": "sines"}, ["dataset.features must be", "'sines'"]),
        ("digits", {"flip": True}, ["dataset.flip", "unknown option"]),
        ("spiral", {"preprocessing": "channels"}, ["needs images", "(2,)", "standardize"]),
        ("spiral", {"train_size": 0}, ["train_size", "1 or more"]),
        ("spiral", {"valid_size": -1}, ["valid_size", "0 or more"]),
        ("spiral", {"classes": 1}, ["classes", "2 or more"]),
        ("spiral", {"noise": -0.1}, ["noise", "-0.1"]),
        ("spiral", {"noise": float("nan")}, ["noise", "nan"]),
        ("spiral", {"seed": -1}, ["seed", "-1"]),
        ("spiral", {"subset": 301}, ["subset 301", "300"]),
        ("circles", {"inner": 1.0}, ["inner", "below 1"]),
        ("xor", {"noise": float("inf")}, ["noise"]),
        ("gaussian_noise", {"features": 0}, ["features", "1 or more"]),
        ("digits", {"noisy_labels": 1.2}, ["noisy_labels", "at least 0 and at most 1", "1.2"]),
        ("halves", {"test_size": 10}, ["test_size", "square", "9"]),
        ("halves", {"bend": -1.0}, ["bend", "at least 0"]),
        ("logistic", {"slopes": [1.0]}, ["means", "stds", "slopes"]),
        ("logistic", {"correlation": 2.0}, ["correlation", "at least 0 and at most 1"]),
        ("three_gaussians", {"stds": [1.0, 2.0]}, ["means", "stds"]),
        ("three_gaussians", {"stds": [1.0, -2.0, 1.0]}, ["stds", "-2"]),
        ("three_gaussians", {"means": []}, ["means"]),
    ],
)
def test_wrong_option(name, changes, parts):
    text = error_of(name, **changes)
    for part in parts:
        assert part in text


# ---- generated data ----


def test_spiral_is_that_of_the_notes():
    data = load("spiral", noise=0.0, train_size=300)
    x, y = data.train.x.double().numpy(), data.train.y.numpy()
    assert np.bincount(y).tolist() == [100, 100, 100]
    for arm in range(3):
        expected = []
        for i in range(100):
            radius, angle = i / 99, 4 * arm + 4 * i / 99
            expected.append([radius * np.sin(angle), radius * np.cos(angle)])
        points = x[y == arm]
        points = points[np.argsort(np.hypot(*points.T))]
        np.testing.assert_allclose(points, expected, atol=1e-6)
    noisy = load("spiral", train_size=3000).train
    radius = noisy.x.norm(dim=1)
    along = 4 * noisy.y + 4 * radius
    angle = torch.atan2(noisy.x[:, 0], noisy.x[:, 1])
    off = torch.remainder(angle - along + torch.pi, 2 * torch.pi) - torch.pi
    assert off[radius > 0.05].std() == pytest.approx(0.2, rel=0.05)


def test_three_gaussians_have_their_means_and_deviations():
    data = load("three_gaussians", train_size=30_000)
    for cloud, (mean, std) in enumerate([((-2, 0), 0.5), ((2, 0), 0.7), ((0, 3), 0.9)]):
        x = data.train.x[data.train.y == cloud]
        assert len(x) == 10_000
        assert (x.mean(0) - torch.tensor(mean)).abs().max() < 0.04
        assert (x.std(0) / std - 1).abs().max() < 0.03


def test_circles_have_their_radii():
    data = load("circles", noise=0.0, inner=0.25)
    radius = data.train.x.norm(dim=1)
    assert (radius[data.train.y == 0] - 1).abs().max() < 1e-6
    assert (radius[data.train.y == 1] - 0.25).abs().max() < 1e-6
    spread = load("circles", train_size=5000).train
    assert spread.x.mean(0).abs().max() < 0.05


def test_xor_is_xor():
    data = load("xor", noise=0.0)
    assert {tuple(row) for row in data.train.x.tolist()} == {(a, b) for a in (-1, 1) for b in (-1, 1)}
    assert torch.equal(data.train.y, (data.train.x.prod(1) < 0).long())
    assert load("xor", train_size=8000).train.x.abs().mean().item() == pytest.approx(1.0, abs=0.01)


def test_gaussian_noise_is_standard_and_tells_nothing():
    data = load("gaussian_noise")
    x = data.train.x
    assert x.shape == (1000, 500)
    assert x.mean().abs() < 0.005
    assert (x.std() - 1).abs() < 0.005
    assert torch.bincount(data.train.y).tolist() == [100] * 10
    means = torch.stack([x[data.train.y == label].mean(0) for label in range(10)])
    assert means.std().item() == pytest.approx(0.1, rel=0.05)  # 1 / sqrt(100): no class has a mean of its own


def test_five_points_and_the_lines_between_them():
    data = load("five_points", points="zigzag", grid=9)
    assert data.train.x[:, 0].tolist() == [-1, -0.5, 0, 0.5, 1]
    torch.testing.assert_close(data.train.y[:, 0], torch.tensor([0.5, -0.6, 0.8, -0.3, 0.4]))
    assert data.sizes == {"train": 5, "valid": 5, "test": 9}
    torch.testing.assert_close(data.test.y[::2], data.train.y)
    torch.testing.assert_close(data.test.y[1, 0], torch.tensor(-0.05))
    # A constant leaves the mean squared error that the points' variance is.
    for points, variance in (("random", 0.1668), ("zigzag", 0.2744)):
        assert load("five_points", points=points).train.y.var(correction=0).item() == pytest.approx(variance, abs=5e-5)
    assert "random" in error_of("five_points", points="rand5")
    assert "grid" in error_of("five_points", grid=1)


def test_halves_are_cut_by_the_wave_and_tested_on_a_grid():
    data = load("halves", train_size=400, test_size=49, bend=1.5)
    for split in (data.train, data.valid, data.test):
        x, y = split.x.double(), split.y
        assert x.abs().max() <= 3
        assert torch.equal(y == 1, x[:, 1] > 1.5 * torch.sin(x[:, 0]))
    assert data.test.x[:8].tolist() == [[-3.0 + i, -3.0] for i in range(7)] + [[-3.0, -2.0]]
    assert data.test.x[-1].tolist() == [3.0, 3.0]


def test_logistic_has_its_means_scales_and_law():
    data = load("logistic", train_size=40_000, correlation=0.6)
    scores = (data.train.x.double() - torch.tensor([10.0, 50.0])) / torch.tensor([1.0, 10.0])
    assert scores.mean(0).tolist() == pytest.approx([0, 0], abs=0.02)
    assert torch.cov(scores.T).flatten().tolist() == pytest.approx([1, 0.6, 0.6, 1], abs=0.03)
    logits = 2 * scores[:, 0] - scores[:, 1]
    for low in (-2, -1, 0, 1):
        chosen = (logits > low) & (logits < low + 1)
        expected = torch.sigmoid(logits[chosen]).mean().item()
        assert data.train.y[chosen].double().mean().item() == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(("name", "share"), [("digits", 0.2), ("halves", 3 / 26), ("digits", 1.0)])
def test_noisy_labels_are_so_many_wrong_ones_and_only_for_training(name, share):
    clean, noisy = load(name), load(name, noisy_labels=share)
    wrong = clean.train.y != noisy.train.y
    assert wrong.sum().item() == round(share * len(clean.train))
    assert torch.equal(clean.train.x, noisy.train.x)
    assert torch.equal(clean.test.y, noisy.test.y)
    assert torch.equal(clean.valid.y, noisy.valid.y)
    assert noisy.train.y.max() < clean.outputs


def test_noisy_labels_fall_on_every_other_class_alike():
    y = np.zeros(9000, dtype=np.int64)
    counts = np.bincount(confuse(y, 1.0, 10, seed=3), minlength=10)
    assert counts[0] == 0
    assert not np.array_equal(confuse(y, 0.5, 10, seed=3), confuse(y, 0.5, 10, seed=4))
    assert counts[1:].tolist() == pytest.approx([1000] * 9, rel=0.15)


def test_permuted_labels_keep_the_classes_counts_and_nothing_else():
    clean, mixed = load("digits"), load("digits", permuted_labels=True)
    assert torch.equal(clean.train.x, mixed.train.x)
    assert torch.equal(clean.test.y, mixed.test.y)
    assert torch.equal(clean.valid.y, mixed.valid.y)
    assert torch.equal(clean.train.y.bincount(), mixed.train.y.bincount())
    same = (clean.train.y == mixed.train.y).double().mean().item()
    assert same == pytest.approx(0.1, abs=0.04)  # chance, with ten classes in equal shares
    assert torch.equal(mixed.train.y, load("digits", permuted_labels=True).train.y)
    assert not torch.equal(mixed.train.y, load("digits", permuted_labels=True, seed=1).train.y)


def test_some_digits_of_mnist_made_smaller():
    need_mirror("mnist")
    whole, some = (
        load("mnist", preprocessing="none", valid_size=0, digits=d, side=s) for d, s in ((None, None), ([7, 1], 9))
    )
    assert (some.shape, some.outputs, some.sizes) == ((1, 9, 9), 2, {"train": 13_007, "valid": 0, "test": 2163})
    chosen = (whole.test.y == 7) | (whole.test.y == 1)
    assert torch.equal(some.test.y, (whole.test.y[chosen] == 1).long())
    # The mean of an image is that of its areas, to rounding.
    means = (some.test.x.double().mean((1, 2, 3)), whole.test.x[chosen].double().mean((1, 2, 3)))
    assert (means[0] - means[1]).abs().max() < 0.5
    zero_one = load("mnist", preprocessing="none", valid_size=0, digits=[0, 1])
    assert zero_one.sizes == {"train": 12_665, "valid": 0, "test": 2115}
    assert zero_one.test.y.double().mean().item() == pytest.approx(0.5366, abs=1e-4)


def test_features_go_before_the_preprocessing():
    data = load("circles", features=["squares"], preprocessing="standardize")
    assert data.shape == (4,)
    assert data.train.x.std(0, correction=0).tolist() == pytest.approx([1] * 4, abs=1e-4)
