"""Data sets: options, splits, preprocessing, generators, the user's own table."""

import gzip
import io
import lzma
import os
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from repro.build import build
from repro.datasets.assembly import Options, Raw, finish
from repro.datasets.cifar10 import MEMBERS
from repro.datasets.data import Data
from repro.datasets.preprocessing import EPSILON, fit
from repro.datasets.sources import REGISTRY, Edition, SourceFile
from repro.datasets.splits import count, cut, draw, keep, shares
from repro.errors import UserError
from repro.paths import conf_dir

ALL = sorted(path.stem for path in (conf_dir() / "dataset").glob("*.yaml"))
GENERATED = ["circles", "gaussian_noise", "spiral", "three_gaussians", "xor"]
MIRROR = os.environ.get("REPRO_DATA")


def node(name, **changes):
    """A dataset's configuration as the program sees it."""
    root = OmegaConf.create({"data_dir": None})
    root["dataset"] = OmegaConf.load(conf_dir() / "dataset" / f"{name}.yaml")
    root["dataset"].update(changes)
    return OmegaConf.to_container(root, resolve=True)["dataset"]


def load(name, **changes):
    return build(node(name, **changes), "dataset")


def error_of(name, **changes):
    with pytest.raises(UserError) as caught:
        load(name, **changes)
    text = str(caught.value)
    assert "\n" not in text
    return text


def need_mirror(name):
    if not MIRROR or not (Path(MIRROR) / name).is_dir():
        pytest.skip("REPRO_DATA is not set to a mirror with this data set")


@pytest.fixture
def csv(tmp_path):
    """Writes a table; its text is given by a function of the row, or whole."""

    def write(text):
        path = tmp_path / "table.csv"
        path.write_text(text)
        return str(path)

    return write


def flowers(rows=60):
    lines = [f"{i % 7}.5,{i},{'ab'[i % 2]}" for i in range(rows)]
    return "width,height,kind\n" + "\n".join(lines) + "\n"


# ---- every configuration file ----


@pytest.mark.parametrize("name", ALL)
def test_builds(name, csv, tmp_path):
    if name in REGISTRY:
        need_mirror(name)
    changes = {"path": csv(flowers()), "target": "kind"} if name == "table" else {}
    if name in REGISTRY:
        changes = {"data_dir": str(tmp_path)}
    data = load(name, **changes)
    assert isinstance(data, Data)
    assert data.name == name
    for split in (data.train, data.valid, data.test):
        assert split.x.dtype == torch.float32
        assert split.x.is_contiguous()
        assert split.x.shape[1:] == data.train.x.shape[1:]
        assert split.y.dtype == torch.int64
        assert split.y.shape == (len(split),)
        assert len(split) > 0
        assert torch.isfinite(split.x).all()
    assert set(data.train.y.tolist()) == set(range(data.outputs))


@pytest.mark.parametrize("name", ALL)
def test_first_line_describes(name):
    lines = (conf_dir() / "dataset" / f"{name}.yaml").read_text().splitlines()
    assert lines[0].startswith("# ")
    assert lines[1].startswith("_target_: repro.datasets.")


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
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    before = (np.random.get_state()[1].copy(), torch.get_rng_state())  # noqa: NPY002
    draw(np.repeat([0, 1], 50), 10, np.random.default_rng(0))
    for name in [*GENERATED, "digits"]:
        load(name)
    assert (np.random.get_state()[1] == before[0]).all()  # noqa: NPY002
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
        (
            "digits",
            {"preprocessing": "standardise"},
            ["'standardise'", "whiten", "did you mean standardize?"],
        ),
        ("digits", {"valid_size": -1}, ["valid_size", "-1"]),
        ("digits", {"test_size": 1.0}, ["test_size", "1.0"]),
        ("digits", {"test_size": float("nan")}, ["test_size", "nan"]),
        ("digits", {"valid_size": 1000, "test_size": 797}, ["no training sample of 1797"]),
        ("digits", {"valid_size": 0.5, "test_size": 0.5}, ["no training sample of 1797"]),
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
        ("three_gaussians", {"stds": [1.0, 2.0]}, ["means", "stds"]),
        ("three_gaussians", {"stds": [1.0, -2.0, 1.0]}, ["stds", "-2"]),
        ("three_gaussians", {"means": []}, ["means"]),
    ],
)
def test_wrong_option(name, changes, parts):
    text = error_of(name, **changes)
    for part in parts:
        assert part in text


# ---- preprocessing against slow twins ----


