"""The memory of a neural Turing machine: how its heads choose rows, read and write (Graves et al. 2014, section 3).

Plain arithmetic without parameters. Weightings, w below, are 0 or more and sum to 1 over the rows of the memory M.
"""

import torch
from torch import Tensor
from torch.nn import functional

HEADS = 2  # the first reads, the second writes
SHIFTS = 3  # by -1, 0 and +1 row

EMPTY = 1e-6
"""What every entry of the memory holds before the first step."""

FAINT = 1e-8
"""Added to squared lengths, so that an empty row is like no key and nothing is divided by 0."""

LEAST = 1e-12
"""Added to weights before the logarithm, whose slope at 0 is infinite."""


def blocks(features: int) -> list[int]:
    """Numbers that the controller says at a step, one block for each function they go through.

    tanh: each head's key, what is added; logistic: each head's gate, what is erased; softplus: each head's strength,
    each head's sharpness; softmax: each head's three shifts.
    """
    return [(HEADS + 1) * features, HEADS + features, 2 * HEADS, SHIFTS * HEADS]


def step(memory: Tensor, before: Tensor, controls: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Address both heads by the memory as it is, read, then write.

        w^c = softmax(β cos(k, M))           by content,                    k = tanh, β = softplus
        w^g = g w^c + (1 - g) w_(t-1)        blended with the step before,  g = logistic, Eq. 7
        w~ = w^g moved by -1, 0 or +1 row    shifted,                       s = softmax
        w = w~^γ / Σ w~^γ                    sharpened,                     γ = 1 + softplus

    Args:
        memory: (batch, rows, features).
        before: weightings of the step before, (batch, 2, rows).
        controls: by the controller, (batch, sum(blocks(features))).

    Returns:
        What is read (batch, features), the weightings, the memory afterwards.
    """
    features = memory.shape[-1]
    bounded, gates, positive, shift = torch.split(controls, blocks(features), -1)
    keys, add = torch.split(bounded.tanh(), [HEADS * features, features], -1)
    gate, erase = torch.split(gates.sigmoid(), [HEADS, features], -1)
    strength, sharpness = functional.softplus(positive).unsqueeze(2).chunk(2, 1)
    matched = by_content(memory, torch.unflatten(keys, 1, (HEADS, features)), strength)
    blended = torch.lerp(before, matched, gate.unsqueeze(2))
    weights = sharpened(shifted(blended, torch.unflatten(shift, 1, (HEADS, SHIFTS)).softmax(-1)), 1 + sharpness)
    reading, writing = weights.chunk(HEADS, 1)
    read = torch.bmm(reading, memory).squeeze(1)  # Eq. 2
    return read, weights, written(memory, writing.transpose(1, 2), erase.unsqueeze(1), add.unsqueeze(1))


def by_content(memory: Tensor, keys: Tensor, strength: Tensor) -> Tensor:
    """softmax over rows of β cos(k, M_i), Eq. 5 and 6.

    Args:
        memory: (batch, rows, features).
        keys: (batch, heads, features).
        strength: β, (batch, heads, 1).
    """
    keys = keys * (strength * torch.rsqrt(keys.square().sum(-1, keepdim=True) + FAINT))
    shrink = torch.rsqrt(memory.square().sum(-1) + FAINT).unsqueeze(1)  # (batch, 1, rows)
    return torch.softmax(torch.bmm(keys, memory.transpose(1, 2)) * shrink, -1)


def shifted(weights: Tensor, shift: Tensor) -> Tensor:
    """w~(i) = s_- w(i + 1) + s_0 w(i) + s_+ w(i - 1), rows forming a ring, Eq. 8.

    Args:
        weights: (batch, heads, rows).
        shift: s, shares moved by -1, 0 and +1 row, (batch, heads, 3).
    """
    back, stay, on = shift.chunk(SHIFTS, -1)
    # Faster than slices of a longer tensor, whose gradients have to be put together.
    return back * weights.roll(-1, -1) + stay * weights + on * weights.roll(1, -1)


def sharpened(weights: Tensor, sharpness: Tensor) -> Tensor:
    """w^γ / Σ w^γ for γ of 1 or more, (batch, heads, 1), as softmax(γ log w), Eq. 9."""
    return torch.softmax(sharpness * torch.log(weights + LEAST), -1)


def written(memory: Tensor, weights: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """M_i (1 - w(i) e) + w(i) a, Eq. 3 and 4.

    Args:
        memory: (batch, rows, features).
        weights: (batch, rows, 1).
        erase: e in [0, 1], (batch, 1, features).
        add: a, (batch, 1, features).
    """
    return torch.addcmul(memory, weights, torch.addcmul(add, memory, erase, value=-1))
