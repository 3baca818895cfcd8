"""Restricted Boltzmann machines: learnt from images of digits, and from patterns so small that all is known exactly."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.neural_network import BernoulliRBM
from torch import Tensor
from torch.nn.functional import softplus

from repro.datasets.memory import Data
from repro.errors import UserError, number, unknown, whole
from repro.training.work import Measured, from_rows

MOST = 12  # units of a kind, where all their states are enumerated
INITIAL = 0.01  # standard deviation of weights at the start (Hinton 2012)
LABELS, DRAWS = 60, 5  # labels that a classifier gets, and how often they are drawn
SWEEPS = 20  # of completing an image
LARGEST_SEED = 2**31 - 1


@dataclass
class Machine:
    """E(v, h) = -v·a - h·b - vᵀWh over visible v and hidden h, each 0 or 1.

    Attributes:
        weights: W, shape (visible, hidden), float64.
        visible_bias: a.
        hidden_bias: b.
    """

    weights: Tensor
    visible_bias: Tensor
    hidden_bias: Tensor

    def energy(self, v: Tensor, h: Tensor) -> Tensor:
        """Of pairs of states, shape (n,)."""
        return -v @ self.visible_bias - h @ self.hidden_bias - ((v @ self.weights) * h).sum(1)

    def free_energy(self, v: Tensor) -> Tensor:
        """F with exp(-F(v)) the sum of exp(-E(v, h)) over all h; shape (n,)."""
        return -v @ self.visible_bias - softplus(v @ self.weights + self.hidden_bias).sum(1)

    def hidden(self, v: Tensor) -> Tensor:
        """Probabilities of hidden units to be 1, shape (n, hidden)."""
        return torch.sigmoid(v @ self.weights + self.hidden_bias)

    def visible(self, h: Tensor) -> Tensor:
        """Probabilities of visible units to be 1, shape (n, visible)."""
        return torch.sigmoid(h @ self.weights.T + self.visible_bias)


Negative = Callable[[Machine, Tensor], tuple[Tensor, Tensor, Tensor]]
"""What the machine makes up: visible states, hidden probabilities, weights of the states that sum to 1."""


def start(x: Tensor, hidden: int, rng: torch.Generator) -> Machine:
    """Small weights; visible biases such that single units are as often 1 as in x, shape (n, visible)."""
    mean = x.mean(0).clamp(0.01, 0.99)
    weights = INITIAL * torch.randn(x.shape[1], hidden, generator=rng, dtype=x.dtype)
    return Machine(weights, torch.log(mean / (1 - mean)), torch.zeros(hidden, dtype=x.dtype))


def learn(machine: Machine, x: Tensor, negative: Negative, rate: float, batch: int, rng: torch.Generator) -> None:
    """One epoch of gradient steps on the log-likelihood, as `negative` estimates what the data are held against."""
    for rows in torch.randperm(len(x), generator=rng).split(batch):
        v = x[rows]
        h = machine.hidden(v)
        made, made_h, share = negative(machine, v)
        machine.weights += rate * (v.T @ h / len(v) - (share[:, None] * made).T @ made_h)
        machine.visible_bias += rate * (v.mean(0) - share @ made)
        machine.hidden_bias += rate * (h.mean(0) - share @ made_h)


def contrastive_divergence(rng: torch.Generator) -> Negative:
    """One step down and up from the data, CD-1 (Hinton 2002)."""

    def made(machine: Machine, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        down = machine.visible(torch.bernoulli(machine.hidden(v), generator=rng))
        return down, machine.hidden(down), torch.full((len(v),), 1 / len(v), dtype=v.dtype)

    return made


def exact(states: Tensor) -> Negative:
    """All visible states, shape (2^visible, visible), each as likely as the machine has it: the true gradient."""

    def made(machine: Machine, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        del v
        return states, machine.hidden(states), torch.softmax(-machine.free_energy(states), 0)

    return made


def persistent(x: Tensor, hidden: int, epochs: int, rate: float, batch: int, rng: torch.Generator) -> Machine:
    """scikit-learn's machine, whose chains go on from step to step (Tieleman 2008)."""
    fitted = BernoulliRBM(hidden, learning_rate=rate, batch_size=batch, n_iter=epochs, random_state=drawn(rng)).fit(
        x.numpy()
    )
    parts = (fitted.components_.T, fitted.intercept_visible_, fitted.intercept_hidden_)
    return Machine(*(torch.from_numpy(np.array(part, dtype=np.float64)) for part in parts))


