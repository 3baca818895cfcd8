"""Digits that a net tells rightly until they are changed a little: the images, to be looked at."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from repro.datasets.memory import Data, Split
from repro.errors import UserError, number, whole
from repro.training.work import Measured, from_rows

from .prune_and_grow import Net, fresh, tune
from .small_nets import pixels


def _check(*, hidden: int, steps: int, size: float, shown: int) -> None:
    for name, value in {"hidden": hidden, "steps": steps, "shown": shown}.items():
        whole(f"procedure.{name}", value, 1)
    number("procedure.size", size, 0)


@from_rows(check=_check)
def fooled_digits(
    data: Data, rng: torch.Generator, *, hidden: int, steps: int, size: float, shown: int
) -> Iterator[Measured]:
    """Trains a net of one hidden layer, and changes test images against it: x + size · sign(∂ℓ/∂x), pixels in [0, 1].

    Rows: accuracy and fgsm_accuracy on the whole test split, at step 0. Of the first so many images that are told
    rightly and then wrongly: class and told, the digit and what the changed image is taken for, the i-th at step i; and
    original and changed, their pixels, those of the i-th image from step i · pixels on.

    Args:
        data: images with pixels in [0, 1] and a class each.
        rng: of weights and batches.
        hidden: ReLUs of the hidden layer.
        steps: of Adam at 0.001, batches of 100.
        size: of the change of a pixel.
        shown: images, at most.

    Raises:
        UserError: a setting is not allowed, or the data set has no such images.
    """
    train, test = _split(data.train), _split(data.test)
    x, y = test.x, test.y
    net = fresh(x.shape[1], hidden, data.outputs, rng)
    tune(net, train, steps, 100, 0.001, rng)
    changed = (x + size * _uphill(net, x, y).sign()).clamp(0, 1)
    before, after = net.outputs(x).argmax(1), net.outputs(changed).argmax(1)
    yield Measured("accuracy", (before == y).double().mean())
    yield Measured("fgsm_accuracy", (after == y).double().mean())
    fooled = ((before == y) & (after != y)).nonzero().flatten()[:shown]
    for i, place in enumerate(fooled.tolist()):
        yield Measured("class", y[place], i)
        yield Measured("told", after[place], i)
        for name, image in (("original", x[place]), ("changed", changed[place])):
            for step, value in enumerate(image.tolist(), i * len(image)):
                yield Measured(name, value, step)


def _split(split: Split) -> Split:
    """The same with inputs (samples, pixels) as numbers from 0 to 1."""
    x, y = pixels(split.x, torch.float32), split.y
    if y.dim() != 1 or y.is_floating_point() or bool((x < 0).any() or (x > 1).any()):
        raise UserError(
            "procedure=fooled_digits needs images with pixels in [0, 1] and a class each; take dataset=digits and "
            "dataset.preprocessing=none, say"
        )
    return Split(x, y)


def _uphill(net: Net, x: Tensor, y: Tensor) -> Tensor:
    """The gradient of each image's own loss by its pixels."""
    own = x.clone().requires_grad_()
    return torch.autograd.grad(functional.cross_entropy(net.outputs(own), y, reduction="sum"), own)[0]
