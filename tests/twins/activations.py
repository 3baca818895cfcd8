"""The activations' formulas in NumPy, as they stand at the head of their files."""

import math

import numpy as np
from scipy.special import erf, expit

ACTIVATIONS = {
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "gelu": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2,
    "hard_sigmoid": lambda x: np.clip(x / 4 + 0.5, 0, 1),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "identity": lambda x: x,
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": expit,
    "sign": lambda x: np.where(x >= 0, 1.0, -1.0),
    "step": lambda x: np.where(x >= 0, 1.0, 0.0),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "swish": lambda x: x * expit(x),
    "tanh": np.tanh,
}
