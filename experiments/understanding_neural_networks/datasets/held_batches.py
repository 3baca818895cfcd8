"""Some digits, made small; each batch is held for many updates before the next one is drawn."""

from collections.abc import Iterator
from dataclasses import replace

from repro.datasets.digits import bundled
from repro.datasets.from_arrays import Options, divide, finish
from repro.datasets.images import check_side, shrunk
from repro.datasets.memory import Data, Shuffled, Split
from repro.datasets.mnist import check_digits, mnist, of_digits
from repro.datasets.protocol import Batch, Feed, Order, Stateless
from repro.errors import unknown, whole

IMAGES = {"mnist": 28, "digits": 8}  # pixels a side
TESTED = 0.25  # of the 1,797 digits of scikit-learn


def held_batches(
    images: str,
    digits: list[int] | None,
    side: int | None,
    repeats: int,
    subset: int | None,
    seed: int,
    data_dir: str | None,
) -> Data:
    """Images of shape (1, side, side) in [0, 1]; no validation split.

    Args:
        images: mnist, or digits for those of scikit-learn.
        digits: those that there are; the first named is class 0. None keeps all ten.
        side: pixels a side that images are averaged down to; None leaves them.
        repeats: updates on each batch before the next.
        subset: training images kept, each class in proportion; None keeps all.
        seed: of subset and, of scikit-learn's digits, split.
        data_dir: cache folder; None means the user's.

    Raises:
        UserError: an option is not allowed; a file is missing, truncated or not the official one.
    """
    if images not in IMAGES:
        raise unknown("images", str(images), IMAGES)
    whole("repeats", repeats, 1)
    check_digits(digits)
    check_side(side, IMAGES[images])
    if images == "mnist":
        data = mnist(0, "none", None, subset, digits, side, None, seed, None, None, data_dir)
    else:
        options = Options("none", subset, seed)
        options.check()
        x, y = of_digits(*bundled(), digits)
        x = x if side is None else shrunk(x, side)
        data = finish("digits", divide(x, y, 0, TESTED, seed, unit=16), len(digits or range(10)), options)

    def feed(splits: dict[str, Split], order: Order) -> Feed:
        plain = data.make_feed(splits, order) if data.make_feed else Shuffled(splits, order.seeds, order.batch_size)
        return Held(plain, repeats)

    return replace(data, name="held_batches", make_feed=feed)


class Held(Stateless):
    """Another feed's batches, each `repeats` times in a row; an epoch is that many times as long."""

    def __init__(self, feed: Feed, repeats: int) -> None:
        self.feed, self.repeats = feed, repeats
        self.per_epoch = feed.per_epoch * repeats
        self.held: tuple[int, Batch] | None = None

    def batch(self, step: int) -> Batch:
        """See `Feed`."""
        place = step // self.repeats
        if self.held is None or self.held[0] != place:
            self.held = place, self.feed.batch(place)
        return self.held[1]

    def batches(self, split: str) -> Iterator[Batch]:
        """See `Feed`."""
        return self.feed.batches(split)

    def probe(self, samples: int) -> Batch:
        """See `Feed`."""
        return self.feed.probe(samples)
