"""Points on two sides of a boundary, and the split that they share with digits."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from loading import MIRROR, error_of, load, need_mirror
from repro.errors import UserError
from repro.experiments.esp_mean_field.datasets.plain_split import cut_plainly

SIZES = {"linear": (38, 13), "nonlinear": (690, 173)}
FILES = {"linear": "lindata.csv", "nonlinear": "nldata.csv"}


def together(data):
    """Inputs and classes of both splits, one row a point, in an order of their own."""
    rows = np.concatenate([np.column_stack([part.x, part.y]) for part in (data.train, data.test)])
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize("n", [2, 51, 863, 1797])
@pytest.mark.parametrize("size", [0.2, 0.25, 1 / 3, 1])
@pytest.mark.parametrize("seed", [0, 1, 12])
def test_plain_split_is_scikit_learn_s(n, size, seed):
    ours = cut_plainly(n, size, seed)
    for found, expected in zip(ours, train_test_split(np.arange(n), test_size=size, random_state=seed), strict=True):
        assert found.tolist() == expected.tolist()


@pytest.mark.parametrize(("size", "left"), [(0, 10), (0.0, 10), (1e-9, 9), (9, 1)])
def test_sizes_that_scikit_learn_does_not_take(size, left):
    train, test = cut_plainly(10, size, 0)
    assert len(train) == left
    assert sorted([*train, *test]) == list(range(10))


@pytest.mark.parametrize("size", [10, 11, 0.95])
def test_something_is_left_for_training(size):
    with pytest.raises(UserError, match=f"test_size {size} leaves no training sample of 10; make it smaller"):
        cut_plainly(10, size, 0)


@pytest.mark.parametrize("kind", SIZES)
def test_sizes_and_shapes(kind):
    data = load("boundary", kind=kind)
    assert (len(data.train), len(data.test)) == SIZES[kind]
    assert len(data.valid) == 0
    assert data.valid.x.shape == (0, 2)
    assert data.outputs == 2
    assert data.shape == (2,)
    assert set(data.train.y.tolist()) == set(data.test.y.tolist()) == {0, 1}


def test_generated_points_lie_on_the_side_of_their_class():
    x1, x2, y = together(load("boundary")).T
    assert (x1 > 0).all()
    assert (x2 > 0).all()
    assert y.tolist() == (x1 + x2 > 5.65).tolist()
    assert 0.25 < y.mean() < 0.55
    x1, x2, y = together(load("boundary", kind="nonlinear")).T
    assert (x1 >= 0.04).all()
    assert (x1 <= 1).all()
    assert (x2 >= 0.4).all()
    assert (x2 <= 0.99).all()
    assert y.tolist() == (x2 > 0.68 + 0.16 * np.sin(2 * np.pi * 1.25 * x1 + 0.4)).tolist()
    assert 0.4 < y.mean() < 0.7


def test_the_seed_is_of_points_and_split():
    same, again, other = load("boundary"), load("boundary"), load("boundary", seed=2)
    assert np.array_equal(same.train.x, again.train.x)
    assert not np.array_equal(together(same), together(other))


def test_options():
    assert len(load("boundary", test_size=0).test) == 0
    assert len(load("boundary", test_size=7).train) == 44
    assert len(load("boundary", subset=20).train) == 20
    x = load("boundary", preprocessing="standardize").train.x.numpy()
    np.testing.assert_allclose([x.mean(0), x.std(0)], [[0, 0], [1, 1]], atol=1e-6)
    plain, noisy = load("boundary", kind="nonlinear"), load("boundary", kind="nonlinear", noisy_labels=0.1)
    assert (plain.train.y != noisy.train.y).sum() == 69
    assert (plain.test.y == noisy.test.y).all()


@pytest.mark.parametrize(("kind", "ones"), [("linear", 21 / 51), ("nonlinear", 0.556)])
def test_the_authors_points(kind, ones):
    need_mirror("esp")
    data = load("boundary", kind=kind, points="authors")
    table = np.loadtxt(Path(MIRROR) / "esp" / FILES[kind], delimiter=",", skiprows=1)
    train, test = train_test_split(np.arange(len(table)), test_size={"linear": 0.25}.get(kind, 0.2), random_state=1)
    for split, places in ((data.train, train), (data.test, test)):
        np.testing.assert_array_equal(split.x, table[places, :2].astype(np.float32))
        np.testing.assert_array_equal(split.y, table[places, 2])
    assert (len(data.train), len(data.test)) == SIZES[kind]
    assert table[:, 2].mean() == pytest.approx(ones, abs=1e-3)
    assert data.source


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"kind": "liner"}, ["dataset.kind", "'liner'", "did you mean linear or nonlinear?"]),
        ({"points": "author"}, ["dataset.points", "'author'", "did you mean authors?"]),
        ({"seed": -1}, ["seed must be a whole number of 0 or more, not -1"]),
        ({"test_size": 51}, ["test_size 51 leaves no training sample of 51"]),
        ({"test_size": 1.5}, ["test_size must be a number of samples"]),
        ({"preprocessing": "centre"}, ["unknown preprocessing 'centre'"]),
        ({"subset": 40}, ["subset 40 is more than the 38 training samples"]),
    ],
    ids=str,
)
def test_mistakes(changes, parts):
    text = error_of("boundary", **changes)
    assert all(part in text for part in parts), text


def test_authors_points_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_DATA", str(tmp_path))
    text = error_of("boundary", points="authors", data_dir=str(tmp_path / "cache"))
    assert "lindata.csv not found" in text
    assert "no place to download it from" in text
    assert text.endswith("or take dataset.points=generated")


# Digits as in the authors' code


def test_digits_as_in_the_authors_code():
    data = load("authors_digits")
    images, classes = load_digits(return_X_y=True)
    expected = train_test_split(images / 255, classes, test_size=0.2, random_state=0)
    for found, values in zip((data.train.x, data.test.x, data.train.y, data.test.y), expected, strict=True):
        np.testing.assert_allclose(found.flatten(1) if found.dim() > 1 else found, values, rtol=1e-6)
    assert len(data.valid) == 0
    assert (data.train.x.flatten(1) == 0).all(0).sum() == 3
    assert (data.train.y == 0).double().mean().item() == pytest.approx(0.10508, abs=1e-5)


def test_full_scale_of_digits():
    plain, scaled = (load("authors_digits", full_scale=unit) for unit in (16, 255))
    np.testing.assert_allclose(plain.train.x * 16 / 255, scaled.train.x, rtol=1e-6)
    assert plain.train.x.max() == 1
    assert "full_scale" in error_of("authors_digits", full_scale=0)