def twin(train, x, kind, components):
    """The definitions, feature by feature, in double precision."""
    train, x = (a.reshape(len(a), -1).astype(np.float64) for a in (train, x))
    means = [sum(column) / len(column) for column in train.T]
    centered = np.array([[v - m for v, m in zip(row, means, strict=True)] for row in x])
    if kind == "center":
        return centered
    if kind == "standardize":
        deviations = [
            (sum((v - m) ** 2 for v in column) / len(column)) ** 0.5
            for column, m in zip(train.T, means, strict=True)
        ]
        return centered / [d if d > 1e-12 else 1.0 for d in deviations]
    train_centered = train - np.array(means)
    axes, variances, _ = np.linalg.svd(train_centered.T @ train_centered / len(train))
    turned = centered @ axes[:, :components]
    return turned if kind == "pca" else turned / np.sqrt(variances[:components] + EPSILON)


@pytest.mark.parametrize("kind", ["center", "standardize", "pca", "whiten"])
@pytest.mark.parametrize("components", [None, 3])
def test_preprocessing_equals_its_twin(kind, components):
    if components and kind not in ("pca", "whiten"):
        pytest.skip("components go with pca and whiten")
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 6)) * np.arange(1, 7)
    train, other = (rng.normal(size=(n, 6)) @ mixing + 5 for n in (80, 20))
    apply = fit(train.reshape(80, 1, 2, 3), kind, components)
    for x in (train, other):
        out = apply(x.reshape(-1, 1, 2, 3))
        assert out.shape == ((len(x), 3) if components else (len(x), 1, 2, 3))
        out, expected = out.reshape(len(x), -1), twin(train, x, kind, components)
        if kind in ("pca", "whiten"):
            signs = np.sign((out * expected).sum(axis=0))  # an axis may point either way
            expected = expected * signs
        np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-9)


def test_statistics_come_from_the_training_split_alone():
    rng = np.random.default_rng(1)
    y = np.arange(50) % 2
    train = rng.normal(size=(50, 4))
    near, far = (
        finish("x", Raw((train, y), (train, y), (offset + train, y)), 2, Options("whiten", None, 0))
        for offset in (0.0, 100.0)
    )
    assert torch.equal(near.train.x, far.train.x)
    assert not torch.allclose(near.test.x, far.test.x)


@pytest.mark.parametrize("kind", ["center", "standardize", "pca", "whiten"])
def test_training_mean_becomes_zero(kind):
    x = load("digits", preprocessing=kind).train.x.double().flatten(1)
    assert x.mean(0).abs().max() < 1e-6
    if kind == "standardize":
        deviations = x.std(0, correction=0)
        constant = deviations < 1e-6
        assert constant.sum() >= 3  # the digits have pixels that are never set
        assert (deviations[~constant] - 1).abs().max() < 1e-5


def test_whitening_gives_identity_covariance():
    x = load("digits", preprocessing="whiten", components=30).train.x.double()
    assert x.shape == (1257, 30)
    covariance = x.T @ x / len(x)
    # Each variance is s / (s + 1e-5), and the thirtieth s is well above.
    assert (covariance - torch.eye(30)).abs().max() < 0.01
    assert (covariance - torch.diag(covariance.diag())).abs().max() < 1e-5


def test_components_come_in_order_of_variance():
    variances = load("digits", preprocessing="pca").train.x.flatten(1).var(0)
    assert (variances[:-1] >= variances[1:] - 1e-9).all()


def test_constant_feature_becomes_zero_for_every_value():
    x = np.stack([np.full(7, 0.1), np.arange(7.0)], axis=1)
    assert (np.abs(fit(x, "standardize")(x)[:, 0]) < 1e-12).all()
    x = x.astype(np.float32)
    assert (np.abs(fit(x, "standardize")(x)[:, 0]) < 1e-6).all()


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


# ---- the user's own table ----


def test_table_classes_of_text(csv):
    data = load("table", path=csv(flowers()), target="kind", preprocessing="none")
    assert data.outputs == 2
    assert [len(s) for s in (data.train, data.valid, data.test)] == [42, 6, 12]
    for split in (data.train, data.valid, data.test):
        assert torch.equal(split.y, (split.x[:, 1] % 2).long())  # 'a' is 0, 'b' is 1
        assert torch.equal(split.x[:, 0], split.x[:, 1] % 7 + 0.5)
    assert "table.csv" in data.source


def test_table_values(csv):
    text = "a;b;price\n" + "\n".join(f"{i};{i * i};{i}.5" for i in range(30))
    data = load("table", path=csv(text), target="price", separator=";", preprocessing="none")
    assert data.outputs == 1
    assert data.train.y.shape == (21, 1)
    assert data.train.y.dtype == torch.float32
    assert torch.equal(data.train.y, data.train.x[:, :1] + 0.5)


