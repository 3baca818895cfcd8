"""Activations: elementwise functions, alone or as the pair (unit, gate) that `activation=` chooses."""

from repro.activations.noise import Dropout, NoiseSource, attach_noise
from repro.activations.pair import Activation, make
from repro.activations.site import Nonlinearity
from repro.backward import Rule

__all__ = ["Activation", "Dropout", "NoiseSource", "Nonlinearity", "Rule", "attach_noise", "make"]
