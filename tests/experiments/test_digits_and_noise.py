"""Digits with noise in place of a validation split."""

import numpy as np
import pytest
import torch

from repro.errors import UserError
from repro.experiments.understanding_neural_networks.datasets.digits_and_noise import digits_and_noise


def made(noise="uniform", size=900, **changes):
    return digits_and_noise(
        **{"images": "digits", "noise": noise, "noise_size": size, "subset": None, "seed": 0, "data_dir": None}
        | changes
    )


def test_sizes_and_range():
    data = made(subset=100)
    assert data.sizes == {"train": 100, "valid": 900, "test": 450}
    assert data.valid.x.shape == (900, 1, 8, 8)
    for split in (data.train, data.valid, data.test):
        assert (split.x.min().item(), split.x.max().item()) == (0, 1)


@pytest.mark.parametrize(("noise", "greys"), [("uniform", 17), ("black_and_white", 2)])
def test_every_grey_is_as_frequent(noise, greys):
    values, counts = np.unique(made(noise).valid.x.numpy(), return_counts=True)
    assert values == pytest.approx(np.linspace(0, 1, greys))
    assert counts / counts.sum() == pytest.approx(1 / greys, rel=0.1)


def test_shuffled_images_keep_their_ink_and_lose_their_places():
    data = made("shuffled")
    noise, digits = data.valid.x.flatten(1), data.test.x.flatten(1)
    assert torch.equal(noise[:450].sort(1).values, digits.sort(1).values)
    # The corners of a digit are empty, and no place of a shuffled one is.
    assert digits.mean(0).min().item() < 0.01
    assert noise.mean(0).std().item() < 0.1 * digits.mean(0).std().item()
    assert not torch.equal(noise[:450], noise[450:])  # an order of its own each


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"images": "letters"}, "unknown images 'letters'; known: digits, mnist"),
        ({"noise": "pink"}, "unknown noise 'pink'; known: .*shuffled"),
        ({"size": -1}, "noise_size must be a whole number of 0 or more"),
    ],
)
def test_wrong_options(change, says):
    with pytest.raises(UserError, match=says):
        made(**change)