def test_table_kinds(csv):
    path = csv("a,b\n" + "\n".join(f"{i},{i % 3 + 5}" for i in range(30)))
    classes = load("table", path=path, target="b")
    assert (classes.outputs, sorted(set(classes.train.y.tolist()))) == (3, [0, 1, 2])
    values = load("table", path=path, target="b", kind="regression")
    assert (values.outputs, values.train.y.dtype) == (1, torch.float32)
    assert sorted(set(values.train.y.flatten().tolist())) == [5.0, 6.0, 7.0]


def test_table_drops_columns_and_bears_constant_ones(csv):
    path = csv("name,a,same,c\n" + "\n".join(f"n{i},{i},3,{'xy'[i % 2]}" for i in range(20)))
    assert "dataset.drop=[name]" in error_of("table", path=path, target="c")
    data = load("table", path=path, target="c", drop=["name"])
    assert data.train.x.shape[1] == 2
    assert (data.train.x[:, 1] == 0).all()


def test_table_with_large_numbers_keeps_their_differences(csv):
    path = csv("when,y\n" + "\n".join(f"{1_700_000_000 + i},{'ab'[i % 2]}" for i in range(20)))
    x = load("table", path=path, target="y", preprocessing="center").train.x
    assert len(set(x.flatten().tolist())) == 14  # float32 alone knows them to 128 only


ROWS = "a,b,y\n" + "\n".join(f"{i},{i}.5,{'pq'[i % 2]}" for i in range(20)) + "\n"


@pytest.mark.parametrize(
    ("text", "changes", "parts"),
    [
        (ROWS, {"target": "z"}, ["column in target 'z'", "a, b, y"]),
        (ROWS.replace("a,b,y", "a,b,species"), {"target": "specie"}, ["did you mean species?"]),
        (ROWS, {"target": "y", "drop": ["c"]}, ["column in drop 'c'"]),
        (ROWS, {"target": "y", "drop": ["a", "b"]}, ["no column besides 'y'"]),
        (ROWS, {"target": "y", "kind": "guess"}, ["kind 'guess'", "auto"]),
        (ROWS, {"target": "y", "kind": "regression"}, ["column 'y'", "'p'", "row 1", "kind=classification"]),
        (ROWS, {"target": "y", "separator": ""}, ["separator"]),
        (ROWS, {"target": "y", "separator": ";"}, ["column in target 'y'"]),
        (ROWS, {"target": "b", "kind": "classification", "drop": ["y"]}, ["20 classes", "kind=regression"]),
        (ROWS.replace("3,3.5", "three,3.5"), {"target": "y"}, ["column 'a'", "'three'", "row 4", "number"]),
        (ROWS.replace("3,3.5", "3,"), {"target": "y"}, ["column 'b'", "no value", "row 4"]),
        (ROWS.replace("3,3.5", "3,nan"), {"target": "y"}, ["column 'b'", "no value", "row 4"]),
        (ROWS.replace("3,3.5", "3,inf"), {"target": "y"}, ["column 'b'", "infinite", "row 4"]),
        (ROWS.replace("3,3.5,q", "3,3.5,"), {"target": "y"}, ["column 'y'", "no value", "row 4"]),
        (ROWS.replace("3,3.5,q", "3,3.5,q,9"), {"target": "y"}, ["no CSV file"]),
        (ROWS.replace("\n", ",9\n").replace("y,9", "y", 1), {"target": "y"}, ["no CSV file"]),
        (ROWS.replace("q", "p"), {"target": "y"}, ["in every row", "two classes"]),
        ("", {"target": "y"}, ["is empty"]),
        ("a,y\n", {"target": "y"}, ["0 rows", "at least 3"]),
        ("a,y\n1,p\n2,q\n", {"target": "y"}, ["2 rows", "at least 3"]),
        (ROWS, {"target": "y", "test_size": 15, "valid_size": 5}, ["no training sample of 20"]),
        (ROWS, {"target": "y", "subset": 20}, ["subset 20", "14"]),
    ],
)
def test_wrong_table(csv, text, changes, parts):
    message = error_of("table", path=csv(text), **changes)
    for part in parts:
        assert part in message


def test_table_that_is_no_text_file(tmp_path):
    assert "not found" in error_of("table", path=str(tmp_path / "no.csv"), target="y")
    assert "not found" in error_of("table", path=str(tmp_path), target="y")
    (tmp_path / "x.csv").write_bytes(b"a,y\n\xff\xfe\x00,1\n" * 5)
    assert "no CSV file in UTF-8" in error_of("table", path=str(tmp_path / "x.csv"), target="y")


