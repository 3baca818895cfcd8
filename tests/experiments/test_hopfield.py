"""Hopfield's memory against its textbook: one state at a time, energies computed anew, weights by their definition."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import Said
from repro.experiments.understanding_neural_networks.procedures import associative_memory as memory
from repro.experiments.understanding_neural_networks.procedures import hopfield as procedure

UNITS, MEMORIES = 24, 4


def patterns(seeds: int = 2, count: int = MEMORIES, units: int = UNITS) -> np.ndarray:
    return np.random.default_rng(0).choice([-1.0, 1.0], (seeds, count, units))


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def energy(w: np.ndarray, s: np.ndarray) -> float:
    """Term by term."""
    n = len(s)
    return -0.5 * math.fsum(w[i, j] * s[i] * s[j] for i in range(n) for j in range(n)) / n**2


def test_hebb_is_the_sum_of_outer_products() -> None:
    xi = patterns()
    weights = memory.hebb(xi)
    for own, w in zip(xi, weights, strict=True):
        expected = sum(np.outer(one, one) for one in own) - MEMORIES * np.eye(UNITS)
        assert np.array_equal(w, expected)


def test_the_pseudo_inverse_makes_alike_patterns_stable() -> None:
    """Hebb's rule does not, which is what it is for."""
    alike = patterns()
    alike[:, :, : UNITS * 2 // 3] = alike[:, :1, : UNITS * 2 // 3]
    for rule, stable in ((memory.pseudo_inverse, True), (memory.hebb, False)):
        weights = rule(alike)
        assert np.abs(weights - weights.swapaxes(1, 2)).max() < 1e-12
        assert weights.diagonal(axis1=1, axis2=2).max() == 0
        assert (memory.answers(alike @ weights, alike) == alike).all() == stable


def test_energies_are_those_of_the_definition() -> None:
    xi = patterns()
    weights = memory.hebb(xi)
    found = memory.energy(weights, xi)
    for seed, cue in itertools.product(range(2), range(MEMORIES)):
        assert found[seed, cue] == pytest.approx(energy(weights[seed], xi[seed, cue]), abs=1e-12)


@pytest.mark.parametrize("temperature", [0.0, 0.4])
def test_many_cues_at_once_are_one_state_after_the_other(temperature: float) -> None:
    """The same orders and noise, a loop over units, no fields kept; each update's energy computed anew."""
    xi = patterns(count=6)
    weights, cues, sweeps = memory.hebb(xi), patterns(count=3)[:, ::-1] * xi[:, :3], 4
    found = memory.asynchronous(weights, cues, sweeps, generators(5, 6), temperature, looks=UNITS)
    for seed in range(2):
        (rng,) = generators(5 + seed)
        states, rises = cues[seed].copy(), [0.0]
        before = [energy(weights[seed], s) for s in states]
        for _ in range(sweeps):
            order = torch.randperm(UNITS, generator=rng).tolist()
            uniform = torch.rand(3, UNITS, generator=rng, dtype=torch.float64).numpy() if temperature else None
            for place, unit in enumerate(order):
                for cue, s in enumerate(states):
                    h = math.fsum(weights[seed, unit] * s) / UNITS
                    if uniform is None:
                        s[unit] = s[unit] if h == 0 else math.copysign(1, h)
                    else:
                        odds = 1 / (1 + math.exp(-2 * h / temperature))
                        s[unit] = 1 if uniform[cue, place] < odds else -1
                    after = energy(weights[seed], s)
                    rises.append(after - before[cue])
                    before[cue] = after
        assert np.array_equal(found.states[seed], states)
        assert found.rise[seed] == pytest.approx(max(rises), abs=1e-12)
        assert found.energies[max(found.energies)][seed] == pytest.approx(np.mean(before), abs=1e-12)
        assert (max(rises) > 1e-6) == (temperature > 0)


def test_synchronous_updates_may_end_in_a_cycle_of_two() -> None:
    weights = np.array([[[0.0, -1.0], [-1.0, 0.0]]])
    same, other = np.array([[[1.0, 1.0]]]), np.array([[[1.0, -1.0]]])
    cycle, rest = memory.synchronous(weights, same, 7), memory.synchronous(weights, other, 7)
    assert not cycle.settled.any()
    assert np.array_equal(cycle.states, -same)
    assert rest.settled.all()
    assert rest.sweeps.tolist() == [0]
    one_by_one = memory.asynchronous(weights, same, 7, generators(0))
    assert one_by_one.settled.all()


def test_temperature_gives_the_odds_of_its_formula() -> None:
    """Two units that hold one another: the odds that both agree, exactly, at T = 0.7."""
    temperature = 0.7
    weights, cues = np.array([[[0.0, 2.0], [2.0, 0.0]]]), np.ones((1, 4000, 2))
    found = memory.asynchronous(weights, cues, 60, generators(3), temperature)
    agree = (found.states[0, :, 0] == found.states[0, :, 1]).mean()
    assert agree == pytest.approx(1 / (1 + math.exp(-2 / temperature)), abs=0.02)


def settings(**changes: object) -> dict[str, object]:
    usual = {
        "size": 40,
        "memories": 3,
        "images": "random",
        "rule": "hebb",
        "update": "asynchronous",
        "temperature": 0.0,
    }
    usual |= {"start": "memory", "flipped": 0.0, "cues": None, "removed": 0.0, "clipped": False, "learned": 0}
    return usual | {"sweeps": 20, "looks": 0, "pictures": 0} | changes


def measured(seeds: tuple[int, ...] = (0, 1), **changes: object) -> dict[str, np.ndarray]:
    class Prepared:
        data = None
        run = type("Run", (), {"seeds": seeds})

    work = procedure.hopfield(**settings(**changes))(Prepared)
    return {name: values for (_, name), values in work.advance().items()}


@pytest.mark.parametrize(
    "changes",
    [
        {"flipped": 0.2, "learned": 2, "memories": 6},
        {"start": "random", "cues": 9, "temperature": 0.5},
        {"update": "synchronous", "removed": 0.5},
        {"images": "digits", "size": 64, "rule": "pseudo_inverse", "flipped": 0.1, "clipped": True},
    ],
)
def test_a_seed_comes_out_as_it_would_alone(changes: dict[str, object]) -> None:
    together = measured((3, 4, 5), **changes)
    for place, seed in enumerate((3, 4, 5)):
        alone = measured((seed,), **changes)
        assert {name: v[place] for name, v in together.items()} == pytest.approx({n: v[0] for n, v in alone.items()})


def test_what_is_measured_of_the_ends() -> None:
    xi = patterns(1, 2, 40)
    ends = np.stack([xi[0, 0], -xi[0, 1], xi[0, 0].copy(), np.sign(xi[0].sum(0) + 0.1)])[None]
    ends[0, 2, :12] *= -1
    which = np.array([0, 1, 0, 0])
    found = memory.Recalled(ends, ends, np.ones((1, 4)), np.ones(1), np.zeros(1))
    rows = {row.metric: row.value[0] for row in procedure._ends(found, xi, which)}
    agreement = xi[0, 0] @ ends[0, 3] / 40
    assert rows["overlap"] == pytest.approx((1 - 1 + 1 - 24 / 40 + agreement) / 4)
    assert rows["recalled"] == 0.25
    assert rows["far"] >= 0.5
    minima = {row.metric: row.value[0] for row in procedure._minima(ends, xi)}
    assert (minima["in_memory"], minima["in_negative"], minima["spurious"]) == (0.25, 0.25, 0.5)


def test_mixtures_of_three_are_told() -> None:
    xi = patterns(1, 3, 60)
    mixture = np.sign(xi[0, 0] + xi[0, 1] - xi[0, 2])
    minima = {row.metric: row.value[0] for row in procedure._minima(np.stack([mixture, -mixture])[None], xi)}
    assert minima["in_mixture"] == 1


def test_damage_is_symmetric_and_as_much_as_asked_for() -> None:
    kept = procedure._kept(0.3, 200, generators(1))
    assert np.array_equal(kept, kept.swapaxes(1, 2))
    assert kept[0][np.triu_indices(200, 1)].mean() == pytest.approx(0.7, abs=0.01)


def test_cues_differ_in_so_many_bits() -> None:
    xi = patterns(2, 3, 50)
    states, which = procedure._cues(xi, "memory", 0.3, 7, generators(1, 2))
    assert which.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert ((states != xi[:, which]).sum(2) == 15).all()


def test_the_spec_of_capacity() -> None:
    """One step at 0.185 N is erfc's within a fifth; far below the limit patterns are stable."""
    found = measured(size=500, memories=92, sweeps=0)
    assert found["wrong_bits_ratio"] == pytest.approx(1, abs=0.2)
    assert found["wrong_bits_theory"][0] == pytest.approx(0.0100, abs=3e-4)
    assert measured(size=200, memories=5)["recalled"].min() == 1


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("size=1", "size must be a whole number of 2 or more, not 1"),
        ("memories=0", "memories must be a whole number of 1 or more"),
        ("rule=oja", "unknown rule 'oja'; known: hebb, pseudo_inverse"),
        ("update=random", "unknown update 'random'; known: asynchronous, synchronous"),
        ("images=faces", "unknown images 'faces'; known: digits, random"),
        ("start=zero", "unknown start 'zero'; known: memory, random"),
        ("temperature=-1", "temperature must be a finite number of at least 0, not -1"),
        ("flipped=1.5", "flipped must be a finite number of at least 0 and at most 1, not 1.5"),
        ("removed=1", "removed must be a finite number of at least 0 and below 1, not 1"),
        ("cues=0", "cues must be a whole number of 1 or more"),
        ("sweeps=-1", "sweeps must be a whole number of 0 or more"),
        ("images=digits", "images=digits has 10 patterns of 64 pixels; take size=64"),
        ("start=random", "start=random needs a number of cues"),
    ],
)
def test_what_it_refuses(word: str, says: str, cli: Callable[..., Said]) -> None:
    assert f"procedure: {says}" in cli("train", "procedure=hopfield", f"procedure.{word}").mistake
    assert not Path("results").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("update=synchronous", "temperature=0.1"), "update=synchronous has no temperature and no looks"),
        (("clipped=true", "temperature=0.1"), "clipped weights have no scale"),
        (("images=digits", "size=64", "memories=11"), "images=digits has 10 patterns of 64 pixels"),
    ],
)
def test_what_does_not_go_together(words: tuple[str, ...], says: str, cli: Callable[..., Said]) -> None:
    assert says in cli("train", "procedure=hopfield", *(f"procedure.{word}" for word in words)).mistake
