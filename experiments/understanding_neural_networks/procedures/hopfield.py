"""Patterns stored in a Hopfield net and recalled from cues: capacity, basins, noise, damage."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations, product

import numpy as np
import torch

from repro.datasets.digits import bundled
from repro.errors import UserError, number, unknown, whole
from repro.training.work import Measured, from_rows

from .associative_memory import RULES, Recalled, answers, asynchronous, synchronous

IMAGES, UPDATES, STARTS = ("random", "digits"), ("asynchronous", "synchronous"), ("memory", "random")
NEAR, FAR = 0.95, 10  # overlap from which a state counts as a pattern; wrong bits from which it is far from it
DIGITS, PIXELS = 10, 64


def _check(
    *,
    size: int,
    memories: int,
    images: str,
    rule: str,
    update: str,
    temperature: float,
    start: str,
    flipped: float,
    cues: int | None,
    removed: float,
    clipped: bool,
    learned: int,
    sweeps: int,
    looks: int,
    pictures: int,
) -> None:
    for name, text, known in (
        ("images", images, IMAGES),
        ("rule", rule, RULES),
        ("update", update, UPDATES),
        ("start", start, STARTS),
    ):
        if text not in known:
            raise unknown(name, text, known)
    for name, count, low in (("size", size, 2), ("memories", memories, 1), ("learned", learned, 0)):
        whole(name, count, low)
    for name, count, low in (("sweeps", sweeps, 0), ("looks", looks, 0), ("pictures", pictures, 0)):
        whole(name, count, low)
    if cues is not None:
        whole("cues", cues, 1)
    number("temperature", temperature, 0)
    number("flipped", flipped, 0, 1)
    number("removed", removed, 0, 1, "[)")
    if images == "digits" and (size != PIXELS or memories + learned > DIGITS):
        raise UserError(
            f"images=digits has {DIGITS} patterns of {PIXELS} pixels; take size={PIXELS} and as many memories"
        )
    if start == "random" and (flipped or cues is None):
        raise UserError(
            "start=random needs a number of cues and has nothing to flip; give cues=100, say, and flipped=0"
        )
    if update == "synchronous" and (temperature or looks):
        raise UserError("update=synchronous has no temperature and no looks; take update=asynchronous")
    if clipped and temperature:
        raise UserError("clipped weights have no scale that a temperature could be held against; take temperature=0")


@from_rows(check=_check, stacked=True)
def hopfield(
    data: None,
    rngs: Sequence[torch.Generator],
    *,
    size: int,
    memories: int,
    images: str,
    rule: str,
    update: str,
    temperature: float,
    start: str,
    flipped: float,
    cues: int | None,
    removed: float,
    clipped: bool,
    learned: int,
    sweeps: int,
    looks: int,
    pictures: int,
) -> Iterator[Measured]:
    """Store patterns, start from cues, say where they end.

    Args:
        data: none.
        rngs: one a seed: of patterns, damage, cues and the order of updates.
        size: units, N.
        memories: patterns stored, M.
        images: random, ±1 with equal odds; digits, prototypes of classes drawn at random.
        rule: hebb or pseudo_inverse.
        update: asynchronous, or synchronous for all units at once.
        temperature: T of the updates, 0 or more; what is left of the noise is taken away at the end.
        start: memory, one of those stored; random, anywhere.
        flipped: share of a cue's bits that are turned round, in [0, 1].
        cues: how many; None = one a memory.
        removed: share of the couplings that are cut, in [0, 1).
        clipped: keep the signs of the weights only.
        learned: patterns stored afterwards, to see whether the states reached move.
        sweeps: updates of each unit, at most; 0 asks for single steps only.
        looks: how often in a sweep the energy is written down.
        pictures: cues whose pixels are written down.
    """
    del data
    patterns = _patterns(images, memories + learned, size, rngs)
    kept = _kept(removed, size, rngs)

    def weights(stored: int) -> np.ndarray:
        made = RULES[rule](patterns[:, :stored]) * kept
        return np.sign(made) if clipped else made

    own, first = patterns[:, :memories], weights(memories)
    yield from _single_steps(own, first)
    if sweeps == 0:
        return
    states, which = _cues(own, start, flipped, cues, rngs)
    found = _run(first, states, update, sweeps, rngs, temperature, looks)
    yield from _course(found)
    yield from _ends(found, own, which) if start == "memory" else ()
    if temperature:
        # Without noise a state goes down to the nearest minimum.
        found = asynchronous(first, found.states, sweeps, rngs)
    yield from _minima(found.states, own) if start == "random" else ()
    if learned:
        later = _run(weights(memories + learned), found.states, update, sweeps, rngs, 0.0, 0)
        yield Measured("moved", (later.states != found.states).any(2).mean(1))
        yield Measured("moved_bits", (later.states != found.states).mean((1, 2)))
    for place in range(min(pictures, states.shape[1])):
        for name, image in (
            ("stored", own[:, which[place]]),
            ("cue", states[:, place]),
            ("end", found.states[:, place]),
        ):
            for pixel in range(size):
                yield Measured(f"picture_{name}", image[:, pixel], place * size + pixel)


def _patterns(images: str, count: int, size: int, rngs: Sequence[torch.Generator]) -> np.ndarray:
    if images == "random":
        return np.stack([2.0 * torch.randint(0, 2, (count, size), generator=rng).numpy() - 1 for rng in rngs])
    prototypes = digit_prototypes()
    return np.stack([prototypes[torch.randperm(DIGITS, generator=rng)[:count].numpy()] for rng in rngs])


def digit_prototypes() -> np.ndarray:
    """The mean image of each class of scikit-learn's digits, (10, 64): 1 where there is more than half of full ink."""
    pixels, classes = bundled()
    means = np.stack([pixels[classes == c].reshape(-1, PIXELS).mean(0) for c in range(DIGITS)])
    return np.where(means > 8, 1.0, -1.0)


