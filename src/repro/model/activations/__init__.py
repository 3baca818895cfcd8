"""Activations: elementwise functions, alone or as the pair (unit, gate) that `activation=` chooses."""

from repro.model.activations.activation import Activation, make
from repro.model.activations.noise import Dropout, NoiseSource, attach_noise
from repro.model.activations.nonlinearity import Nonlinearity
from repro.model.backward import Rule

__all__ = ["Activation", "Dropout", "NoiseSource", "Nonlinearity", "Rule", "attach_noise", "make"]
