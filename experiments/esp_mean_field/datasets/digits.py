"""The 1,797 digits that come with scikit-learn, as Milletarì et al. 2018 read and split them."""

from repro.datasets.digits import bundled
from repro.datasets.from_arrays import Options, Raw, finish
from repro.datasets.memory import Data
from repro.errors import number

from .plain_split import cut_plainly


def authors_digits(
    test_size: int | float, preprocessing: str, subset: int | None, seed: int, full_scale: float
) -> Data:
    """Images of shape (1, 8, 8); no validation split, since nothing is chosen.

    Args:
        test_size: number of samples, or their share of all.
        preprocessing: none, as in the paper, center, standardize, channels, pca or whiten.
        subset: number of training samples kept; None keeps all.
        seed: of split and subset.
        full_scale: what the values 0 ... 16 are divided by, above 0.
    """
    options = Options(preprocessing, subset, seed)
    options.check()
    unit = number("dataset.full_scale", full_scale, 0, ends="(]")
    images, classes = bundled()
    train, test = cut_plainly(len(classes), test_size, seed)
    pairs = [(images[part], classes[part]) for part in (train, train[:0], test)]
    return finish("authors_digits", Raw(pairs[0], pairs[1], pairs[2], unit), 10, options)
