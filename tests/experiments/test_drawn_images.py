"""Images drawn anew for each seed, and a support vector machine on them."""

import numpy as np
import pytest
import torch
from sklearn.svm import SVC

from repro.datasets.protocol import Order
from repro.errors import UserError
from repro.experiments.understanding_neural_networks.datasets.drawn_images import drawn_images
from repro.experiments.understanding_neural_networks.procedures.support_vectors import kernel
from repro.seeds import generator


def made(**changes):
    return drawn_images(**{"images": "digits", "size": 40, "pool": 1, "data_dir": None} | changes)


def drawn(seed, **changes):
    return made(**changes).draw(generator(seed, "noise")).tolist()


def test_each_seed_draws_its_own_and_a_smaller_draw_is_part_of_a_larger():
    assert drawn(0) == drawn(0)[:40]
    assert drawn(0, size=10) == drawn(0)[:10]
    assert len(set(drawn(0))) == 40
    assert set(drawn(0)) != set(drawn(1))


@pytest.mark.parametrize("batch_size", [16, None])
def test_an_epoch_has_every_image_of_a_replica_once(batch_size):
    data, seeds = made(), (3, 5)
    feed = data.feed(Order(seeds, batch_size))
    batches = [feed.batch(step) for step in range(feed.per_epoch)]
    for replica, seed in enumerate(seeds):
        own = data.draw(generator(seed, "noise"))
        wanted = sorted(map(tuple, data.drawn_from.x[own].flatten(1).tolist()))
        assert sorted(map(tuple, torch.cat([b.x[replica] for b in batches]).flatten(1).tolist())) == wanted
        classes = torch.cat([b.y[replica] for b in batches])
        assert torch.equal(classes.bincount(), data.drawn_from.y[own].bincount())


def test_pooled_pixels_are_means_of_squares():
    whole, pooled = made().test.x[0, 0].numpy(), made(pool=4).test.x[0, 0].numpy()
    means = [[whole[4 * r : 4 * r + 4, 4 * c : 4 * c + 4].mean() for c in (0, 1)] for r in (0, 1)]
    assert pooled == pytest.approx(np.array(means))
    assert made(pool=4).shape == (1, 2, 2)


def test_the_machine_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    x, other = torch.tensor(rng.random((60, 5))), torch.tensor(rng.random((200, 5)))
    y = (x.numpy() > 0.5).sum(1)
    ours = SVC(kernel="precomputed").fit(kernel(x, x, 0.7), y).predict(kernel(other, x, 0.7))
    assert (ours == SVC(gamma=0.7).fit(x.numpy(), y).predict(other.numpy())).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"images": "letters"}, "unknown images 'letters'; known: digits, mnist"),
        ({"size": 0}, "size must be a whole number of 1 or more"),
        ({"size": 2000}, "size 2000 is more than the 1347 training images of digits; lower it"),
        ({"pool": 3}, "pool must divide the 8 pixels of a side: 1, 2, 4; not 3"),
    ],
)
def test_wrong_options(change, says):
    with pytest.raises(UserError, match=says):
        made(**change)
