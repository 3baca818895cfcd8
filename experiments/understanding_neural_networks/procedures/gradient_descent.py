"""What is said of gradient descent, one by one: the steepest direction, minima, steps of 0 and 1, cost of an update."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from repro.errors import UserError, number, whole
from repro.training.work import Measured, from_rows

ENDS = (-4.0, 4.0)  # of the starts
SMALL = 1e-4  # length of a step in the plane whose direction is looked for
FEATURES = 100  # of the regression whose updates are timed


def _check(
    *,
    directions: int,
    starts: int,
    steps: int,
    rate: float,
    momentum: float,
    noise: float,
    samples: Sequence[int],
    batch: int,
    repeats: int,
) -> None:
    for name, count, low in (("directions", directions, 8), ("starts", starts, 2), ("steps", steps, 1)):
        whole(name, count, low)
    number("rate", rate, 0, ends="()")
    number("momentum", momentum, 0, 1, "[)")
    number("noise", noise, 0)
    whole("batch", batch, 1)
    if not samples:
        raise UserError("samples must name one size or more, e.g. samples=[1000,64000]")
    for size in samples:
        whole("samples", size, batch)
    whole("repeats", repeats, 1)


@from_rows(check=_check)
def gradient_descent(
    data: None,
    rng: torch.Generator,
    *,
    directions: int,
    starts: int,
    steps: int,
    rate: float,
    momentum: float,
    noise: float,
    samples: Sequence[int],
    batch: int,
    repeats: int,
) -> Iterator[Measured]:
    """Four small facts.

    Args:
        data: none.
        rng: of noise, weights and samples.
        directions: tried around a point, 8 or more.
        starts: on the line, evenly from −4 to 4.
        steps: from each.
        rate: of them, above 0.
        momentum: in [0, 1), of the second of three ways down.
        noise: standard deviation of what is added to each step at first, falling to 0; of the third.
        samples: sizes of data sets on which an update is timed.
        batch: samples of a mini-batch.
        repeats: of what is timed.
    """
    del data
    yield from _steepest(directions)
    yield from _ways_down(rng, starts, steps, rate, momentum, noise)
    yield from _binary_units(rng)
    yield from _cost_of_an_update(rng, samples, batch, repeats)


def _steepest(directions: int) -> Iterator[Measured]:
    """C = 3/2 x² + 1/2 y² at (1, 1), whose gradient is (3, 1): the direction of the greatest rise, by trying all."""

    def cost(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 1.5 * x**2 + 0.5 * y**2

    angles = 2 * np.pi * np.arange(directions) / directions
    best = angles[cost(1 + SMALL * np.cos(angles), 1 + SMALL * np.sin(angles)).argmax()]
    one = np.ones(1)
    rises = [cost(one + SMALL, one) - cost(one, one), cost(one, one + SMALL) - cost(one, one)]
    yield Measured("steepest_angle", best)
    yield Measured("steepest_off_by", abs(best - np.arctan(1 / 3)) / (2 * np.pi / directions))
    yield Measured("rise_ratio", float(rises[0][0] / rises[1][0]))


def landscape(w: np.ndarray) -> np.ndarray:
    """A line with several minima: w⁴/20 − 3/5 w² + 3/10 w + sin 3w."""
    return 0.05 * w**4 - 0.6 * w**2 + 0.3 * w + np.sin(3 * w)


def slope(w: np.ndarray) -> np.ndarray:
    """Its derivative."""
    return 0.2 * w**3 - 1.2 * w + 0.3 + 3 * np.cos(3 * w)


def minima(count: int = 100_001) -> np.ndarray:
    """Where the landscape has its minima, to the grid's step."""
    w = np.linspace(*ENDS, count)
    values = landscape(w)
    return w[1:-1][(values[1:-1] < values[:-2]) & (values[1:-1] < values[2:])]


def _ways_down(
    rng: torch.Generator, starts: int, steps: int, rate: float, momentum: float, noise: float
) -> Iterator[Measured]:
    places = minima()
    lowest = int(landscape(places).argmin())
    begin = np.linspace(*ENDS, starts)
    shaken = noise * torch.randn(steps, starts, generator=rng, dtype=torch.float64).numpy()
    ways = {"plain": (0.0, 0 * shaken), "momentum": (momentum, 0 * shaken), "noise": (0.0, shaken)}
    for name, (kept, added) in ways.items():
        w, speed = begin.copy(), np.zeros(starts)
        for step in range(steps):
            speed = kept * speed - rate * slope(w)
            w = w + speed + (1 - step / steps) * added[step]
        for _ in range(steps):  # to the bottom, without momentum or noise
            w = w - rate * slope(w)
        nearest = np.abs(w[:, None] - places).argmin(1)
        yield Measured(f"minima_{name}", len(set(nearest.tolist())))
        yield Measured(f"lowest_{name}", (nearest == lowest).mean())
        for place, end in enumerate(w):
            yield Measured(f"end_{name}", end, place)
    for place, (at, value) in enumerate(zip(places, landscape(places), strict=True)):
        yield Measured("minimum_at", at, place)
        yield Measured("minimum_value", value, place)


def _binary_units(rng: torch.Generator, samples: int = 64, hidden: int = 8) -> Iterator[Measured]:
    """Share of the weights of a 4-8-1 net that move its cost when they move a little, by kind of unit."""
    x, y = torch.randn(samples, 4, generator=rng), torch.rand(samples, 1, generator=rng)
    first, second = torch.randn(4, hidden, generator=rng).double(), torch.randn(hidden, 1, generator=rng).double()
    units: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "binary": lambda z: (z > 0).double(),
        "sigmoid": torch.sigmoid,
    }
    for name, unit in units.items():

        def cost(v: torch.Tensor, unit: Callable[[torch.Tensor], torch.Tensor] = unit) -> torch.Tensor:
            w1, w2 = v[: 4 * hidden].view(4, hidden), v[4 * hidden :].view(hidden, 1)
            return (unit(unit(x.double() @ w1) @ w2) - y).square().mean()

        flat = torch.cat([first.flatten(), second.flatten()])
        small = 1e-7 * torch.eye(len(flat), dtype=torch.float64)
        slopes = [float(cost(flat + d) - cost(flat - d)) for d in small]
        yield Measured(f"moving_{name}", np.mean(np.array(slopes) != 0))


def _cost_of_an_update(rng: torch.Generator, samples: Sequence[int], batch: int, repeats: int) -> Iterator[Measured]:
    """Milliseconds of an update of a linear regression, all samples or a mini-batch; medians, by data set's size.

    They are of the processor's own time, which other programs disturb less.
    """
    found: dict[str, list[float]] = {"full": [], "minibatch": []}
    for size in samples:
        x, y = torch.randn(size, FEATURES, generator=rng), torch.randn(size, generator=rng)
        w = torch.zeros(FEATURES)
        took: dict[str, list[float]] = {"full": [], "minibatch": []}
        for _ in range(repeats):
            for name, own in took.items():
                began = time.process_time()
                if name == "minibatch":
                    drawn = torch.randint(size, (batch,), generator=rng)
                    some, wanted = x[drawn], y[drawn]
                else:
                    some, wanted = x, y
                w = w - 0.01 * some.T @ (some @ w - wanted) / len(wanted)
                own.append(1000 * (time.process_time() - began))
        for name, own in took.items():
            found[name].append(statistics.median(own))
            yield Measured(f"{name}_milliseconds", found[name][-1], size)
    for name, medians in found.items():
        yield Measured(f"{name}_time_ratio", medians[-1] / medians[0])
