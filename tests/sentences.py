"""Sentences as tokens, filled up to the same length, the activation pair of the tutorial, and a layer in numpy."""

import numpy as np
import torch
from torch import Tensor, nn

from repro.model.activations import Activation

SOFT = Activation(nn.Tanh, nn.Sigmoid)
SOURCE = [[3, 1, 8, 2, 0], [5, 0], [7, 7, 4, 0]]
TARGET = [[-1, 4, 2], [-1, 9, 9, 10, 6], [-1]]


def affine(part, x: np.ndarray) -> np.ndarray:
    """A linear layer's outputs for (..., inputs)."""
    bias = 0 if part.bias is None else part.bias.detach().numpy()
    return x @ part.weight.detach().numpy().T + bias


def filled(rows: list[list[int]], more: int = 0) -> Tensor:
    """Rows of tokens with -1 behind them."""
    longest = max(map(len, rows)) + more
    return torch.tensor([row + [-1] * (longest - len(row)) for row in rows])
