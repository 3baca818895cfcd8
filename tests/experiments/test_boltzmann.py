"""Boltzmann machines against sums over all states, autograd and scikit-learn."""

from collections.abc import Callable

import pytest
import torch
from sklearn.neural_network import BernoulliRBM

from conftest import Said
from repro.experiments.understanding_neural_networks.datasets.scikit_learn import scikit_learn
from repro.experiments.understanding_neural_networks.procedures import boltzmann
from repro.experiments.understanding_neural_networks.procedures.boltzmann import (
    Machine,
    all_states,
    contrastive_divergence,
    exact,
    learn,
    log_likelihood,
    marginal_deviation,
    start,
)


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def drawn(rng: torch.Generator) -> Machine:
    return Machine(*(torch.randn(size, generator=rng, dtype=torch.float64) for size in ((4, 3), (4,), (3,))))


def bars() -> torch.Tensor:
    return scikit_learn("bars", 0, 0.25, "none", None, 0).train.x.double()


def test_the_free_energy_is_the_sum_over_hidden_states(rng):
    machine, states = drawn(rng), all_states(4)
    assert marginal_deviation(machine, states) < 1e-10
    pairs = [(v, h) for v in states for h in all_states(3)]
    energies = machine.energy(torch.stack([v for v, _ in pairs]), torch.stack([h for _, h in pairs]))
    share = torch.softmax(-energies, 0).view(16, 8).sum(1)
    assert log_likelihood(machine, states[3:5], states) == pytest.approx(share[3:5].log().mean().item(), abs=1e-12)


def test_hidden_probabilities_are_those_of_the_energy(rng):
    machine, v = drawn(rng), all_states(4)[5]
    share = torch.softmax(-machine.energy(v.expand(8, -1), all_states(3)), 0)
    assert torch.allclose(share @ all_states(3), machine.hidden(v[None])[0], atol=1e-12)


def test_the_true_gradient_is_autograd_s(rng):
    machine, x, states = drawn(rng), all_states(4)[[1, 6, 9]], all_states(4)
    parts = [part.clone().requires_grad_() for part in (machine.weights, machine.visible_bias, machine.hidden_bias)]
    free = Machine(*parts)
    likelihood = (-free.free_energy(x) - torch.logsumexp(-free.free_energy(states), 0)).mean()
    gradients = torch.autograd.grad(likelihood, parts)
    learn(machine, x, exact(states), 0.1, 3, rng)
    now = (machine.weights, machine.visible_bias, machine.hidden_bias)
    for before, after, gradient in zip(parts, now, gradients, strict=True):
        assert torch.allclose(after, before + 0.1 * gradient, atol=1e-12)


def test_free_energies_are_scikit_learn_s(rng):
    x = bars()
    made = boltzmann.persistent(x, 4, 3, 0.1, 14, rng)
    theirs = BernoulliRBM(4).fit(x.numpy())
    theirs.components_, theirs.intercept_hidden_ = made.weights.T.numpy(), made.hidden_bias.numpy()
    theirs.intercept_visible_ = made.visible_bias.numpy()
    assert made.free_energy(x).numpy() == pytest.approx(theirs._free_energy(x.numpy()), abs=1e-10)


def test_contrastive_divergence_makes_patterns_likelier(rng):
    x, states = bars(), all_states(9)
    machine = start(x, 6, rng)
    before = log_likelihood(machine, x, states)
    for _ in range(600):
        learn(machine, x, contrastive_divergence(rng), 0.3, 14, rng)
    assert log_likelihood(machine, x, states) > before + 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["procedure=boltzmann_machine", "procedure.learning=exact"], "known: contrastive_divergence, persistent"),
        (["procedure=boltzmann_machine", "procedure.hidden=0"], "procedure.hidden must be a whole number of 1 or more"),
        (["procedure=boltzmann_machine", "procedure.rate=0"], "procedure.rate must be a finite number above 0"),
        (
            ["procedure=boltzmann_exact", "dataset=scikit_learn", "dataset.table=bars", "procedure.every=0"],
            "every must",
        ),
    ],
)
def test_mistakes(words: list[str], says: str, cli: Callable[..., Said]) -> None:
    assert says in cli("train", *words).mistake


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["procedure=boltzmann_machine"], "takes pixels in [0, 1]; set dataset.preprocessing=none"),
        (["procedure=boltzmann_exact", "dataset=digits"], "take 12 or less of each, and patterns of 0 and 1"),
    ],
)
def test_data_that_do_not_suit_it_are_refused(words: list[str], says: str, cli: Callable[..., Said]) -> None:
    said = cli("train", *words)
    assert said.status == 2
    assert says in said.err.splitlines()[-1]
