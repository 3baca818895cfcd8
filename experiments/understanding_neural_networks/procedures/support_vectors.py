"""A support vector machine on the images that nets are trained on."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.svm import SVC

from repro.errors import UserError, unknown
from repro.training.work import Measured, from_rows

from ..datasets.drawn_images import Drawn

GAMMAS = ("auto", "scale")
CHUNK = 2000  # test images whose kernel is in memory at once


@from_rows
def support_vectors(data: Drawn, rng: torch.Generator, *, gamma: str) -> Iterator[Measured]:
    """The accuracy on the test split of scikit-learn's SVC with its defaults (C = 1, a Gaussian kernel), in [0, 1].

    Args:
        data: `dataset=drawn_images`.
        rng: draws the images to fit, as for a net of this seed.
        gamma: auto, 1 / pixels, the default of scikit-learn before 0.22; or scale, 1 / (pixels · variance).

    Raises:
        UserError: another data set, or another gamma.
    """
    if gamma not in GAMMAS:
        raise unknown("procedure.gamma", str(gamma), GAMMAS)
    if not isinstance(data, Drawn):
        raise UserError("procedure=support_vectors draws its images from dataset=drawn_images; take that one")
    own = data.draw(rng)
    x, y = data.drawn_from.x[own].flatten(1), data.drawn_from.y[own].numpy()
    if len(np.unique(y)) < 2:
        raise UserError("dataset.size draws images of one class only, which leaves nothing to tell; raise it")
    width = 1 / (x.shape[1] * (float(x.var(correction=0)) if gamma == "scale" else 1.0))
    machine = SVC(kernel="precomputed").fit(kernel(x, x, width), y)
    right = 0
    for part, classes in zip(data.test.x.flatten(1).split(CHUNK), data.test.y.split(CHUNK), strict=True):
        right += int((machine.predict(kernel(part, x, width)) == classes.numpy()).sum())
    yield Measured("accuracy", right / len(data.test))


def kernel(one: torch.Tensor, other: torch.Tensor, gamma: float) -> NDArray[np.float64]:
    """exp(-gamma ‖a - b‖²) of all pairs, (n, features) and (m, features) to (n, m)."""
    a, b = one.double(), other.double()
    squares = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
    result: NDArray[np.float64] = squares.clamp_min_(0).mul_(-gamma).exp_().numpy()
    return result
