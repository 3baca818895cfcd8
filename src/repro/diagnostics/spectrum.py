"""The spectrum of a Hessian and what is read off it: exactly, at its ends, or as a density.

γ is the share of flat directions and α that of directions of negative curvature, both of N parameters (Milletarì et al.
2018). `docs/quantities.md` says how each is counted.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch

from repro.bars import bar, tracked
from repro.diagnostics.hessian import hessian, sound
from repro.diagnostics.objective import Objective
from repro.errors import UserError, number, whole
from repro.memory import machine, said

TOLERANCES = (1e-8, 1e-6, 1e-4)
"""Of γ and α, relative to the greatest eigenvalue in absolute value."""

LEAST_QUADRATURE = 1e-4
"""Below this a quadrature of a hundred points cannot tell small eigenvalues from none."""

KRYLOV = 60  # vectors that Lanczos keeps, at least
MATRICES = 4  # of the size of a Hessian, that its eigenvalues need


class Found(NamedTuple):
    """One number of a spectrum.

    Attributes:
        quantity: its name.
        place: of an eigenvalue, smallest first, of an eigenvector's component or of a node; None for an index.
        value: the number.
        error: standard error over probes; None where there is none.
    """

    quantity: str
    place: int | None
    value: float
    error: float | None = None


class Method(Protocol):
    """How a spectrum is found; what `hessian=` builds.

    Attributes:
        name: exact, lanczos or slq.
        seeds: of how many replicas single eigenvalues are written, too; None = of all.
    """

    name: str
    seeds: int | None

    def check(self, objective: Objective) -> None:
        """Raise a `UserError` where the net is too large, or too small, for this."""

    def needs(self, count: int) -> int:
        """Bytes of memory for so many parameters, besides what the net itself takes."""

    def measure(self, objective: Objective, seed: int, last: bool) -> Iterator[Found]:
        """What there is to say of the Hessian of an objective; NaN of one that is not finite, a diverged net's.

        Args:
            objective: at the parameters of interest.
            seed: of random probes.
            last: whether this is the run's last measurement.

        Raises:
            UserError: the second derivatives that torch has of it are wrong.
        """


class Exact:
    """Every eigenvalue, of the whole matrix in double precision.

    Args:
        tolerances: of γ and α, relative to the greatest eigenvalue in absolute value; each in (0, 1).
        seeds: of how many replicas the eigenvalues are written and not the indices alone; None = of all.
        eigenvectors: whether eigenvectors are looked at: their participation, and the components of those of the last
            measurement.
    """

    name = "exact"

    def __init__(self, tolerances: Sequence[float], seeds: int | None, eigenvectors: bool) -> None:
        self.tolerances = _tolerances(tolerances)
        self.seeds = seeds if seeds is None else whole("hessian.seeds", seeds, 0)
        self.eigenvectors = eigenvectors

    def check(self, objective: Objective) -> None:
        """The matrix must fit into memory."""
        wanted, have = self.needs(objective.count), _memory(objective.theta.device)
        if wanted > have:
            most = int((have / (MATRICES * 8)) ** 0.5)
            raise UserError(
                f"the Hessian of {objective.count:,} parameters needs {said(wanted)} of memory, and there are "
                f"{said(have)}, enough for {most:,} parameters; take hessian=slq or hessian=lanczos"
            )

    def needs(self, count: int) -> int:
        """See `Method`."""
        return MATRICES * 8 * count**2

    def measure(self, objective: Objective, seed: int, last: bool) -> Iterator[Found]:
        """See `Method`."""
        del seed
        matrix = hessian(objective)
        finite = bool(matrix.isfinite().all())
        yield Found("gamma_structural", None, float((matrix == 0).all(1).double().mean()) if finite else math.nan)
        if not finite:  # which torch answers with an error
            values, vectors = matrix[0] * math.nan, matrix * math.nan
        elif self.eigenvectors:
            values, vectors = torch.linalg.eigh(matrix)
        else:
            values = torch.linalg.eigvalsh(matrix)
        yield from indices(values.cpu().numpy(), self.tolerances)
        yield from _ends(float(values[0]), float(values[-1]))
        yield from _common(objective)
        if self.eigenvectors:
            # Mean inverse participation ratio: 1 where each eigenvector is one parameter, 1/N where all take part.
            yield Found("participation", None, float(vectors.pow(4).sum(0).mean()))
        yield from (Found("eigenvalue", i, value) for i, value in enumerate(values.tolist()))
        if self.eigenvectors and last:
            for k, vector in enumerate(vectors.T.tolist()):
                yield from (Found(f"eigenvector_{k:03d}", i, value) for i, value in enumerate(vector))


class Lanczos:
    """The greatest and the smallest eigenvalues, by SciPy's implicitly restarted Lanczos method.

    Args:
        extremes: how many at each end, at least 1.
    """

    name = "lanczos"
    seeds: int | None = None

    def __init__(self, extremes: int) -> None:
        self.extremes = whole("hessian.extremes", extremes, 1)

    def check(self, objective: Objective) -> None:
        """There must be more eigenvalues than are wanted."""
        if 2 * self.extremes >= objective.count:
            raise UserError(
                f"hessian.extremes={self.extremes} at each end are all of the {objective.count} "
                "eigenvalues; take hessian=exact"
            )
        wanted, have = self.needs(objective.count), _memory(objective.theta.device)
        if wanted > have:
            raise UserError(
                f"Lanczos vectors of {objective.count:,} parameters, {self._kept(objective.count)} of them, need "
                f"{said(wanted)} of memory, and there are {said(have)}; the net is too large for its Hessian"
            )

    def needs(self, count: int) -> int:
        """See `Method`."""
        return 8 * self._kept(count) * count

    def _kept(self, size: int) -> int:
        return min(size, max(2 * self.extremes + 1, KRYLOV))

    def measure(self, objective: Objective, seed: int, last: bool) -> Iterator[Found]:
        """See `Method`."""
        from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh  # most runs look at no Hessian

        del last
        size, finite = objective.count, sound(objective)

        shown = bar(None, "Hessian by Lanczos", "product")  # as many as it takes

        def times(vector: np.ndarray) -> np.ndarray:
            shown.update()
            row = torch.as_tensor(vector.reshape(1, -1), dtype=torch.float64, device=objective.theta.device)
            product: np.ndarray = objective.products(row)[0].cpu().numpy()
            return product

        operator = LinearOperator((size, size), matvec=times, dtype=np.float64)
        start = np.random.default_rng(seed).standard_normal(size)
        kept = self._kept(size)
        try:
            ends = [
                np.sort(eigsh(operator, self.extremes, which=end, v0=start, ncv=kept, return_eigenvectors=False))
                if finite
                else np.full(self.extremes, math.nan)
                for end in ("SA", "LA")
            ]
        except ArpackNoConvergence as error:
            raise UserError(
                f"Lanczos found {len(error.eigenvalues)} of {self.extremes} eigenvalues at one end and "
                "cannot tell the next ones apart; lower hessian.extremes, or take hessian=exact"
            ) from error
        finally:
            shown.close()
        yield from _ends(float(ends[0][0]), float(ends[1][-1]))
        yield Found("gamma_structural", None, structural(objective))
        yield from _common(objective)
        for first, values in zip((0, size - self.extremes), ends, strict=True):
            yield from (Found("eigenvalue", first + i, float(value)) for i, value in enumerate(values))


class Quadrature:
    """The density of eigenvalues, by stochastic Lanczos quadrature (Ubaru, Chen and Saad 2017).

    Random vectors of signs are probes; each gives a quadrature of its own, and their spread gives standard errors.

    Args:
        probes: random vectors, 2 or more.
        steps: of the Lanczos process for each, 2 or more: nodes of its quadrature.
        tolerances: of γ and α as in `Exact`, 1e-4 or more.

    Raises:
        UserError: a tolerance is too small to be told from zero.
    """

    name = "slq"
    seeds: int | None = None

    def __init__(self, probes: int, steps: int, tolerances: Sequence[float]) -> None:
        self.probes, self.steps = whole("hessian.probes", probes, 2), whole("hessian.steps", steps, 2)
        self.tolerances = _tolerances(tolerances)
        if (least := min(self.tolerances)) < LEAST_QUADRATURE:
            raise UserError(
                f"hessian.tolerances holds {least:g}, and slq cannot say how many eigenvalues are that "
                f"small: its nodes stand for clusters of them; take {LEAST_QUADRATURE:g} or more, or "
                "hessian=exact"
            )

    def check(self, objective: Objective) -> None:
        """The vectors of all steps must fit into memory."""
        size, have = self.needs(objective.count), _memory(objective.theta.device)
        if size > have:
            fitting = int(have / (8 * objective.count))
            few = f"hessian.probes=2 hessian.steps={fitting // 2}"
            raise UserError(
                f"hessian.probes={self.probes} × hessian.steps={self.steps} vectors of {objective.count:,} parameters "
                f"need {said(size)} of memory, and there are {said(have)}, enough for {fitting:,} vectors; "
                f"take {f'{few} or ' if fitting >= 20 else ''}hessian=lanczos"
            )

    def needs(self, count: int) -> int:
        """See `Method`."""
        return basis_size(count, self.probes, self.steps)

    def measure(self, objective: Objective, seed: int, last: bool) -> Iterator[Found]:
        """See `Method`."""
        del last
        steps = min(self.steps, objective.count)
        if sound(objective):
            nodes, weights = quadrature(objective, self.probes, steps, seed)
        else:
            nodes, weights = np.full((2, self.probes, steps), math.nan)
        seen = nodes[~(weights <= np.finfo(float).eps)]
        low, high = float(seen.min()), float(seen.max())
        size = max(-low, high)
        for tolerance in self.tolerances:
            yield from _shares(nodes, weights, tolerance * size, named(tolerance))
        yield from _ends(low, high)
        yield Found("trace", None, *_mean(objective.count * (weights * nodes).sum(1)))
        yield Found("gamma_structural", None, structural(objective))
        yield from _common(objective)
        for name, values in (("node", nodes), ("weight", weights)):
            yield from (Found(name, i, float(value)) for i, value in enumerate(values.flatten()))


def indices(values: np.ndarray, tolerances: Sequence[float]) -> Iterator[Found]:
    """γ and α of eigenvalues (N,): shares of those that are zero, and negative, to a relative tolerance.

    In [0, 1]; NaN where an eigenvalue is not finite.
    """
    size = np.abs(values).max()

    def share(which: np.ndarray) -> float:
        return float(which.mean()) if np.isfinite(size) else math.nan

    yield Found("alpha_raw", None, share(values < 0))
    for tolerance in tolerances:
        yield Found(f"gamma_{named(tolerance)}", None, share(np.abs(values) <= tolerance * size))
        yield Found(f"alpha_{named(tolerance)}", None, share(values < -tolerance * size))


def named(tolerance: float) -> str:
    """A tolerance as it stands in names, without a dot: 1e-8, 2_5e-4."""
    digits, _, power = f"{tolerance:e}".partition("e")
    return f"{float(digits):g}e{int(power)}".replace(".", "_")


def structural(objective: Objective) -> float:
    """Share of parameters that no sample's loss depends on, to first order: dead units, dead inputs.

    Their rows of the Hessian are zero; found without it, in one pass over the samples. NaN where a gradient is.
    """
    alive = torch.zeros(objective.count, dtype=torch.bool, device=objective.theta.device)
    for gradients in objective.sample_gradients():
        if not gradients.isfinite().all():
            return math.nan
        alive |= (gradients != 0).any(0)
    return 1 - float(alive.double().mean())


def basis_size(count: int, probes: int, steps: int) -> int:
    """Bytes that a quadrature keeps of so many parameters: the vectors of all probes and steps."""
    return 8 * count * probes * min(steps, count)


def quadrature(objective: Objective, probes: int, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights, each (probes, steps), of one Lanczos process a probe, fully reorthogonalized, twice.

    The weights of a probe sum to 1: they are shares of all eigenvalues.
    """
    theta = objective.theta
    rng = torch.Generator(theta.device).manual_seed(seed)
    signs = torch.randint(2, (probes, objective.count), generator=rng, device=theta.device)
    vector = (2 * signs - 1).to(theta) / objective.count**0.5
    basis = torch.zeros(steps, probes, objective.count, dtype=theta.dtype, device=theta.device)
    diagonal, beside = (torch.zeros(probes, steps, dtype=theta.dtype, device=theta.device) for _ in range(2))
    batches = tracked(range(steps * len(objective.batches)), "Hessian by quadrature", "batch")
    next(batches)
    for k in range(steps):
        basis[k] = vector
        product = objective.products(vector, lambda: next(batches, None))
        diagonal[:, k] = (product * vector).sum(1)
        for _ in range(2):
            along = torch.einsum("kpn,pn->kp", basis[: k + 1], product)
            product = product - torch.einsum("kp,kpn->pn", along, basis[: k + 1])
        beside[:, k] = product.norm(dim=1)
        # Where a probe has seen all that it can see, it goes on with nothing: nodes of weight 0.
        ended = beside[:, k] <= torch.finfo(theta.dtype).eps * diagonal.abs().amax(1) * steps
        beside[ended, k] = 0.0
        vector = torch.where(ended[:, None], 0.0, product / beside[:, k, None].clamp_min(torch.finfo(theta.dtype).tiny))
    tridiagonal = (
        torch.diag_embed(diagonal) + torch.diag_embed(beside[:, :-1], 1) + torch.diag_embed(beside[:, :-1], -1)
    )
    nodes, vectors = torch.linalg.eigh(tridiagonal)
    return nodes.cpu().numpy(), vectors[:, 0].square().cpu().numpy()


