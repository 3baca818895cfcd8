"""Linear pieces of ReLU nets, and regions that lines cut the plane into: counted exactly."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from repro.errors import UserError, number, whole
from repro.training.work import Measured, from_rows

Floats = NDArray[np.float64]
Layers = Sequence[tuple[Floats, Floats]]
"""Weights (units, inputs) and biases (units,) of each layer; ReLUs stand between, none behind the last."""

BENT = 1e-9  # share of the greatest slope by which two slopes differ when there is a bend between them


@from_rows
def composed_tents(data: None, rng: torch.Generator, *, depth: int) -> Iterator[Measured]:
    """The tent map 2 relu(x) − 4 relu(x − ½) after itself: 2^L linear pieces on [0, 1] with 2L units (Telgarsky 2015).

    Args:
        data, rng: not used.
        depth: the greatest L, 1 to 20.

    Yields:
        pieces, and units, at step L.

    Raises:
        UserError: the depth is not allowed.
    """
    del data, rng
    if whole("procedure.depth", depth, 1) > 20:
        raise UserError(f"procedure.depth must be 20 or less, since a net of depth L has 2^L pieces, not {depth}")
    for layers in range(1, depth + 1):
        yield Measured("pieces", pieces(tents(layers), np.zeros(1), np.ones(1)), layers)
        yield Measured("units", 2 * layers, layers)


def tents(depth: int) -> Layers:
    """The net: `depth` hidden layers of two ReLUs each."""
    shift, peak = np.array([0.0, -0.5]), np.array([[2.0, -4.0]])
    first: list[tuple[Floats, Floats]] = [(np.ones((2, 1)), shift)]
    return [*first, *[(np.repeat(peak, 2, axis=0), shift)] * (depth - 1), (peak, np.zeros(1))]


@from_rows
def random_pieces(
    data: None, rng: torch.Generator, *, widths: list[int], inputs: int, lines: int, reach: float, bias_std: float
) -> Iterator[Measured]:
    """Linear pieces of a random ReLU net with one output, along random lines (Hanin and Rolnick 2019).

    Weights are He's, N(0, 2/n), n the fan-in; a line runs through a normal point in a direction that is uniform.

    Args:
        data: none.
        rng: of net and lines.
        widths: ReLUs of each hidden layer.
        inputs: of the net.
        lines: that are averaged over.
        reach: how far from its point a line is followed, both ways, above 0.
        bias_std: standard deviation of the biases, 0 or above.

    Yields:
        mean: pieces, averaged over lines; units: hidden ones.

    Raises:
        UserError: an option is not allowed.
    """
    del data
    if not widths:
        raise UserError("procedure.widths needs a number for each hidden layer, e.g. [16, 16, 16], not []")
    sizes = [whole("procedure.inputs", inputs, 1), *(whole("each of procedure.widths", w, 1) for w in widths), 1]
    whole("procedure.lines", lines, 1)
    far, std = number("procedure.reach", reach, 0, ends="(]"), number("procedure.bias_std", bias_std, 0)

    def normal(*shape: int) -> Floats:
        return torch.randn(*shape, generator=rng, dtype=torch.float64).numpy()

    net = [(normal(m, n) * math.sqrt(2 / n), std * normal(m)) for n, m in pairwise(sizes)]
    counts = []
    for _ in range(lines):
        middle, way = normal(inputs), normal(inputs)
        way *= far / np.linalg.norm(way)
        counts.append(pieces(net, middle - way, middle + way))
    yield Measured("mean", float(np.mean(counts)))
    yield Measured("units", sum(sizes[1:-1]))


def pieces(net: Layers, start: Floats, end: Floats) -> int:
    """Linear pieces of a net's first output on the way from one point (inputs,) to another.

    Layer by layer: a unit bends where what it gets crosses 0, and between two bends of earlier layers that is linear.
    """
    along = np.array([0.0, 1.0])
    h = np.stack([start, end])  # (places, units)
    for weight, bias in net[:-1]:
        z = h @ weight.T + bias
        at, unit = np.nonzero(z[:-1] * z[1:] < 0)
        share = z[at, unit] / (z[at, unit] - z[at + 1, unit])
        new = np.unique(np.concatenate([along, along[at] + share * (along[at + 1] - along[at])]))
        h = np.maximum(np.stack([np.interp(new, along, column) for column in z.T], axis=1), 0)
        along = new
    y = h @ net[-1][0][0] + net[-1][1][0]
    wide = np.diff(along) > 1e-12  # narrower ones are rounding's
    slopes = (np.diff(y) / np.maximum(np.diff(along), 1e-300))[wide]
    return 1 + int((np.abs(np.diff(slopes)) > BENT * np.abs(slopes).max()).sum())


@from_rows
def cut_plane(data: None, rng: torch.Generator, *, lines: list[int], draws: int) -> Iterator[Measured]:
    """Regions of the plane between random lines: at most 1 + n + n (n − 1) / 2 between n of them.

    Args:
        data: none.
        rng: of the lines.
        lines: numbers n of lines, each 1 or more.
        draws: of n lines each.

    Yields:
        most: regions, of all draws; bound: the formula; both at step n.

    Raises:
        UserError: an option is not allowed.
    """
    del data
    whole("procedure.draws", draws, 1)
    for n in lines:
        whole("each of procedure.lines", n, 1)
        drawn = torch.randn(draws, n, 3, generator=rng, dtype=torch.float64).numpy()
        yield Measured("most", max(map(regions, drawn)), n)
        yield Measured("bound", 1 + n + n * (n - 1) // 2, n)


def regions(lines: Floats) -> int:
    """Regions between lines a · x + b = 0, rows (a₁, a₂, b), no three of them through a point and no two parallel.

    A region is known by the sides of the lines that it lies on. Each has a corner at a crossing of two lines, or, where
    there is one line alone, is a side of it; around a crossing all four combinations of its two lines' sides occur.
    """
    if len(lines) == 1:
        return 2
    found = set()
    for i, j in combinations(range(len(lines)), 2):
        crossing = np.linalg.solve(lines[[i, j], :2], -lines[[i, j], 2])
        sides = np.sign(lines[:, :2] @ crossing + lines[:, 2])
        for sides[i] in (-1, 1):
            for sides[j] in (-1, 1):
                found.add(tuple(sides))
    return len(found)
