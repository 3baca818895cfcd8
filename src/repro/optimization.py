"""Learning-rate schedules, penalties and gradient clipping, alike for one model and for stacked replicas.

A schedule is a function of the epoch: `schedule(epoch, epochs, ...)` is the factor on the learning rate during
epoch `epoch` = 0, 1, ... of `epochs`. Being stateless, it needs nothing in a checkpoint. `Plateau` is the exception.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from repro.errors import UserError

Schedule = Callable[[int, int], float]


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise UserError(f"schedule.{name} must be between 0 and 1, not {value}")
    return value


def _epochs(name: str, value: int, least: int) -> int:
    if value < least:
        raise UserError(f"schedule.{name} must be {least} or more epochs, not {value}")
    return value


def constant(epoch: int, epochs: int) -> float:
    """Always 1."""
    del epoch, epochs
    return 1.0


def step(epoch: int, epochs: int, every: int, factor: float) -> float:
    """factor^floor(epoch / every)."""
    del epochs
    return _share("factor", factor) ** (epoch // _epochs("every", every, 1))


def exponential(epoch: int, epochs: int, factor: float) -> float:
    """factor^epoch."""
    del epochs
    return float(_share("factor", factor) ** epoch)


def cosine(epoch: int, epochs: int, floor: float) -> float:
    """From 1 to `floor` along half a cosine (Loshchilov & Hutter 2017, one cycle)."""
    return _share("floor", floor) + (1 - floor) * (1 + math.cos(math.pi * epoch / max(epochs, 1))) / 2


def linear(epoch: int, epochs: int, floor: float) -> float:
    """From 1 to `floor` along a straight line."""
    return 1 - (1 - _share("floor", floor)) * epoch / max(epochs, 1)


def decay_after(epoch: int, epochs: int, after: int, factor: float) -> float:
    """1 for `after` epochs, then one more `factor` each epoch: factor^max(epoch + 1 - after, 0)."""
    del epochs
    return float(_share("factor", factor) ** max(epoch + 1 - _epochs("after", after, 0), 0))


@dataclass
class Patience:
    """Counts evaluations without improvement of a watched metric.

    Attributes:
        higher_is_better: whether the metric is to grow (accuracy) or to fall (loss).
        best: the best value so far.
        waited: evaluations since then.
    """

    higher_is_better: bool
    best: float = field(default=math.nan)
    waited: int = 0

    def watch(self, value: float) -> int:
        """Take note of a new value; returns how many evaluations in a row have brought nothing better."""
        better = math.isnan(self.best) or (value > self.best if self.higher_is_better else value < self.best)
        self.best, self.waited = (value, 0) if better else (self.best, self.waited + 1)
        return self.waited


class Plateau:
    """Multiplies the learning rate by `factor` whenever the watched metric has not improved for `patience` evaluations.

    Args:
        factor: in (0, 1).
        patience: evaluations, 1 or more.
    """

    def __init__(self, factor: float, patience: int) -> None:
        if not 0 < factor < 1:
            raise UserError(f"schedule.factor must lie between 0 and 1, not {factor}")
        _epochs("patience", patience, 1)
        self.factor, self.patience, self.scale = factor, patience, 1.0

    def __call__(self, epoch: int, epochs: int) -> float:
        """The present factor, whatever the epoch."""
        del epoch, epochs
        return self.scale

    def watch(self, patience: Patience, value: float) -> None:
        """Take note of a new value of the watched metric."""
        if patience.watch(value) >= self.patience:
            self.scale, patience.waited = self.scale * self.factor, 0


def make_optimizer(
    factory: Callable[..., Optimizer], weights: list[Tensor], others: list[Tensor], device: torch.device
) -> Optimizer:
    """An optimizer that decays the weights alone, with torch's fused kernels where a CPU has them.

    Those differ from the plain ones in the last bits and take a third to a half of the time.

    Args:
        factory: an optimizer's class with its options bound; which kernels it uses may be one of them.
        weights: what `weight_decay` applies to.
        others: biases and the like.
        device: of all parameters.
    """
    known, bound = inspect.signature(factory).parameters, getattr(factory, "keywords", {})
    options: dict[str, Any] = {}
    if device.type == "cpu" and "fused" in known and not {"fused", "foreach", "differentiable"} & set(bound):
        options["fused"] = True
    # A second group costs small nets a quarter of the step.
    if "weight_decay" not in known or known["weight_decay"].default == 0:
        return factory([*weights, *others], **options)
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    return factory([group for group in groups if group["params"]], **options)


def load_state(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Load an optimizer's saved state, laid out in memory as its parameters are: fused kernels look at nothing else.

    A run may go on in another memory format than it was saved in.
    """
    optimizer.load_state_dict(dict(state))
    for parameter, kept in optimizer.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                kept[name] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def add_penalties(weights: Mapping[str, Tensor], l2: float, l1: float) -> None:
    """Add the gradients of l2/2 Σw² and l1 Σ|w| to the weights' gradients, in place."""
    for weight in weights.values():
        assert weight.grad is not None
        if l2:
            weight.grad.add_(weight.detach(), alpha=l2)
        if l1:
            weight.grad.add_(weight.detach().sign(), alpha=l1)


def clip_weights(weights: Iterable[Tensor], bound: float) -> None:
    """Move every weight beyond ±bound to that bound, in place, as binary nets do with theirs (Hubara et al. 2016)."""
    with torch.no_grad():
        for weight in weights:
            weight.clamp_(-bound, bound)


def clip(gradients: list[Tensor], stacked: bool, norm: float | None, value: float | None) -> None:
    """Clip gradients in place: each entry to ±value, then each replica's whole gradient to an L2 norm of `norm`.

    Args:
        gradients: of all parameters; a leading replica axis when stacked.
    """
    if value is not None:
        for gradient in gradients:
            gradient.clamp_(-value, value)
    if norm is not None:
        rows = [g.reshape(len(g) if stacked else 1, -1) for g in gradients]
        norms = torch.stack([torch.linalg.vector_norm(row, dim=1) for row in rows])
        total = torch.linalg.vector_norm(norms, dim=0)  # (replicas,)
        factor = norm / total.clamp_min(norm)
        for gradient in gradients:  # whatever its layout in memory
            gradient.mul_(factor.view(-1, *[1] * (gradient.dim() - 1)) if stacked else factor.view(()))