def drawn(rng: torch.Generator) -> int:
    """A seed for what is not torch's."""
    return int(torch.randint(LARGEST_SEED, (), generator=rng))


DIVERGENCE, PERSISTENT, EXACT = LEARNING = ("contrastive_divergence", "persistent", "exact")


def _check_machine(*, batch: int, **others: Any) -> None:
    whole("procedure.batch", batch, 1)
    _check(LEARNING[:2], **others)


def _check_small(*, every: int, **others: Any) -> None:
    whole("procedure.every", every, 1)
    _check(LEARNING, **others)


def _check(known: Sequence[str], *, learning: str, hidden: int, epochs: int, rate: float) -> None:
    if learning not in known:
        raise unknown("way of learning", str(learning), known)
    whole("procedure.hidden", hidden, 1)
    whole("procedure.epochs", epochs, 1)
    number("procedure.rate", rate, 0, ends="()")


@from_rows(check=_check_machine)
def machine(
    data: Data, rng: torch.Generator, *, learning: str, hidden: int, epochs: int, rate: float, batch: int
) -> Iterator[Measured]:
    """What a machine makes of images with pixels in [0, 1]: energies, features for few labels, completed images.

    Args:
        data: square or not, the second half of the pixels is what is completed.
        rng: of all that is random.
        learning: contrastive_divergence or persistent.
        hidden: units.
        epochs: over the training images.
        rate: of the gradient steps.
        batch: images of a step.

    Raises:
        UserError: a setting is not allowed, or pixels are not in [0, 1].
    """
    x, test = (split.x.flatten(1).double() for split in (data.train, data.test))
    if x.min() < 0 or x.max() > 1:
        raise UserError("a Boltzmann machine takes pixels in [0, 1]; set dataset.preprocessing=none")
    if learning == PERSISTENT:
        made = persistent(x, hidden, epochs, rate, batch, rng)
        yield Measured("reconstruction", _reconstruction(made, test), epochs)
    else:
        made, negative = start(x, hidden, rng), contrastive_divergence(rng)
        for epoch in range(1, epochs + 1):
            learn(made, x, negative, rate, batch, rng)
            yield Measured("reconstruction", _reconstruction(made, test), epoch)
    yield from _energies(made, test, rng)
    yield from _few_labels(made, data, rng)
    half = x.shape[1] // 2
    yield Measured("completion", float((_completed(made, test, x, half) - test[:, half:]).square().mean()))
    yield Measured("mean_fill", float((x.mean(0)[half:] - test[:, half:]).square().mean()))


def _reconstruction(made: Machine, x: Tensor) -> float:
    """Squared error of an image that goes up and down once, summed over its pixels."""
    return float((made.visible(made.hidden(x)) - x).square().sum(1).mean())


def _energies(made: Machine, test: Tensor, rng: torch.Generator) -> Iterator[Measured]:
    order = torch.rand(test.shape, generator=rng).argsort(1)
    noise = torch.rand(test.shape, generator=rng, dtype=test.dtype)
    kinds = {"data": test, "shuffled": test.gather(1, order), "noise": noise}
    for name, images in kinds.items():
        yield Measured(f"energy_{name}", float(made.free_energy(images).mean()))


