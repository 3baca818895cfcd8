"""Training, the procedure of most runs."""

from typing import Any

from torch.optim import Optimizer

from repro.errors import UserError, unknown
from repro.schedules.rate import Plateau
from repro.storage.metrics import SPLITS, better
from repro.training.curvature import Curvature
from repro.training.loop import Loop
from repro.training.optimization import make_optimizer
from repro.training.prepare import Prepared
from repro.training.replicas import Learner
from repro.training.trial import explained


class Train:
    """Train the run's nets, in loops of a kind."""

    kind: type[Loop] = Loop

    def __call__(self, prepared: Prepared) -> Loop:
        """The training loop, ready to start.

        Raises:
            UserError: the optimizer refuses an option, or a metric is watched that does not exist.
        """
        run, parts, learner = prepared.run, prepared.components, prepared.learner()
        optimizer = new_optimizer(prepared, learner)
        _check_monitor(prepared)
        curvature = None if parts.hessian is None else Curvature(parts.hessian, learner, prepared.feed)
        return self.kind(
            learner,
            prepared.feed,
            optimizer,
            parts.schedule,
            parts.annealing,
            run.trainer,
            run.diagnostics,
            curvature,
            prepared.data.sizes,
        )


def new_optimizer(prepared: Prepared, learner: Learner) -> Optimizer:
    """The run's optimizer over a learner's parameters.

    Raises:
        UserError: it refuses an option.
    """
    rest = [p for name, p in learner.parameters.items() if name not in learner.weights]
    with explained("optimizer"):
        return make_optimizer(prepared.components.optimizer, list(learner.weights.values()), rest, prepared.device)


def _check_monitor(prepared: Prepared) -> None:
    """A watched metric must exist, or early stopping would never stop."""
    trainer, task = prepared.run.trainer, prepared.components.task
    watched = trainer.patience is not None or trainer.keep_best or isinstance(prepared.components.schedule, Plateau)
    target: Any = prepared.feed.probe(2).y
    scores = task.measure(task.example(target, task.outputs(prepared.data.outputs)), target)
    derived = task.derive({k: v.cpu().numpy() for k, v in scores.items()})
    metrics = dict.fromkeys((*scores, *derived, *(metric.name for metric in task.metrics)))
    # Without anybody watching it, the default may name a split that has no samples.
    splits = [split for split in SPLITS if prepared.data.sizes[split] != 0 or not watched]
    known = [f"{split}_{metric}" for split in splits for metric in metrics]
    if trainer.monitor not in known:
        raise unknown("metric in trainer.monitor", trainer.monitor, known)
    if watched and better(trainer.monitor, task.metrics) is None:
        raise UserError(
            f"trainer.monitor={trainer.monitor} is neither better high nor low, so that nothing can "
            "wait for it; take another metric"
        )
