"""MNIST: 70,000 handwritten digits of 28×28 pixels (LeCun, Cortes and Burges), from the four idx files."""

import struct

import numpy as np
from numpy.typing import NDArray

from repro.datasets.from_arrays import Options, Pair, Raw, divide, finish
from repro.datasets.images import Augmentation, check_side, shrunk
from repro.datasets.memory import Data
from repro.datasets.splits import check_size
from repro.datasets.store.files import contents
from repro.errors import UserError

SIDE = 28  # pixels
UNSIGNED_BYTE = 8  # the idx format's code for this type


def mnist(
    valid_size: int | float,
    preprocessing: str,
    components: int | None,
    subset: int | None,
    digits: list[int] | None,
    side: int | None,
    permuted_labels: bool | None,
    seed: int,
    crop: int | None,
    flip: bool | None,
    data_dir: str | None,
) -> Data:
    """Images of shape (1, 28, 28), or (1, side, side), in [0, 1] before preprocessing; official test split.

    Args:
        valid_size: number of samples taken from the 60,000 of training, or their share of them.
        preprocessing: none, center, standardize, channels, pca or whiten.
        components: coordinates kept by pca and whiten; None keeps all and the shape.
        subset: number of training samples kept; None keeps all.
        digits: those that there are, in all splits; the first named is class 0, the next class 1, and so on. None keeps
            all ten.
        side: pixels a side that images are averaged down to, each over the area that it covers; None leaves them.
        permuted_labels: whether the training images' classes change places at random; None = no.
        seed: of split, subset and permutation.
        crop: training images are padded with so many black pixels on every side and cut back to their size at a
            random place; None leaves them.
        flip: whether half of the training images, at random, are mirrored left to right.
        data_dir: cache folder; None means the user's.

    Raises:
        UserError: an option is not allowed; a file is missing, truncated or not the official one.
    """
    options = Options(
        preprocessing, subset, seed, components, Augmentation(crop, flip), permuted_labels=permuted_labels
    )
    options.check()
    check_size("valid_size", valid_size)
    check_digits(digits)
    check_side(side, SIDE)
    edition, (train_x, train_y, test_x, test_y) = contents("mnist", data_dir)
    training, test = (of_digits(*samples(*pair), digits) for pair in ((train_x, train_y), (test_x, test_y)))
    if side is not None:
        training, test = ((shrunk(x, side), y) for x, y in (training, test))
    official = divide(*training, valid_size, 0, seed, unit=255.0)
    raw = Raw(official.train, official.valid, test, unit=255.0)
    return finish("mnist", raw, len(digits or range(10)), options, f"mnist: {edition.label}")


def check_digits(digits: list[int] | None) -> None:
    """Raise a `UserError` unless `digits` is None or lists at least two of 0 ... 9, each once."""
    if digits is None:
        return
    known = all(type(digit) is int and 0 <= digit <= 9 for digit in digits)
    if not known or len(digits) < 2 or len(set(digits)) < len(digits):
        raise UserError(
            f"digits must list two or more of 0 to 9, each once, e.g. [0, 1], not {digits}; null keeps all ten"
        )


def of_digits(x: NDArray[np.uint8], y: NDArray[np.int64], digits: list[int] | None) -> Pair:
    """The samples of some digits, whose classes are their places in the list; all samples where it is None."""
    if digits is None:
        return x, y
    places = np.full(10, -1)
    places[digits] = np.arange(len(digits))
    classes = places[y]
    return x[classes >= 0], classes[classes >= 0]


def samples(images: bytes, labels: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images, shape (n, 1, height, width), and classes, shape (n,), of a pair of idx files."""
    x, y = parse_idx(images), parse_idx(labels)
    if x.ndim != 3 or y.ndim != 1 or len(x) != len(y):
        raise UserError(
            f"idx files do not belong together: images {x.shape}, labels {y.shape}; "
            "fetch both anew: repro data fetch mnist"
        )
    return x[:, None], y.astype(np.int64)


def parse_idx(data: bytes) -> NDArray[np.uint8]:
    """An array of bytes in the idx format: two zero bytes, type, number of axes, big-endian lengths, values.

    Raises:
        UserError: it is another kind of file or another type, or it has too few or too many bytes.
    """
    if len(data) < 4 or data[:3] != bytes([0, 0, UNSIGNED_BYTE]):
        raise UserError("not an idx file of unsigned bytes; fetch it anew: repro data fetch mnist")
    axes = data[3]
    start = 4 + 4 * axes
    shape = struct.unpack(f">{axes}I", data[4:start]) if len(data) >= start else ()
    if len(shape) != axes or len(data) - start != int(np.prod(shape, dtype=np.int64)):
        raise UserError(
            f"idx file is truncated or too long: {len(data)} bytes, its header says shape "
            f"{shape}; fetch it anew: repro data fetch mnist"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)
