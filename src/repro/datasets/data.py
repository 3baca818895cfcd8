"""What a data set is to the rest of the program: tensors in memory."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Split:
    """One part of a data set.

    Attributes:
        x: inputs, float32, shape (n, features) or (n, channels, height, width).
        y: classes, int64, shape (n,), or values to predict, float32, shape (n, targets).
    """

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Data:
    """A whole data set; a split of size 0 is an empty tensor of the right shape.

    Attributes:
        train: the only split that statistics are taken from.
        valid: for early stopping and choosing settings.
        test: for the number that is reported.
        outputs: classes, or values to predict per sample.
        name: public name, as in `dataset=NAME`.
        source: which files were read, in words; empty for data that are bundled or generated.
    """

    train: Split
    valid: Split
    test: Split
    outputs: int
    name: str
    source: str = ""
