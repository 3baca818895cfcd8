"""The whole Hessian against loops of Hessian-vector products, and the end of its spectrum by quadrature."""

import statistics
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.func import grad, jvp

from benchmarks.measure import Row, in_turns, ratio, run_of
from repro.diagnostics.hessian import hessian
from repro.diagnostics.objective import Objective
from repro.diagnostics.spectrum import quadrature
from repro.procedures.train import Train
from repro.training import prepare

BAR = 3
REPEATS = 3
WORDS = [
    "dataset=authors_digits",
    "task=sigmoids",
    "architecture.depth=1",
    "architecture.width=25",
    "activation=esp",
    "architecture.output_beta=0",
    "architecture.output_beta_std=0.004",
    "trainer.batch_size=null",
    "optimizer=adam",
    "optimizer.lr=0.01",
    "trainer.precision=float64",
    "diagnostics=none",
]
TRAINED = 200  # updates, so that the spectrum is one of a net that has learnt


def rows() -> Iterator[Row]:
    """At the size of Milletarì et al. 2018: digits, 64-25-10, 1,920 parameters, 1,437 samples, float64."""
    objective = _objective()
    name = f"Hessian of {objective.count:,} parameters on {objective.samples:,} digits"
    jobs: list[Callable[[], object]] = [partial(hessian, objective)]
    jobs += [partial(loop, objective, every) for loop, every in LOOPS.values()]
    matrix = hessian(objective)
    for loop, every in LOOPS.values():
        torch.testing.assert_close(loop(objective, every), matrix[::every])
    whole, *loops = in_turns(jobs, REPEATS)
    for (words, (_, every)), found in zip(LOOPS.items(), loops, strict=True):
        times = every * ratio(found, whole)
        yield Row(
            f"{name}, against a loop of products, {words}",
            f"{times:.1f} × ({statistics.median(whole):.1f} s against {every * statistics.median(found):.1f} s)",
            f"{BAR} ×",
            times >= BAR,
        )
    exact = float(torch.linalg.eigvalsh(matrix)[-1])
    nodes, _ = quadrature(objective, 10, 100, seed=0)
    error = abs(float(nodes.max()) / exact - 1)
    yield Row("its greatest eigenvalue by slq (10 probes, 100 steps), relative error", f"{error:.0e}")


def _objective() -> Objective:
    run, device = run_of(*WORDS), torch.device("cpu")
    torch.set_num_threads(run.settings["threads"])
    parts = prepare.components(run)
    data, feed = prepare.read_data(run, parts, device)
    loop = Train()(prepare.Prepared(run, device, parts, data, feed))
    for _ in range(TRAINED):
        loop.advance()
    return Objective(loop.learner.module, parts.task, list(feed.batches("train")))


def _loss(objective: Objective, theta: Tensor) -> Tensor:
    """The mean loss of all samples at once."""
    (batch,) = objective.batches
    return objective.summed(theta, batch) / objective.samples


def kept_graph(objective: Objective, every: int) -> Tensor:
    """One row in so many, each by a backward pass through the gradient's graph, which is made once."""
    theta = objective.theta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(_loss(objective, theta), theta, create_graph=True)
    units = torch.eye(objective.count, dtype=theta.dtype)[::every]
    return torch.stack([torch.autograd.grad(gradient, theta, unit, retain_graph=True)[0] for unit in units])


def forward_over_reverse(objective: Objective, every: int) -> Tensor:
    """One row in so many, each by a derivative of the gradient along one parameter."""
    units = torch.eye(objective.count, dtype=objective.theta.dtype)[::every]
    gradient = grad(lambda theta: _loss(objective, theta))
    return torch.stack([jvp(gradient, (objective.theta,), (unit,))[1] for unit in units])


# Each with the share of the rows that it is measured on, one in so many: all of the second's would take minutes.
LOOPS = {"the gradient's graph kept": (kept_graph, 1), "torch.func.jvp of the gradient": (forward_over_reverse, 16)}
