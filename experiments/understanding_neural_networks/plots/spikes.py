"""What a spiking net does step by step, from its weights: leaky integrators that fire, one by one, without biases."""

import numpy as np

DECAY, THRESHOLD = 0.9, 1.0  # of architecture=spiking where nothing else is said


def fired(spikes: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spikes and potentials of neurons.

    Args:
        spikes: what comes in, 0 or 1, shape (steps, inputs).
        weight: (neurons, inputs).

    Returns:
        Spikes and the potentials that decided on them, before the threshold is taken off, both (steps, neurons).
    """
    steps, neurons = len(spikes), len(weight)
    out, potentials = np.zeros((steps, neurons)), np.zeros((steps, neurons))
    for n in range(neurons):
        potential = 0.0
        for t in range(steps):
            potential = DECAY * potential + sum(w for w, s in zip(weight[n], spikes[t], strict=True) if s)
            potentials[t, n] = potential
            if potential >= THRESHOLD:
                out[t, n] = 1
                potential -= THRESHOLD
    return out, potentials


def integrated(spikes: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Potentials of output neurons, which do not fire: (steps, outputs)."""
    potentials = np.zeros((len(spikes), len(weight)))
    potential = np.zeros(len(weight))
    for t, own in enumerate(spikes):
        potential = DECAY * potential + weight @ own
        potentials[t] = potential
    return potentials
