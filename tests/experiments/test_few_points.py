"""Few points with overlapping classes, against what their description says."""

import numpy as np
import pytest

from repro.errors import UserError
from repro.experiments.understanding_neural_networks.datasets.few_points import CENTRES, few_points


def made(points, **changes):
    sizes = {"train_size": 100, "valid_size": 25, "test_size": 20_000}
    return few_points(**{"points": points, "preprocessing": "none", "seed": 0} | sizes | changes)


def test_a_disc_in_a_ring_with_flipped_labels():
    data = made("circle_flip")
    radius, y = data.test.x.norm(dim=1).numpy(), data.test.y.numpy()
    disc = radius < 2.5  # halfway: jitter takes few across
    assert disc.mean() == pytest.approx(0.5, abs=0.02)
    assert (y != disc).mean() == pytest.approx(0.15 + 0.7 * 0.012, abs=0.015)
    assert len(np.unique(data.train.y.numpy())) == 2


def test_three_clouds_a_class():
    data = made("outliers")
    x, y = data.test.x.double().numpy(), data.test.y.numpy()
    assert y.mean() == pytest.approx(0.5, abs=1e-4)
    for c in (0, 1):
        own = x[y == c]
        centres = np.asarray(CENTRES[c])
        assert own.mean(0) == pytest.approx(centres.mean(0), abs=0.06)
        assert own.var(0) == pytest.approx(centres.var(0) + 0.9**2, rel=0.05)


def test_the_grid_goes_from_edge_to_edge_in_rows():
    x = made("outliers").valid.x.numpy()
    assert x[0].tolist() == [-6, -6]
    assert x[4].tolist() == [6, -6]
    assert x[-1].tolist() == [6, 6]
    assert np.unique(x[:, 0]).tolist() == [-6, -3, 0, 3, 6]


def test_each_seed_draws_its_own():
    assert not np.array_equal(made("outliers").train.x, made("outliers", seed=1).train.x)


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"points": "square"}, "known: circle_flip, outliers"), ({"valid_size": 10}, "e.g. 9, not 10")],
)
def test_wrong_options(changes, says):
    with pytest.raises(UserError, match=says):
        made(**{"points": "outliers"} | changes)
