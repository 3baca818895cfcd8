"""One seed, four generators: weights, data order, noise, augmentation. None of them is the global one."""

import numpy as np
import torch

STREAMS = ("initialization", "order", "noise", "augmentation")


def stream(seed: int, name: str, *more: int) -> int:
    """The number that seeds one stream of a run's seed, e.g. ("order", epoch).

    Streams are independent of each other: an extra draw in one moves nothing in another.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(STREAMS.index(name), *more))
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)


def generator(seed: int, name: str, *more: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator at the start of one stream of a run's seed."""
    return torch.Generator(device).manual_seed(stream(seed, name, *more))
