"""A few sentences as tokens, filled up to the same length, and the activation pair of the tutorial."""

import torch
from torch import Tensor, nn

from repro.model.activations import Activation

SOFT = Activation(nn.Tanh, nn.Sigmoid)
SOURCE = [[3, 1, 8, 2, 0], [5, 0], [7, 7, 4, 0]]
TARGET = [[-1, 4, 2], [-1, 9, 9, 10, 6], [-1]]


def filled(rows: list[list[int]], more: int = 0) -> Tensor:
    """Rows of tokens with -1 behind them."""
    longest = max(map(len, rows)) + more
    return torch.tensor([row + [-1] * (longest - len(row)) for row in rows])
