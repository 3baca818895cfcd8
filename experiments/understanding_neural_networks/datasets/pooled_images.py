"""Images of digits made smaller by averaging neighbouring pixels."""

import torch
from torch.nn import functional

from repro.datasets.digits import bundled
from repro.datasets.from_arrays import Options, Pair, Raw, divide, finish
from repro.datasets.memory import Data
from repro.datasets.mnist import samples
from repro.datasets.store.files import contents
from repro.errors import UserError, unknown, whole

IMAGES = ("mnist", "digits")
TESTED = 450  # of the 1,797 digits of scikit-learn


def pooled_images(
    images: str, side: int, valid_size: int, subset: int | None, preprocessing: str, seed: int, data_dir: str | None
) -> Data:
    """Images of shape (1, side, side), in [0, 1] before preprocessing; each pixel is the mean of a patch.

    Args:
        images: mnist, with the official test split, or digits, those of scikit-learn.
        side: pixels of an edge; at most those of the images, 28 or 8.
        valid_size: images taken from those for training.
        subset: training images kept, each class in proportion; None keeps all.
        preprocessing: none, center, standardize, pca or whiten.
        seed: of split and subset.
        data_dir: cache folder; None means the user's.

    Raises:
        UserError: an option is not allowed; a file is missing, truncated or not the official one.
    """
    options = Options(preprocessing, subset, seed)
    options.check()
    if images not in IMAGES:
        raise unknown("images", str(images), IMAGES)
    whole("side", side, 1)
    whole("valid_size", valid_size, 0)
    raw, source = _mnist(valid_size, seed, data_dir) if images == "mnist" else (_digits(valid_size, seed), "")
    if side > (pixels := raw.test[0].shape[-1]):
        raise UserError(f"side must be at most {pixels}, that of images={images}, not {side}")
    train, valid, test = (pooled(pair, side, raw.unit) for pair in (raw.train, raw.valid, raw.test))
    return finish("pooled_images", Raw(train, valid, test), 10, options, source)


def pooled(pair: Pair, side: int, unit: float) -> Pair:
    """Images (n, 1, height, width) of bytes to (n, 1, side, side) in [0, 1], float32; classes as they are."""
    x, y = pair
    small = functional.adaptive_avg_pool2d(
        torch.from_numpy(x / unit), side
    )  # patches overlap where side does not divide
    return small.float().numpy(), y


def _mnist(valid_size: int, seed: int, data_dir: str | None) -> tuple[Raw, str]:
    edition, (train_x, train_y, test_x, test_y) = contents("mnist", data_dir)
    official = divide(*samples(train_x, train_y), valid_size, 0, seed, unit=255.0)
    return Raw(official.train, official.valid, samples(test_x, test_y), 255.0), f"mnist: {edition.label}"


def _digits(valid_size: int, seed: int) -> Raw:
    return divide(*bundled(), valid_size, TESTED, seed, unit=16.0)
