"""What the derivatives of activations cost in a backward pass: the same net with them and without, in turns."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from repro.datasets.protocol import Batch
from repro.errors import UserError, whole
from repro.model.activations.nonlinearity import under
from repro.model.architectures.recurrence import is_recurrent
from repro.model.backward import Function, Rule, exact, linear
from repro.model.trees import leaves
from repro.storage.metrics import COST
from repro.training.prepare import Prepared
from repro.training.replicas import Single
from repro.training.work import Rows, Scored, Untrained


class Passing(torch.autograd.Function):
    """Linear back-propagation at the least cost: nothing is kept for the backward pass and nothing is computed in it.

    `repro.model.backward.linear` does the same with more arithmetic, since it has to work under `torch.func` too.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, function: Function) -> Tensor:  # noqa: ARG004
        """function(a), any shape."""
        return function(a)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ARG004
        """The gradient as it comes."""
        return gradient, None


def passing(function: Function, a: Tensor) -> Tensor:
    """The rule of `Passing`."""
    out: Tensor = Passing.apply(a, function)  # type: ignore[no-untyped-call]
    return out


RULES: tuple[Rule, ...] = (exact, passing, linear)


class Cost:
    """Measure forward and backward passes of one batch, rule against rule in turns, training nothing.

    Args:
        repeats: of each rule, 1 or more.
        warm_up: passes before the first that is measured.
    """

    def __init__(self, repeats: int, warm_up: int) -> None:
        self.repeats, self.warm_up = whole("procedure.repeats", repeats, 1), whole("procedure.warm_up", warm_up, 0)

    def __call__(self, prepared: Prepared) -> "Turns":
        """The work on the run's net and its first batch."""
        learner = prepared.learner()
        if not isinstance(learner, Single):
            raise UserError("procedure=cost measures one net at a time; take replicas=1")
        if is_recurrent(learner.module):
            raise UserError("procedure=cost is for nets without a state; take architecture=mlp, say")
        if torch.get_num_threads() > 1:
            raise UserError("procedure=cost counts processor time, which several threads add to; take threads=1")
        return Turns(learner, prepared.feed.batch(0).part(0), self.repeats, self.warm_up)


class Turns(Untrained):
    """One step a turn: every rule once. The tables get medians over turns of the ratios within a turn.

    cost_backward_ratio: seconds of a backward pass, `passing` over exact; cost_step_ratio: of forward and backward
    pass together; cost_trained_ratio: the same for `backward=linear`, which has to work under `torch.func` as well;
    cost_memory_ratio: bytes kept between the passes; cost_backward_milliseconds, cost_step_milliseconds,
    cost_kept_megabytes: of the exact rule.
    """

    def __init__(self, learner: Single, batch: Batch, repeats: int, warm_up: int) -> None:
        self.learner, self.batch, self.warm_up = learner, batch, warm_up
        self.seeds, self.parameters = learner.seeds, sum(p.numel() for p in learner.parameters.values())
        self.total = repeats
        self.step, self.seconds, self.stopped = 0, 0.0, False
        self.diverged: dict[int, int] = {}
        self.rows = Rows()
        self.turns: list[list[float]] = []  # forward and backward seconds of each rule

    @property
    def finished(self) -> bool:
        """See `Work`."""
        return self.step >= self.total

    def start(self) -> Scored:
        """Passes that are not measured, and the memory that each rule keeps."""
        for _ in range(self.warm_up):
            self._turn()
        with_slopes, without = self._kept(exact), self._kept(passing)
        return self._note({"memory_ratio": without / with_slopes, "kept_megabytes": with_slopes / 1e6})

    def advance(self) -> Scored | None:
        """One turn; after the last one, the ratios."""
        began = time.perf_counter()
        self.turns.append(self._turn())
        self.step += 1
        self.seconds += time.perf_counter() - began
        if not self.finished:
            return None
        forward, backward = (np.array(self.turns)[:, i::2] for i in (0, 1))  # (turns, rules)
        both = forward + backward
        return self._note(
            {
                "backward_ratio": statistics.median(backward[:, 1] / backward[:, 0]),
                "step_ratio": statistics.median(both[:, 1] / both[:, 0]),
                "trained_ratio": statistics.median(both[:, 2] / both[:, 0]),
                "backward_milliseconds": 1000 * statistics.median(backward[:, 0]),
                "step_milliseconds": 1000 * statistics.median(both[:, 0]),
            }
        )

    def _note(self, measured: Mapping[str, float]) -> Scored:
        self.rows.curves += [
            (self.learner.seeds[0], self.step, float(self.step), COST, k, float(v)) for k, v in measured.items()
        ]
        return {(COST, name): np.array([value]) for name, value in measured.items()}

    def _turn(self) -> list[float]:
        return [seconds for rule in RULES for seconds in self._timed(rule)]

    def _timed(self, rule: Rule) -> tuple[float, float]:
        """Seconds of a forward and of a backward pass."""
        with under(self.learner.module, rule):
            for parameter in self.learner.parameters.values():
                parameter.grad = None
            loss, forward = self._clocked(self._loss)
            _, backward = self._clocked(lambda: torch.autograd.backward(loss))
        return forward, backward

    def _loss(self) -> Tensor:
        return self.learner.task.measure(self.learner.call(self.batch.x, ())[0], self.batch.y)["loss"]

    def _clocked(self, work: Callable[[], Any]) -> tuple[Any, float]:
        """On a CPU its own time, which other programs disturb less; on a GPU the time until it has finished."""
        if leaves(self.batch.x)[0].is_cuda:
            torch.cuda.synchronize()
            began = time.perf_counter()
            done = work()
            torch.cuda.synchronize()
            return done, time.perf_counter() - began
        began = time.process_time()
        done = work()
        return done, time.process_time() - began

    def _kept(self, rule: Rule) -> int:
        """Bytes that the graph of a forward pass holds on to, each tensor's memory counted once, weights left out."""
        own = {p.untyped_storage().data_ptr() for p in self.learner.parameters.values()}
        sizes: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            memory = tensor.untyped_storage()
            if memory.data_ptr() not in own:
                sizes[memory.data_ptr()] = memory.nbytes()
            return tensor

        with under(self.learner.module, rule), torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
            loss = self._loss()
            del loss
        return sum(sizes.values())

    def state(self) -> dict[str, Any]:
        """See `Work`."""
        return {"step": self.step, "seconds": self.seconds, "turns": self.turns}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Work`."""
        self.step, self.seconds, self.turns = state["step"], state["seconds"], list(state["turns"])
