"""What units have learnt of half-planes, and a net whose weights are set by hand."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from repro.errors import UserError
from repro.procedures.train import Train
from repro.training.loop import Loop
from repro.training.prepare import Prepared
from repro.training.work import Measured, Scored, from_rows

from ..datasets.half_planes import normals

SPLIT = "cuts"  # of curves.csv


class Compared(Loop):
    """A training loop that compares weights after its last step.

    Attributes:
        first: name of the first layer's weights.
        normals: (sides, 2).
    """

    first: str
    normals: np.ndarray

    def advance(self) -> Scored | None:
        """See `Work`."""
        scored = super().advance()
        if not self.finished:
            return scored
        weights = self.learner.weights[self.first].detach().double()
        weights = weights if self.learner.stacked else weights[None]
        if weights.shape[1] < len(self.normals):
            return scored
        found = np.array([cosine(own.numpy(force=True), self.normals) for own in weights])
        epoch = self.step / self.per_epoch
        self.rows.curves += [(seed, self.step, epoch, SPLIT, "cosine", float(found[i])) for i, seed in self.alive()]
        return (scored or {}) | {(SPLIT, "cosine"): found}


class TrainAndCompare(Train):
    """Train a net of one hidden layer, then compare its units' weights with the normals of half-planes.

    `cuts_cosine` in the tables is the least |cosine| between a normal and the weights of the unit that goes with it:
    units and normals are matched so that the sum is greatest. Nets with fewer units than normals have none.

    Args:
        angles: of the normals, in degrees, as the data set has them.
    """

    kind = Compared

    def __init__(self, angles: list[float]) -> None:
        self.normals = normals(angles)

    def __call__(self, prepared: Prepared) -> Compared:
        """The work: training, and one look at the end.

        Raises:
            UserError: the net's first layer does not look at two inputs.
        """
        loop = super().__call__(prepared)
        assert isinstance(loop, Compared)
        first = loop.learner.layers[0].weight if loop.learner.layers else None
        if first is None or loop.learner.weights[first].shape[-1] != self.normals.shape[1]:
            raise UserError("procedure=train_and_compare is for points in the plane; take dataset=half_planes, say")
        loop.first, loop.normals = first, self.normals
        return loop


def cosine(weights: np.ndarray, normals: np.ndarray) -> float:
    """The least |cosine| of matched pairs, in [0, 1].

    Args:
        weights: of the units, shape (units, 2), at least as many as normals.
        normals: unit vectors, shape (sides, 2).
    """
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    similar = np.abs(normals @ (weights / np.maximum(lengths, np.finfo(float).tiny)).T)
    return float(similar[linear_sum_assignment(similar, maximize=True)].min())


@from_rows
def built(data: Any, rng: torch.Generator, *, angles: list[float], distance: float) -> Iterator[Measured]:
    """Accuracy on the test split of a net that nobody trained.

    A unit a side is 1 on the right side of it and 0 beyond; the output is 1 where the sum is above the number of sides
    less a half, so that all of them must agree.

    Args:
        angles, distance: of the sides, as the data set has them.
    """
    del rng
    units = (data.test.x.double().numpy() @ normals(angles).T < distance).astype(float)
    said = units.sum(axis=1) > len(angles) - 0.5
    yield Measured("accuracy", float((said == data.test.y.numpy().astype(bool)).mean()))
