"""What a data set is to the rest of the program: a maker of batches, whether they lie in memory or are generated."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from repro.errors import UserError
from repro.model.trees import Tree, mapped, samples


@dataclass(frozen=True)
class Batch:
    """Inputs and targets of one step, each a tensor or a tree of tensors (`repro.model.trees`).

    Attributes:
        x: inputs; a training batch has a leading replica axis, one of evaluation is shared by all replicas.
        y: targets likewise.
        fresh: whether a recurrent net starts from its initial state; False carries the state on from the batch before.
    """

    x: Tree
    y: Tree
    fresh: bool = True

    def __len__(self) -> int:
        """Samples, or replicas of a training batch."""
        return samples(self.x)

    def part(self, which: slice | int | list[int]) -> "Batch":
        """Some of the samples, or what one replica gets of a training batch."""
        return Batch(mapped(lambda v: v[which], self.x), mapped(lambda v: v[which], self.y), self.fresh)


class Feed(Protocol):
    """Where a run's batches come from, once the run is known.

    Attributes:
        per_epoch: updates in an epoch.
        rate: factor on the learning rate, besides the schedule's.
        finished: whether a curriculum has come to its end before the run's last step.
    """

    per_epoch: int
    rate: float
    finished: bool

    def batch(self, step: int) -> Batch:
        """The training batch of update `step` = 0, 1, ...; asked for in order."""

    def batches(self, split: str) -> Iterator[Batch]:
        """A whole split in order, for evaluation; nothing for a split that is empty."""

    def probe(self, samples: int) -> Batch:
        """A fixed batch from the training split, of at most so many samples, without a replica axis."""

    def observe(self, scores: Mapping[str, float]) -> None:
        """Take note of `<split>_<metric>` at an evaluation; a curriculum goes by them."""

    def notes(self) -> dict[str, float]:
        """What is to be written down at an evaluation besides the scores (a curriculum's level, say)."""

    def state(self) -> dict[str, Any]:
        """What cannot be told from the step, in plain containers."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to where `state()` was taken."""


class Dataset(Protocol):
    """What `dataset=` builds.

    Attributes:
        outputs: classes, or values to predict per sample.
        name: public name, as in `dataset=NAME`.
        source: which files were read, in words; empty for data that are bundled or generated.
        shape: of one input, or of one step of a sequence; () for tokens; a tree of shapes where inputs are a tree.
        tokens: size of the vocabulary where inputs are tokens (int64), else None.
        sizes: samples of each split; None where there is no end to them.
    """

    outputs: int
    name: str
    source: str

    @property
    def shape(self) -> Any: ...

    @property
    def tokens(self) -> int | None: ...

    @property
    def sizes(self) -> dict[str, int | None]: ...

    def feed(self, order: "Order") -> Feed:
        """Batches for one run."""


@dataclass(frozen=True)
class Order:
    """What a run asks of a data set.

    Attributes:
        seeds: one a replica.
        batch_size: samples, or streams, of a batch; None = all of them at once.
        device: where batches are to be.
        steps: updates of the whole run where `trainer.steps` fixes them, else None.
        epochs: epochs of the run otherwise.
        curriculum: what `curriculum=` builds, or None.
        dtype: of inputs, and of targets that are numbers.
    """

    seeds: Sequence[int]
    batch_size: int | None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    steps: int | None = None
    epochs: int = 1
    curriculum: Any = None
    dtype: torch.dtype = torch.float32

    def without_curriculum(self, dataset: str) -> None:
        """Raise a `UserError` when there is a curriculum, which this data set knows nothing of."""
        if self.curriculum is not None:
            raise UserError(f"dataset={dataset} has no levels of difficulty; leave curriculum=null")

    def size(self, dataset: str) -> int:
        """Samples of a batch of data without end; raises a `UserError` where a batch is to be all of them."""
        if self.batch_size is None:
            raise UserError(
                f"dataset={dataset} has no end, so a batch cannot be all of it; set trainer.batch_size to a number"
            )
        return self.batch_size

    def level(self, name: str, kind: type) -> Any:
        """The curriculum, of this kind, or None."""
        if self.curriculum is None or isinstance(self.curriculum, kind):
            return self.curriculum
        raise UserError(f"dataset={name} takes another kind of curriculum; see: repro list curriculum")


class Stateless:
    """The part of `Feed` that most feeds do not need."""

    rate = 1.0
    finished = False

    def observe(self, scores: Mapping[str, float]) -> None:
        """Nothing here goes by scores."""

    def notes(self) -> dict[str, float]:
        """Nothing to tell."""
        return {}

    def state(self) -> dict[str, Any]:
        """Everything follows from the step."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""
