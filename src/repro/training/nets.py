"""The one place where a run's architecture is built, with data or without."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from repro.config.build import build, takes


def architecture(
    node: Mapping[str, Any], trusted: Sequence[str], make: Any, shape: Any, outputs: Any, tokens: int | None
) -> nn.Module:
    """A net as it is before its initialization; torch's global generator stays as it was.

    Args:
        node: of the group `architecture`.
        trusted: packages whose targets are allowed.
        make: the run's `LayerFactory`, which notes what it is asked for.
        shape: of an input, or a tree of shapes.
        outputs: how many there are, as the task has it.
        tokens: size of the vocabulary, for an architecture that takes it; None where there is none.

    Raises:
        UserError: a value that the architecture refuses, or a target that is not allowed.
    """
    known = {"shape": shape, "outputs": outputs, "make": make} | ({"tokens": tokens} if takes(node, "tokens") else {})
    # torch's layers fill themselves from the global generator; what they draw is overwritten afterwards.
    with torch.random.fork_rng(devices=[]):
        net: nn.Module = build(node, "architecture", trusted, **known)
    return net