def _kept(removed: float, size: int, rngs: Sequence[torch.Generator]) -> np.ndarray:
    """1 for couplings that are left and 0 for those that are cut, both ways alike; (seeds, size, size)."""
    drawn = np.stack([torch.rand(size, size, generator=rng, dtype=torch.float64).numpy() for rng in rngs])
    upper = np.triu(drawn >= removed, 1)
    kept: np.ndarray = (upper | upper.swapaxes(1, 2)).astype(float)
    return kept


def _cues(
    own: np.ndarray, start: str, flipped: float, cues: int | None, rngs: Sequence[torch.Generator]
) -> tuple[np.ndarray, np.ndarray]:
    """States to start from, and which memory each is made of."""
    memories, size = own.shape[1:]
    count = memories if cues is None else cues
    which = np.arange(count) % memories
    if start == "random":
        return _patterns("random", count, size, rngs), which
    order = np.stack([torch.rand(count, size, generator=rng).numpy() for rng in rngs]).argsort(2).argsort(2)
    return np.where(order < round(flipped * size), -own[:, which], own[:, which]), which


def _run(
    weights: np.ndarray,
    states: np.ndarray,
    update: str,
    sweeps: int,
    rngs: Sequence[torch.Generator],
    temperature: float,
    looks: int,
) -> Recalled:
    if update == "synchronous":
        return synchronous(weights, states, sweeps)
    return asynchronous(weights, states, sweeps, rngs, temperature, looks)


def _single_steps(own: np.ndarray, weights: np.ndarray) -> Iterator[Measured]:
    """From the patterns themselves, all that one update of each unit would turn round."""
    memories, size = own.shape[1:]
    wrong = answers(own @ weights, own) != own
    load = memories / size
    theory = 0.5 * math.erfc(1 / math.sqrt(2 * load))
    yield Measured("load", load)
    yield Measured("wrong_bits", wrong.mean((1, 2)))
    yield Measured("wrong_bits_theory", theory)
    yield Measured("wrong_bits_ratio", wrong.mean((1, 2)) / theory)
    yield Measured("stable", 1 - wrong.any(2).mean(1))
    among = np.abs(own @ own.swapaxes(1, 2)) / size
    pairs = memories * (memories - 1)
    yield Measured("correlation", (among.sum((1, 2)) - memories) / pairs if pairs else 0.0)


def _course(found: Recalled) -> Iterator[Measured]:
    yield Measured("energy_rise", found.rise)
    yield Measured("sweeps", found.sweeps)
    yield Measured("unsettled", 1 - found.settled.mean(1))
    for updates, energies in found.energies.items():
        yield Measured("energy", energies, updates)


def _ends(found: Recalled, own: np.ndarray, which: np.ndarray) -> Iterator[Measured]:
    """How near the ends are to the memories that the cues were made of."""
    size, meant = own.shape[2], own[:, which]
    wrong = (found.states != meant).sum(2)
    yield Measured("overlap", (found.means * meant).mean((1, 2)))
    yield Measured("recalled", (wrong == 0).mean(1))
    yield Measured("near", (wrong <= (1 - NEAR) / 2 * size).mean(1))
    yield Measured("far", (wrong >= FAR).mean(1))


def _minima(states: np.ndarray, own: np.ndarray) -> Iterator[Measured]:
    """What the ends are: a memory, its negative, a mixture of three, or none of these."""
    size = own.shape[2]
    overlaps = states @ own.swapaxes(1, 2) / size
    stored, negated = (overlaps >= NEAR).any(2), (overlaps <= -NEAR).any(2)
    three = [
        np.sign(own[:, a] + s * own[:, b] + t * own[:, c])
        for a, b, c in combinations(range(own.shape[1]), 3)
        for s, t in product((1, -1), repeat=2)
    ]
    mixed = np.zeros_like(stored)
    if three:
        mixed = (np.abs(states @ np.stack(three, 2)) / size >= NEAR).any(2) & ~stored & ~negated
    yield Measured("in_memory", stored.mean(1))
    yield Measured("in_negative", (negated & ~stored).mean(1))
    yield Measured("in_mixture", mixed.mean(1))
    yield Measured("in_either", (stored | negated).mean(1))
    yield Measured("spurious", (~(stored | negated)).mean(1))
