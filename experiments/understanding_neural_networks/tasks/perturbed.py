"""Classification whose nets are also asked about changed images: against them, at random, moved and turned."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.func import grad
from torch.nn import functional

from repro.datasets.protocol import Batch
from repro.errors import UserError, number, whole
from repro.model.architectures.recurrence import State
from repro.storage.metrics import ACCURACY, LOSS, SHARE, Metric
from repro.tasks import Call, Classification

STEPS, STRIDE = 5, 0.4  # of the search for a universal perturbation; a step is so much of its size
SIDES = ((0, 1), (0, -1), (1, 0), (-1, 0))  # down, up, right, left

Images = Callable[[Tensor], Tensor]
"""The outputs of a net for images."""


class Perturbed(Classification):
    """Softmax cross-entropy; in evaluation also the accuracy on changed images, whose pixels stay in [0, 1].

    Metrics are named after the change and its size, ε in per cent: fgsm_10_accuracy, shift_4_accuracy.

    Args:
        fgsm: sizes ε of x + ε sign(∂ℓ/∂x), each image against its own class (Goodfellow et al. 2015, section 4).
        noise: sizes of ±ε drawn for each pixel, the same for any net and at any evaluation.
        universal: sizes of one perturbation for all images, found by sign ascent on every second image of a batch and
            added to the images between them, and the other way round.
        shift: pixels by which images are moved, black coming in: mean over the four sides; besides the accuracy, the
            share of images about which the net changes its mind.
        rotation: degrees by which images are turned, mean over both ways; bilinear, black coming in.

    Raises:
        UserError: a size is not allowed.
    """

    def __init__(
        self, fgsm: list[float], noise: list[float], universal: list[float], shift: list[int], rotation: list[float]
    ) -> None:
        for name, sizes in {"fgsm": fgsm, "noise": noise, "universal": universal, "rotation": rotation}.items():
            for size in sizes:
                number(f"each of task.{name}", size, 0)
        for size in shift:
            whole("each of task.shift", size, 1)
        self.fgsm, self.noise, self.universal, self.shift, self.rotation = fgsm, noise, universal, shift, rotation
        told = [
            *(f"{kind}_{100 * size:g}" for kind in ("fgsm", "noise", "universal") for size in getattr(self, kind)),
            *(f"shift_{size}" for size in shift),
            *(f"rotation_{size:g}" for size in rotation),
        ]
        right = (
            Metric(f"{name}_accuracy", "1", "higher", "share of changed images that are told", SHARE) for name in told
        )
        moved = (
            Metric(f"shift_{n}_changed", "1", "lower", "share of answers that moving changes", SHARE) for n in shift
        )
        self.metrics = (LOSS, ACCURACY, *right, *moved)

    def evaluate(self, call: Call, batch: Batch, state: State) -> tuple[dict[str, Tensor], State]:
        """See `Task`.

        Raises:
            UserError: inputs are no images with pixels in [0, 1].
        """
        sums, state = super().evaluate(call, batch, state)
        x, y = batch.x, batch.y
        if x.dim() != 4 or bool((x < 0).any()) or bool((x > 1).any()):
            raise UserError("task=perturbed needs images with pixels in [0, 1]; take dataset.preprocessing=none")

        def net(images: Tensor) -> Tensor:
            return call(images, ())[0]

        said = net(x).argmax(-1)
        for name, answers in self._answers(net, x, y):
            sums[f"{name}_accuracy"] = _mean_count(answers, y)
            if name.startswith("shift"):
                sums[f"{name}_changed"] = len(y) - _mean_count(answers, said)
        return sums, state

    def _answers(self, net: Images, x: Tensor, y: Tensor) -> Iterator[tuple[str, list[Tensor]]]:
        """The classes that the net tells in changed images, in each of several ways to change them alike."""

        def told(images: Tensor) -> Tensor:
            return net(images.clamp(0, 1)).argmax(-1)

        against = _uphill(net, y)(x).sign() if self.fgsm else x
        yield from ((f"fgsm_{100 * size:g}", [told(x + size * against)]) for size in self.fgsm)
        # Not drawn by torch, which refuses to while nets are stacked.
        signs = 2.0 * np.random.default_rng(0).integers(0, 2, x.shape) - 1
        random = torch.as_tensor(signs, dtype=x.dtype, device=x.device)
        yield from ((f"noise_{100 * size:g}", [told(x + size * random)]) for size in self.noise)
        for size in self.universal:
            from_even, from_odd = (told(x + universal(net, x[half::2], y[half::2], size)) for half in (0, 1))
            odd = torch.arange(len(y), device=y.device) % 2 == 1  # what was found on even images is asked of odd ones
            yield f"universal_{100 * size:g}", [torch.where(odd, from_even, from_odd)]
        for size in self.shift:
            yield f"shift_{size}", [told(moved(x, size * down, size * right)) for down, right in SIDES]
        for degrees in self.rotation:
            yield f"rotation_{degrees:g}", [told(turned(x, degrees)), told(turned(x, -degrees))]


def _mean_count(answers: Sequence[Tensor], classes: Tensor) -> Tensor:
    """How many answers are these classes, mean over the ways of changing images."""
    counts = [(own == classes).double().sum() for own in answers]
    return torch.stack(counts).mean(0)


def _uphill(net: Images, y: Tensor) -> Images:
    """The gradient of the summed loss with respect to images, also where no graph is kept."""
    found: Images = grad(lambda images: functional.cross_entropy(net(images), y, reduction="sum"))
    return found


def universal(net: Images, x: Tensor, y: Tensor, size: float) -> Tensor:
    """One perturbation, entries in [-size, size], shape (1, ...), that raises the summed loss of all images."""
    step, found = STRIDE * size, torch.zeros_like(x[:1])
    uphill = grad(lambda v: functional.cross_entropy(net((x + v).clamp(0, 1)), y, reduction="sum"))
    for _ in range(STEPS):
        found = (found + step * uphill(found).sign()).clamp(-size, size)
    return found


def moved(x: Tensor, down: int, right: int) -> Tensor:
    """Images (n, channels, height, width) moved by whole pixels, with zeros where nothing was."""
    tall, wide = x.shape[2:]
    edges = (max(right, 0), max(-right, 0), max(down, 0), max(-down, 0))
    padded = functional.pad(x, edges)
    top, left = max(-down, 0), max(-right, 0)
    return padded[:, :, top : top + tall, left : left + wide]


def turned(x: Tensor, degrees: float) -> Tensor:
    """Images (n, channels, side, side) turned counter-clockwise about their middle, bilinear, with zeros around."""
    angle = math.radians(degrees)
    rows = [[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), 0.0]]
    turn = torch.tensor(rows, dtype=x.dtype, device=x.device).expand(len(x), 2, 3)
    grid = functional.affine_grid(turn, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, align_corners=False)
