"""Nets and points for tests of Hessians, made the way the program makes them, and the slow way to a Hessian."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from repro.config.compose import compose
from repro.config.run import resolve
from repro.datasets.memory import Data, Split
from repro.datasets.protocol import Batch
from repro.diagnostics.objective import Objective
from repro.training.prepare import components, models, read_data

# The nets of Milletarì et al. 2018 on points of the plane: 2-10-1, and 2-8-2-1.
ONE_LAYER = (
    "dataset=boundary",
    "task=sigmoids",
    "architecture.depth=1",
    "architecture.width=10",
    "initialization.distribution=uniform",
)
TWO_LAYERS = (*ONE_LAYER, "architecture.depth=2", "architecture.width=[8,2]")
# On digits: 64-25-10, with the pixels and the split of their code.
DIGITS = (
    "dataset=authors_digits",
    "task=sigmoids",
    "architecture.depth=1",
    "architecture.width=25",
    "initialization.distribution=uniform",
)
ESP = ("activation=esp", "architecture.output_beta=0", "architecture.output_beta_std=0.004")


@dataclass(frozen=True)
class Case:
    """A net with the whole training split, in float64 and evaluation mode."""

    module: nn.Module
    task: Any
    batch: Batch

    def objective(self, cuts: int = 1) -> Objective:
        """What the program makes of it, with the split cut into so many batches."""
        parts = zip(self.batch.x.chunk(cuts), self.batch.y.chunk(cuts), strict=True)
        return Objective(self.module, self.task, [Batch(x, y) for x, y in parts])

    def gradient(self, kept: bool = False) -> Tensor:
        """Of the mean loss by all parameters, side by side."""
        loss = self.task.measure(self.module(self.batch.x), self.batch.y)["loss"]
        return _flat(self._differentiated(loss, kept))

    def looped_hessian(self) -> Tensor:
        """The gradient of each entry of the gradient."""
        rows = [_flat(self._differentiated(entry, kept=True)) for entry in self.gradient(kept=True)]
        return torch.stack(rows).detach()

    def _differentiated(self, value: Tensor, kept: bool) -> Sequence[Tensor]:
        parameters = list(self.module.parameters())
        return torch.autograd.grad(value, parameters, create_graph=kept, materialize_grads=True)


def _flat(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


def case(*words: str, data: Data | None = None, shaken: float = 0.0) -> Case:
    """The net and the training split that these words make, the net's parameters shaken by normal numbers."""
    run = resolve(compose(list(words)))
    parts = components(run)
    if data is None:
        data, _ = read_data(run, parts, torch.device("cpu"))
    (module,) = models(run, parts, data)
    module.double().eval()
    rng = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in module.parameters():
            p += shaken * torch.randn(p.shape, generator=rng, dtype=p.dtype)
    x, y = data.train.x, data.train.y
    return Case(module, parts.task, Batch(x.double(), y.double() if y.is_floating_point() else y))


def random_data(samples: int = 11, shape: tuple[int, ...] = (4,), outputs: int = 3, numbers: bool = False) -> Data:
    """Normal inputs; classes, or columns of normal numbers."""
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(samples, *shape, generator=rng, dtype=torch.float64)
    y = (
        torch.randn(samples, outputs, generator=rng, dtype=torch.float64)
        if numbers
        else torch.randint(outputs, (samples,), generator=rng)
    )
    return Data(*[Split(x, y)] * 3, outputs=outputs, name="random")
