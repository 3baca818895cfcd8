"""Preprocessing against slow twins, and its laws."""

import numpy as np
import pytest
import torch

from loading import load
from repro.datasets.from_arrays import Options, Raw, finish
from repro.datasets.preprocessing import EPSILON, fit


def twin(train, x, kind, components):
    """The definitions, feature by feature, in double precision."""
    train, x = (a.reshape(len(a), -1).astype(np.float64) for a in (train, x))
    means = [sum(column) / len(column) for column in train.T]
    centered = np.array([[v - m for v, m in zip(row, means, strict=True)] for row in x])
    if kind == "center":
        return centered
    if kind == "channels":  # features are those of images of shape (1, 2, 3)
        every = [float(v) for v in train.ravel()]
        mean = sum(every) / len(every)
        return (x - mean) / (sum((v - mean) ** 2 for v in every) / len(every)) ** 0.5
    if kind == "standardize":
        deviations = [
            (sum((v - m) ** 2 for v in column) / len(column)) ** 0.5 for column, m in zip(train.T, means, strict=True)
        ]
        return centered / [d if d > 1e-12 else 1.0 for d in deviations]
    train_centered = train - np.array(means)
    axes, variances, _ = np.linalg.svd(train_centered.T @ train_centered / len(train))
    turned = centered @ axes[:, :components]
    return turned if kind == "pca" else turned / np.sqrt(variances[:components] + EPSILON)


@pytest.mark.parametrize(
    ("kind", "components"),
    [
        ("center", None),
        ("standardize", None),
        ("channels", None),
        ("pca", None),
        ("whiten", None),
        ("pca", 3),
        ("whiten", 3),
    ],
)
def test_preprocessing_equals_its_twin(kind, components):
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


def test_each_channel_has_its_own_mean_and_deviation():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(30, 3, 4, 5)) * [[[1]], [[2]], [[3]]] + rng.normal(size=(1, 3, 4, 5))
    x[:, 1] = 0.1  # a constant channel becomes 0
    out = fit(x, "channels")(x)
    np.testing.assert_allclose(out.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(out.std(axis=(0, 2, 3)), [1, 0, 1], atol=1e-12)
    for channel in (0, 2):
        values = x[:, channel]
        np.testing.assert_allclose(out[:, channel], (values - values.mean()) / values.std(), rtol=1e-9, atol=1e-12)


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
