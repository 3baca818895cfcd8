"""What a layer says of its sample: how well its class, and the sample itself, can be told from the activations.

Told linearly: by ridge regression on every other sample of the probe, held against the samples between them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

PENALTY = 0.01  # of the squared coefficients, a sample, in units of the mean variance of a feature

_TOLD = (
    "by ridge regression on the activations of the samples i = 1, 3, 5 … of the probe, centred, whose penalty is "
    f"{PENALTY:g} of their mean variance; layer `input`, depth 0: on the inputs themselves"
)


def linear_probe_accuracy(features: "Tensor", classes: "Tensor") -> "Tensor":
    """Share of held-out samples whose class has the greatest output of a ridge regression onto one-hot targets.

    Args:
        features: (replicas, samples, features), float64.
        classes: class numbers, (samples,).

    Returns:
        (replicas,), in [0, 1]; NaN where one sample leaves none to hold out.
    """
    from torch.nn import functional  # not above: the registry is read before anything is trained

    wanted = functional.one_hot(classes).to(features.dtype)
    told, truth = _told(features, wanted).argmax(-1), classes[1::2]
    return (told == truth).to(features.dtype).mean(1)


def reconstruction_error(features: "Tensor", inputs: "Tensor") -> "Tensor":
    """Share of the variance of held-out inputs that a ridge regression on the features leaves unexplained.

    Args:
        features: (replicas, samples, features), float64.
        inputs: (samples, ...).

    Returns:
        (replicas,), 0 or more: 1 for guessing the mean; NaN where the held-out inputs are that mean.
    """
    flat = inputs.flatten(1).to(features.dtype)
    missed = flat[1::2] - _told(features, flat)
    spread = flat[1::2] - flat[0::2].mean(0)
    return missed.square().sum((1, 2)) / spread.square().sum()


def class_separation(features: "Tensor", classes: "Tensor") -> "Tensor":
    """Squared distances of class means from the whole mean over those of samples from their class's mean.

    Args:
        features: (replicas, samples, features), float64.
        classes: class numbers, (samples,).

    Returns:
        (replicas,), 0 or more; infinite where each class is one point, 0 where all samples are.
    """
    from torch.nn import functional

    members = functional.one_hot(classes).to(features.dtype)  # (samples, classes)
    means = (members.T @ features) / members.sum(0).clamp_min(1)[:, None]  # (replicas, classes, features)
    own = members @ means
    between = (own - features.mean(1, keepdim=True)).square().sum((1, 2))
    within = (features - own).square().sum((1, 2))
    return (between / within).masked_fill(between == 0, 0.0)


def _told(features: "Tensor", wanted: "Tensor") -> "Tensor":
    """What every second sample's features say of `wanted`, (samples, targets), learnt from the samples between them.

    Returns:
        (replicas, samples // 2, targets).
    """
    import torch

    known, asked, target = features[:, 0::2], features[:, 1::2], wanted[0::2]
    middle, usual = known.mean(1, keepdim=True), target.mean(0)
    x, y, asked = known - middle, target - usual, asked - middle
    samples, size = x.shape[1:]
    penalty = PENALTY * x.square().sum((1, 2)) / size
    penalty = penalty + (penalty == 0)  # features that never change say nothing, whatever the penalty
    # The smaller of the two systems that have the same solution.
    ridge = penalty[:, None, None] * torch.eye(min(size, samples), dtype=x.dtype, device=x.device)
    if size <= samples:
        learnt: Tensor = torch.linalg.solve(x.mT @ x + ridge, x.mT @ y)
    else:
        learnt = x.mT @ torch.linalg.solve(x @ x.mT + ridge, y.expand(len(x), *y.shape))
    return usual + asked @ learnt


QUANTITIES = (
    (
        "linear_probe_accuracy",
        "classes",
        "0…1",
        f"share of the samples i = 2, 4, 6 … whose class is told {_TOLD}",
        linear_probe_accuracy,
    ),
    (
        "class_separation",
        "classes",
        "1, ≥ 0",
        "Σᵢ ‖mean *h* of the class of i − mean *h*‖² / Σᵢ ‖*h*ᵢ − mean *h* of its class‖²; layer `input`: of *x*ᵢ",
        class_separation,
    ),
    (
        "reconstruction_error",
        "inputs",
        "1, ≥ 0",
        f"share of the variance of the inputs *x*ᵢ, i = 2, 4, 6 …, that is not told {_TOLD}",
        reconstruction_error,
    ),
)
"""Name, what it reads, unit, definition and function of each, for the registry."""