def _few_labels(made: Machine, data: Data, rng: torch.Generator) -> Iterator[Measured]:
    """Accuracies of logistic regression on pixels and on hidden probabilities, with few labels and with all."""
    given = [split.x.flatten(1).double() for split in (data.train, data.test)]
    kinds = {"pixels": [x.numpy() for x in given], "features": [made.hidden(x).numpy() for x in given]}
    y, test_y = data.train.y.numpy(), data.test.y.numpy()
    draws = [_balanced(y, rng) for _ in range(DRAWS)]
    for name, (x, test_x) in kinds.items():
        few, tuned = [], []
        for rows in draws:
            few.append(LogisticRegression(max_iter=2000).fit(x[rows], y[rows]).score(test_x, test_y))
            # Each kind with the penalty that suits it.
            best = LogisticRegressionCV(
                Cs=[0.1, 1, 10, 100],
                cv=3,
                scoring="accuracy",
                l1_ratios=(0,),
                max_iter=2000,
                use_legacy_attributes=False,
            )
            tuned.append(best.fit(x[rows], y[rows]).score(test_x, test_y))
        yield Measured(f"few_{name}", float(np.mean(few)))
        yield Measured(f"few_{name}_tuned", float(np.mean(tuned)))
        yield Measured(f"all_{name}", LogisticRegression(max_iter=2000).fit(x, y).score(test_x, test_y))


def _balanced(y: np.ndarray, rng: torch.Generator) -> np.ndarray:
    """So many samples, as many of each class as of the others."""
    order = torch.randperm(len(y), generator=rng).numpy()
    each = LABELS // (int(y.max()) + 1)
    return np.concatenate([order[y[order] == c][:each] for c in np.unique(y)])


def _completed(made: Machine, test: Tensor, x: Tensor, half: int) -> Tensor:
    """The pixels from `half` on, each by its probability, from those before, which are known."""
    v = torch.cat([test[:, :half], x.mean(0)[half:].expand(len(test), -1)], dim=1)
    for _ in range(SWEEPS):
        v[:, half:] = made.visible(made.hidden(v))[:, half:]
    return v[:, half:]


@from_rows(check=_check_small)
def small_machine(
    data: Data, rng: torch.Generator, *, learning: str, hidden: int, epochs: int, rate: float, every: int
) -> Iterator[Measured]:
    """How likely a machine makes patterns of few units, by its exact partition function.

    Args:
        data: patterns of 0 and 1, the training split; all of them are one batch.
        rng: of all that is random.
        learning: contrastive_divergence, persistent, or exact: by the true gradient.
        hidden: units, 12 at most.
        epochs: over the patterns.
        rate: of the gradient steps.
        every: epochs between two measurements; `persistent` is measured at its end only.

    Raises:
        UserError: a setting is not allowed, or the patterns are too large or not of 0 and 1.
    """
    x = data.train.x.flatten(1).double()
    if max(hidden, x.shape[1]) > MOST or not ((x == 0) | (x == 1)).all():
        raise UserError(
            f"all states of {hidden} hidden and {x.shape[1]} visible units are enumerated; take {MOST} or less of "
            "each, and patterns of 0 and 1, e.g. dataset=scikit_learn dataset.table=bars"
        )
    states = all_states(x.shape[1])
    if learning == PERSISTENT:
        made = persistent(x, hidden, epochs, rate, len(x), rng)
        yield Measured("log_likelihood", log_likelihood(made, x, states), epochs)
    else:
        made = start(x, hidden, rng)
        negative = exact(states) if learning == EXACT else contrastive_divergence(rng)
        for epoch in range(1, epochs + 1):
            learn(made, x, negative, rate, len(x), rng)
            if epoch % every == 0 or epoch == epochs:
                yield Measured("log_likelihood", log_likelihood(made, x, states), epoch)
    yield Measured("uniform", -x.shape[1] * math.log(2))
    yield Measured("bound", -math.log(len(x)))
    yield Measured("marginal_deviation", marginal_deviation(made, x))


def all_states(units: int) -> Tensor:
    """Shape (2^units, units), float64."""
    return torch.tensor(list(product((0.0, 1.0), repeat=units)), dtype=torch.float64)


def log_likelihood(made: Machine, x: Tensor, states: Tensor) -> float:
    """Nats a pattern: mean of log p(x), by the sum over all visible states."""
    return float((-made.free_energy(x) - torch.logsumexp(-made.free_energy(states), 0)).mean())


def marginal_deviation(made: Machine, x: Tensor) -> float:
    """How far F is from the sum over all hidden states, at most, in nats."""
    states = all_states(len(made.hidden_bias))
    sums = torch.stack([torch.logsumexp(-made.energy(v.expand(len(states), -1), states), 0) for v in x])
    return float((made.free_energy(x) + sums).abs().max())
