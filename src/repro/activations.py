"""The papers' activations as ordinary modules, for nets of one's own."""

from repro.model.activations.modules import ESP, NoisySigmoid, NoisyTanh

__all__ = ["ESP", "NoisySigmoid", "NoisyTanh"]
