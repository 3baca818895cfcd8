"""How alike the weights of neighbouring pixels are."""

import numpy as np
import pytest
import torch

from repro.diagnostics.pictures import neighbour_correlation


def test_neighbour_correlation_is_that_of_pairs_of_pixels():
    side, units = 14, 3  # the margin is 3 wide
    weight = torch.randn(2, units, side**2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight += weight.cumsum(-1)  # so that pixels side by side are alike
    found = neighbour_correlation(weight)["neighbour_correlation"]
    for replica, value in zip(weight.numpy(), found.tolist(), strict=True):
        here, beside = [], []
        for unit in replica.reshape(units, side, side):
            for i in range(3, 11):
                for j in range(3, 11):
                    here += [unit[i, j]] * ((j < 10) + (i < 10))
                    beside += [unit[i, j + 1]] * (j < 10) + [unit[i + 1, j]] * (i < 10)
        assert value == pytest.approx(np.corrcoef(here, beside)[0, 1], rel=1e-12)
    assert found.min() > 0.5


def test_the_margin_does_not_count():
    weight = torch.randn(1, 4, 784, generator=torch.Generator().manual_seed(1))
    other = weight.clone().view(1, 4, 28, 28)
    other[..., :6, :] += 100
    assert torch.equal(*(neighbour_correlation(w)["neighbour_correlation"] for w in (weight, other.view(1, 4, 784))))
    assert neighbour_correlation(weight)["neighbour_correlation"].abs().item() < 0.1


@pytest.mark.parametrize("shape", [(1, 4, 49), (1, 4, 100, 3, 3), (1, 4, 80)])
def test_weights_that_are_no_images_have_none(shape):
    assert neighbour_correlation(torch.zeros(shape)) == {}