# ---- MNIST and CIFAR-10 from small files of their formats ----


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def register(monkeypatch, name, folder, stored):
    """Put files into a mirror and record their checksums, as one edition."""
    import hashlib

    monkeypatch.setenv("REPRO_DATA", str(folder))
    entries = []
    for file, suffix, data in stored:
        path = folder / name / (file + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        entries.append(SourceFile(file, {suffix: hashlib.sha256(data).hexdigest()}))
    monkeypatch.setitem(REGISTRY, name, (Edition("small", tuple(entries)),))


def test_mnist_from_small_files(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    arrays = []
    for file, n in (("train", 40), ("t10k", 10)):
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        images[:, 0, 0] = np.arange(n)
        labels = (np.arange(n) % 10).astype(np.uint8)
        arrays += [(f"{file}-images-idx3-ubyte", images), (f"{file}-labels-idx1-ubyte", labels)]
    stored = [(file, ".gz", gzip.compress(idx(array))) for file, array in arrays]
    register(monkeypatch, "mnist", tmp_path, stored)
    data = load("mnist", valid_size=0.25, preprocessing="none", data_dir=str(tmp_path / "cache"))
    assert [s.x.shape for s in (data.train, data.valid, data.test)] == [
        (30, 1, 28, 28),
        (10, 1, 28, 28),
        (10, 1, 28, 28),
    ]
    assert torch.bincount(data.train.y).tolist() == [3] * 10
    order = (data.train.x[:, 0, 0, 0] * 255).round().long()
    np.testing.assert_allclose(data.train.x[:, 0].numpy(), arrays[0][1][order] / 255, rtol=1e-6)
    assert torch.equal(data.train.y, order % 10)
    assert torch.equal(data.test.y, torch.arange(10))  # the official test set, in its order
    assert data.source == "mnist: small"


@pytest.mark.parametrize("form", ["archive", "batches"])
def test_cifar10_from_small_files(tmp_path, monkeypatch, form):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 10, 3072), dtype=np.uint8)
    batches = [b"".join(bytes([i]) + pixels[b, i].tobytes() for i in range(10)) for b in range(6)]
    if form == "archive":
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz") as tar:
            for name, batch in zip(MEMBERS, batches, strict=True):
                info = tarfile.TarInfo(name)
                info.size = len(batch)
                tar.addfile(info, io.BytesIO(batch))
        stored = [("cifar-10-binary.tar", ".gz", stream.getvalue())]
    else:
        stored = [(name, ".xz", lzma.compress(batch)) for name, batch in zip(MEMBERS, batches, strict=True)]
    register(monkeypatch, "cifar10", tmp_path, stored)
    data = load("cifar10", valid_size=10, preprocessing="none", data_dir=str(tmp_path / "cache"))
    assert [len(s) for s in (data.train, data.valid, data.test)] == [40, 10, 10]
    assert torch.bincount(data.valid.y).tolist() == [1] * 10
    np.testing.assert_allclose(data.test.x.flatten(1).numpy(), pixels[5] / 255, rtol=1e-6)
    ours = torch.cat([data.train.x, data.valid.x]).flatten(1).mul(255).round().to(torch.uint8).numpy()
    assert sorted(map(bytes, ours)) == sorted(map(bytes, pixels[:5].reshape(50, 3072)))


# ---- the real ones ----


def test_real_mnist(tmp_path):
    need_mirror("mnist")
    data = load("mnist", valid_size=0, preprocessing="none", data_dir=str(tmp_path))
    assert torch.bincount(data.train.y).tolist() == [
        5923,
        6742,
        5958,
        6131,
        5842,
        5421,
        5918,
        6265,
        5851,
        5949,
    ]
    assert torch.bincount(data.test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data.train.x.mean().item() == pytest.approx(0.1307, abs=1e-4)
    assert data.train.x.std().item() == pytest.approx(0.3081, abs=1e-4)


@pytest.mark.slow
def test_real_cifar10(tmp_path):
    need_mirror("cifar10")
    data = load("cifar10", valid_size=0, preprocessing="none", data_dir=str(tmp_path))
    assert torch.bincount(data.train.y).tolist() == [5000] * 10
    assert torch.bincount(data.test.y).tolist() == [1000] * 10
    channels = data.train.x.transpose(0, 1).flatten(1)
    assert channels.mean(1).tolist() == pytest.approx([0.49140, 0.48216, 0.44653], abs=1e-4)
    assert channels.std(1).tolist() == pytest.approx([0.24703, 0.24348, 0.26159], abs=1e-4)
    assert data.source