def _shares(nodes: np.ndarray, weights: np.ndarray, width: float, name: str) -> Iterator[Found]:
    """γ and α at an absolute tolerance, with standard errors over probes, and between which bounds they must lie.

    The bounds are those of Chebyshev, Markov and Stieltjes: a Gauss quadrature knows a distribution function up to the
    weights of the nodes around a place. They hold for each probe, and are means over probes here.
    """
    gamma, alpha = (weights * (np.abs(nodes) <= width)).sum(1), (weights * (nodes < -width)).sum(1)
    below, upto = (_distribution(nodes, weights, place) for place in (-width, width))
    yield Found(f"gamma_{name}", None, *_mean(gamma))
    yield Found(f"gamma_{name}_low", None, float((upto[0] - below[1]).clip(0).mean()))
    yield Found(f"gamma_{name}_high", None, float((upto[1] - below[0]).mean()))
    yield Found(f"alpha_{name}", None, *_mean(alpha))
    yield Found(f"alpha_{name}_low", None, float(below[0].mean()))
    yield Found(f"alpha_{name}_high", None, float(below[1].mean()))


def _distribution(nodes: np.ndarray, weights: np.ndarray, place: float) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the share of eigenvalues up to a place, each (probes,)."""
    total = np.pad(weights.cumsum(1), ((0, 0), (1, 1)), mode="edge")  # of the first k nodes, at place k + 1
    total[:, 0] *= 0  # NaN stays NaN
    left = (nodes <= place).sum(1)[:, None]  # so many nodes lie up to the place
    low = np.take_along_axis(total, np.maximum(left - 1, 0), 1)[:, 0]
    high = np.take_along_axis(total, np.minimum(left + 1, nodes.shape[1]), 1)[:, 0]
    return low, high


def _common(objective: Objective) -> Iterator[Found]:
    yield Found("gradient_norm", None, float(objective.gradient().norm()))
    yield Found("parameters", None, float(objective.count))
    yield from (Found(name, None, value) for name, value in objective.scores().items())


def _ends(low: float, high: float) -> Iterator[Found]:
    yield Found("lambda_min", None, low)
    yield Found("lambda_max", None, high)


def _mean(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)


def _tolerances(values: Sequence[float]) -> tuple[float, ...]:
    if not values:
        raise UserError("hessian.tolerances is empty; give at least one number, e.g. [1e-4]")
    return tuple(number("hessian.tolerances", value, 0, 1, "()") for value in values)


def _memory(device: torch.device) -> float:
    """Bytes there are, free or not."""
    return float(torch.cuda.mem_get_info(device)[1]) if device.type == "cuda" else machine()
