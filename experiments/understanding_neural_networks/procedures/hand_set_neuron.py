"""A sigmoid whose weights are set by hand so that it detects a bar."""

from collections.abc import Iterator

import numpy as np
import torch

from repro.errors import number
from repro.training.work import Measured, from_rows

from ..datasets.bar import SIDE, stimuli, weights


def _check(*, surround: bool, bias: float) -> None:
    del surround
    number("bias", bias)


@from_rows(check=_check)
def hand_set_neuron(data: None, rng: torch.Generator, *, surround: bool, bias: float) -> Iterator[Measured]:
    """The neuron's activation for a bar, a block, an upright bar and noise.

    Args:
        data: none.
        rng: of the noise, each pixel uniform in [0, 1].
        surround: negative weights above and below the bar.
        bias: how large the sum must be, with the other sign.
    """
    del data
    noise = torch.rand(SIDE, SIDE, generator=rng, dtype=torch.float64).numpy()
    made = weights(surround)
    for name, image in stimuli(noise).items():
        total = float((made * image).sum()) + bias
        yield Measured(f"{name}_sum", total)
        yield Measured(name, 1 / (1 + np.exp(-total)))
