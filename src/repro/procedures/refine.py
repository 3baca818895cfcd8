"""Training in stages, between which the splines of a net get finer grids."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from repro.errors import UserError, number, whole
from repro.model.trees import leaves
from repro.procedures.train import Train, new_optimizer
from repro.training.loop import Loop
from repro.training.prepare import Prepared, execution
from repro.training.replicas import Learner, learner, net_of


class Refine:
    """Train the run's nets in as many stages of equal length as there are grids, and one more.

    Before each stage but the first, `architecture=kan`, or any net with an option `grid` and the methods `refine` and
    `resize` of `repro.model.architectures.kan.KAN`, has its knots laid anew over the training inputs, its splines are
    fitted to what they were, and the optimizer begins afresh. Every stage's end is evaluated, whatever else is.

    Args:
        grids: intervals of the splines in each stage after the first; the first has `architecture.grid`.
        adaptive: 0 spaces knots evenly, towards 1 as the inputs are spread; in [0, 1).

    Raises:
        UserError: an option is out of its range.
    """

    def __init__(self, grids: Sequence[int], adaptive: float) -> None:
        self.grids = [whole("procedure.grids: each", grid, 1) for grid in grids]
        self.adaptive = number("procedure.adaptive", adaptive, 0, 1, "[)")

    def __call__(self, prepared: Prepared) -> Loop:
        """The training loop, ready to start.

        Raises:
            UserError: the net has no splines, the best is to be kept, or there are fewer updates than stages; also what
                `Train` refuses.
        """
        loop = Train()(prepared)
        splined = hasattr(loop.learner.module, "refine") and "grid" in prepared.run.settings["architecture"]
        if not splined:
            raise UserError(
                "procedure=refine makes the grids of splines finer, and this net has none; "
                "take architecture=kan, or leave it out"
            )
        if prepared.run.trainer.keep_best:
            raise UserError(
                "procedure=refine changes the size of the net on the way, and trainer.keep_best could not take an "
                "earlier one up again; leave it null"
            )
        if loop.total <= len(self.grids):
            raise UserError(
                f"procedure.grids lists {len(self.grids)} grids, each a stage after the first, for {loop.total} "
                "updates in all; list fewer, or train longer (trainer.steps)"
            )
        loop.growth = Refinement(self.grids, self.adaptive, loop.total, prepared)
        return loop


class Refinement:
    """The stages of a training loop; see `repro.training.loop.Growth`.

    Args:
        grids: see `Refine`.
        adaptive: likewise.
        total: updates of the whole run.
        prepared: the run.
    """

    def __init__(self, grids: Sequence[int], adaptive: float, total: int, prepared: Prepared) -> None:
        self.adaptive, self.prepared = adaptive, prepared
        self.first = int(prepared.run.settings["architecture"]["grid"])
        self.grid_from = {total * (i + 1) // (len(grids) + 1): grid for i, grid in enumerate(grids)}

    def due(self, step: int) -> bool:
        """Whether a stage begins after so many updates."""
        return step in self.grid_from

    def notes(self, step: int) -> dict[str, float]:
        """The grid that the last of so many updates had."""
        return {"grid": float(self._grid(step))}

    def grown(self, learner: Learner, step: int) -> tuple[Learner, torch.optim.Optimizer]:
        """Nets with the next grid, trained as far as they were."""
        x = torch.cat([leaves(batch.x)[0] for batch in self.prepared.feed.batches("train")])
        return self._changed(learner, lambda net: net.refine(x, self.grid_from[step], self.adaptive))

    def blank(self, learner: Learner, step: int) -> tuple[Learner, torch.optim.Optimizer]:
        """Nets with the grid that the last of so many updates had."""
        return self._changed(learner, lambda net: net.resize(self._grid(step)))

    def _grid(self, step: int) -> int:
        return [self.first, *(grid for begins, grid in self.grid_from.items() if begins < step)][-1]

    def _changed(self, old: Learner, change: Callable[[Any], None]) -> tuple[Learner, torch.optim.Optimizer]:
        nets = [net_of(old, i) for i in range(len(old.seeds))]
        for net in nets:
            change(net)
        prepared = self.prepared
        order = [layer.weight.removesuffix(".weight") for layer in old.layers if layer.weight is not None]
        new = learner(nets, old.seeds, old.task, prepared.device, execution(prepared.run), order)
        new.noise.generators = old.noise.generators
        return new, new_optimizer(prepared, new)
