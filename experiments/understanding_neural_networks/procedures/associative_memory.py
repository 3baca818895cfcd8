"""Hopfield's memory: weights from patterns, and updates that go down in energy; many seeds and cues at once.

States and patterns are ±1 as floats, shape (seeds, cues or memories, units). Weights (seeds, units, units) are
symmetric with a zero diagonal, and N times the textbook's for N units: Hebb's are whole numbers then, so that neither a
tie nor a fall in energy is a matter of rounding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch


def hebb(patterns: np.ndarray) -> np.ndarray:
    """Each pattern adds its outer product: w_ij = Σ ξ_i ξ_j."""
    return without_diagonal(patterns.swapaxes(1, 2) @ patterns)


def pseudo_inverse(patterns: np.ndarray) -> np.ndarray:
    """The projection onto the span of the patterns, N X⁺X: correlated ones are fixed points as well."""
    return without_diagonal(patterns.shape[2] * (np.linalg.pinv(patterns) @ patterns))


RULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"hebb": hebb, "pseudo_inverse": pseudo_inverse}


def without_diagonal(weights: np.ndarray) -> np.ndarray:
    """No unit has a weight to itself, or a state might go up in energy."""
    units = np.arange(weights.shape[1])
    weights[:, units, units] = 0
    return weights


def energy(weights: np.ndarray, states: np.ndarray) -> np.ndarray:
    """−½ Σ w_ij s_i s_j / N² of each state, (seeds, cues); a perfectly stored one lies near −½."""
    return energy_of(states, states @ weights)


def energy_of(states: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """The same by the fields Σ_j w_ij s_j, over the last axis."""
    return -0.5 * (states * fields).sum(-1) / states.shape[-1] ** 2


def answers(fields: np.ndarray, states: np.ndarray) -> np.ndarray:
    """The sign of each field, and on a tie the state as it is."""
    return np.where(fields == 0, states, np.sign(fields))


@dataclass(frozen=True)
class Recalled:
    """Where cues ended.

    Attributes:
        states: the last ones.
        means: the mean over the second half of the sweeps where there is noise, else the last ones.
        settled: whether nothing moves any more, (seeds, cues).
        sweeps: after which nothing moved any more, (seeds,).
        rise: the greatest rise in energy in one update, of all cues of a seed, (seeds,); 0 where there is none.
        energies: the mean energy of each seed's cues, by the number of updates.
    """

    states: np.ndarray
    means: np.ndarray
    settled: np.ndarray
    sweeps: np.ndarray
    rise: np.ndarray
    energies: dict[int, np.ndarray] = field(default_factory=dict)


def synchronous(weights: np.ndarray, cues: np.ndarray, sweeps: int) -> Recalled:
    """All units at once, until nothing moves or so many times; states may go up in energy and end in a cycle of two."""
    states, fields = cues, cues @ weights
    last, rise = np.zeros(len(cues), dtype=int), np.zeros(len(cues))
    for sweep in range(sweeps):
        new = answers(fields, states)
        moved = (new != states).any((1, 2))
        if not moved.any():
            break
        before = energy_of(states, fields)
        states, fields, last[moved] = new, new @ weights, sweep + 1
        rise = np.maximum(rise, (energy_of(states, fields) - before).max(1))
    return Recalled(states, states, (answers(fields, states) == states).all(2), last, rise)


def asynchronous(
    weights: np.ndarray,
    cues: np.ndarray,
    sweeps: int,
    rngs: Sequence[torch.Generator],
    temperature: float = 0.0,
    looks: int = 0,
) -> Recalled:
    """One unit after the other, in a new random order each sweep, the same for all cues of a seed.

    Args:
        weights: of each seed.
        cues: states to start from.
        sweeps: at most so many updates of each unit; without noise, as soon as none of them moves anything, no more.
        rngs: one a seed.
        temperature: T in P(s_i = 1) = 1 / (1 + exp(−2 h_i / T)), h_i = Σ w_ij s_j / N; 0 takes the sign.
        looks: how often in a sweep the energy is written down.
    """
    seeds, count, units = cues.shape
    states = cues.copy()
    fields = states @ weights
    energies = energy_of(states, fields)
    last, rise, written = np.zeros(seeds, dtype=int), np.zeros(seeds), {0: energies.mean(1)}
    total, own = np.zeros_like(states), np.arange(seeds)
    order, moved = np.zeros((seeds, units), dtype=int), np.ones(seeds, dtype=bool)
    for sweep in range(sweeps):
        # A seed that has settled draws no more, so that it goes on afterwards as it would alone.
        for one in np.flatnonzero(moved).tolist():
            order[one] = torch.randperm(units, generator=rngs[one]).numpy()
        moved[:] = temperature > 0
        limits = _limits(rngs, count, units, temperature)
        for place in range(units):
            unit = order[:, place]
            now, h = states[own, :, unit], fields[own, :, unit]
            new = answers(h, now) if limits is None else np.where(h > limits[:, :, place], 1.0, -1.0)
            seed, cue = np.nonzero(new != now)
            if len(seed):
                moved[seed] = True
                states[seed, cue, unit[seed]] = new[seed, cue]
                fields[seed, cue] += 2 * new[seed, cue, None] * weights[seed, unit[seed]]
                after = energy_of(states[seed, cue], fields[seed, cue])
                np.maximum.at(rise, seed, after - energies[seed, cue])
                energies[seed, cue] = after
            if looks and (place + 1) % max(1, units // looks) == 0:
                written[sweep * units + place + 1] = energies.mean(1)
        last[moved] = sweep + 1
        if sweep >= sweeps // 2:
            total += states
        if not moved.any():
            break
    means = states if temperature == 0 else total / (sweeps - sweeps // 2)
    return Recalled(states, means, (answers(fields, states) == states).all(2), last, rise, written)


def _limits(rngs: Sequence[torch.Generator], cues: int, units: int, temperature: float) -> np.ndarray | None:
    """Fields above which a unit turns to 1: logistic noise, so that it does with the probability of the temperature."""
    if temperature == 0:
        return None
    uniform = np.stack([torch.rand(cues, units, generator=rng, dtype=torch.float64).numpy() for rng in rngs])
    noise: np.ndarray = 0.5 * temperature * units * (np.log(uniform) - np.log1p(-uniform))
    return noise
