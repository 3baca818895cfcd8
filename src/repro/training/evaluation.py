"""A split gone through in evaluation mode, whole or in part."""

from collections.abc import Iterable, Iterator, Mapping

from torch import Tensor

from repro.bars import bar
from repro.config.schema import DiagnosticsConfig
from repro.datasets.protocol import Batch, Feed
from repro.errors import UserError
from repro.model.architectures.recurrence import State
from repro.model.trees import joined
from repro.training.replicas import Learner


def evaluate(
    learner: Learner, batches: Iterable[Batch], what: str = "evaluating", total: int | None = None
) -> dict[str, Tensor]:
    """The task's sums over a split in evaluation mode, each (replicas, ...).

    Args:
        what: said before the bar, which is shown where it takes long.
        total: samples in all, where that is known.
    """
    sums: dict[str, Tensor] = {}
    state: State = ()
    with bar(total, what, "sample") as shown:
        for batch in batches:
            own, state = learner.evaluate(batch, () if batch.fresh else state)
            for name, value in own.items():
                sums[name] = sums.get(name, 0) + value
            shown.update(len(batch))
    return sums


def some(batches: Iterable[Batch], size: int, most: int) -> Iterator[Batch]:
    """At most `most` samples of a split of `size`, evenly spread over it: the same ones whenever and whoever asks.

    Splits may be ordered, by class or by difficulty; their first samples would say little of them.
    """
    wanted = [i * size // most for i in range(most)] if most < size else list(range(size))
    first, done = 0, 0
    for batch in batches:
        end = first + len(batch)
        upto = done
        while upto < len(wanted) and wanted[upto] < end:
            upto += 1
        if upto > done:
            chosen = [i - first for i in wanted[done:upto]]
            yield batch if len(chosen) == len(batch) else batch.part(chosen)
        first, done = end, upto


def probed(feed: Feed, diagnostics: DiagnosticsConfig, sizes: Mapping[str, int | None]) -> Batch:
    """The batch that layers are looked at with: the first samples for training, or some of another split.

    Raises:
        UserError: that split has no samples, or no end.
    """
    split = diagnostics.probe_split
    if split in (None, "train"):
        return feed.probe(diagnostics.probe)
    if not (size := sizes.get(split)):
        raise UserError(
            f"diagnostics.probe_split={split} needs a split with so many samples, and this data set's has "
            f"{'none' if size == 0 else 'no end'}; take another split, or null for the training split"
        )
    parts = list(some(feed.batches(split), size, diagnostics.probe))
    return Batch(joined([part.x for part in parts]), joined([part.y for part in parts]))
