"""Images of digits to train and test on, and, in place of a validation split, images that show no digit."""

import numpy as np
from numpy.typing import NDArray

from repro.datasets.digits import bundled
from repro.datasets.from_arrays import Options, Pair, Raw, divide, finish
from repro.datasets.memory import Data
from repro.datasets.mnist import samples
from repro.datasets.store.files import contents
from repro.errors import unknown, whole

IMAGES = ("mnist", "digits")
NOISES = ("uniform", "black_and_white", "shuffled")
TRAINED = 50_000  # of the 60,000 images of MNIST, as in Nielsen's book
TESTED = 450  # of the 1,797 digits of scikit-learn


def digits_and_noise(
    images: str, noise: str, noise_size: int, subset: int | None, seed: int, data_dir: str | None
) -> Data:
    """Images in [0, 1], shape (1, 28, 28) or (1, 8, 8). The validation split is noise with meaningless classes.

    Args:
        images: mnist, its first 50,000 training images and its 10,000 test images; or digits, those of scikit-learn.
        noise: uniform, every pixel between black and white, each grey as likely; black_and_white, either with equal
            odds; shuffled, images of the test split, each with its pixels in a random order of its own.
        noise_size: images of the validation split.
        subset: training images kept, each class in proportion; None keeps all.
        seed: of the subset and the noise.
        data_dir: cache folder; None means the user's.

    Raises:
        UserError: an option is not allowed; a file is missing, truncated or not the official one.
    """
    options = Options("none", subset, seed)
    options.check()
    if images not in IMAGES:
        raise unknown("images", str(images), IMAGES)
    if noise not in NOISES:
        raise unknown("noise", str(noise), NOISES)
    whole("noise_size", noise_size, 0)
    train, test, brightest, source = _mnist(data_dir) if images == "mnist" else _digits(seed)
    rng = np.random.default_rng([seed, 5])
    shown = _noise(noise, test[0][np.arange(noise_size) % len(test[0])], brightest, rng)
    meaningless = np.arange(noise_size, dtype=np.int64) % 10
    return finish("digits_and_noise", Raw(train, (shown, meaningless), test, float(brightest)), 10, options, source)


def _mnist(data_dir: str | None) -> tuple[Pair, Pair, int, str]:
    edition, (train_x, train_y, test_x, test_y) = contents("mnist", data_dir)
    x, y = samples(train_x, train_y)
    return (x[:TRAINED], y[:TRAINED]), samples(test_x, test_y), 255, f"mnist: {edition.label}"


def _digits(seed: int) -> tuple[Pair, Pair, int, str]:
    parts = divide(*bundled(), 0, TESTED, seed)
    return parts.train, parts.test, 16, ""


def _noise(kind: str, like: NDArray[np.uint8], brightest: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Images of the shape of `like`, which only `shuffled` looks at."""
    if kind == "uniform":
        return rng.integers(0, brightest, like.shape, dtype=np.uint8, endpoint=True)
    if kind == "black_and_white":
        return rng.integers(0, 2, like.shape, dtype=np.uint8) * np.uint8(brightest)
    return rng.permuted(like.reshape(len(like), -1), axis=1).reshape(like.shape)
