"""When a run looks at the Hessian of its loss, and what it writes down of it."""

from collections.abc import Iterator

from repro.datasets.protocol import Feed
from repro.diagnostics.objective import Objective
from repro.diagnostics.spectrum import Found, Method
from repro.training.replicas import Learner, values_of


class Curvature:
    """Measures the Hessian of every replica of a learner.

    Args:
        method: exact, Lanczos or quadrature.
        learner: whose parameters it is taken at.
        feed: whose training split the loss is taken on.

    Raises:
        UserError: the net is not one whose Hessian can be had this way.
    """

    def __init__(self, method: Method, learner: Learner, feed: Feed) -> None:
        self.method, self.learner = method, learner
        self.objective = Objective(learner.module, learner.task, list(feed.batches("train")))
        method.check(self.objective)

    def measure(self, replica: int, last: bool) -> Iterator[Found]:
        """What is found at the present parameters of a replica; single eigenvalues only where they are asked for."""
        learner = self.learner
        objective = self.objective.at(*values_of(learner, replica))
        whole = self.method.seeds is None or replica < self.method.seeds
        measured = self.method.measure(objective, learner.seeds[replica], last and whole)
        return (one for one in measured if whole or one.place is None)
