"""What can be measured of a net's predictions, and on which data: names, units and which way is better."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

SPLITS = ("train", "valid", "test")
"""Parts of a data set: what curves.csv has in its column `split` for scores."""
SCHEDULE, HESSIAN, COST = OTHER = ("schedule", "hessian", "cost")
"""What it has there besides: settings over time, indices of the Hessian, what `procedure=cost` measured."""

LOWER_ENDINGS = ("loss", "perplexity", "error")
"""Ends of the names of undeclared metrics that are better when lower; of all others, higher is better."""


@dataclass(frozen=True)
class Metric:
    """A number that says how well a net does; a task of one's own declares its own in `Task.metrics`.

    Attributes:
        name: as in the column `metric` of curves.csv.
        unit: of its values; "1" for shares.
        better: which way is better; None = neither, and there is no best value.
        says: what it is, in words.
    """

    name: str
    unit: str
    better: Literal["lower", "higher"] | None
    says: str


LOSS = Metric("loss", "nats, or the targets' unit squared", "lower", "what is minimized, averaged over predictions")
ACCURACY = Metric("accuracy", "1", "higher", "share of right predictions")
BALANCED = Metric("balanced_accuracy", "1", "higher", "share of right predictions in each class, averaged over classes")
RMSE = Metric("rmse", "the target's", "lower", "root of the mean squared error")
R2 = Metric("r2", "1", "higher", "share of the targets' variance that is predicted; 0 for their mean")
PERPLEXITY = Metric("perplexity", "1", "lower", "e to the mean loss")
REGISTRY = {m.name: m for m in (LOSS, ACCURACY, BALANCED, PERPLEXITY, RMSE, R2)}


def main_metric(names: Iterable[str]) -> str | None:
    """Which of some metrics says most of a run: accuracy or perplexity, else one that is not the loss, else that."""
    given = list(dict.fromkeys(names))
    ordered = [ACCURACY.name, PERPLEXITY.name, *(name for name in given if name != LOSS.name), LOSS.name]
    return next((name for name in ordered if name in given), None)


def better(name: str, declared: Iterable[Metric] = ()) -> Literal["lower", "higher"] | None:
    """Which way a metric is better: as declared, as registered here, or else by the end of its name.

    Args:
        name: of a metric, or of a column that holds one: `valid_loss`, `best_valid_loss`, `test_loss_at_best_valid`.
        declared: by the task; they go before those that are registered here.
    """
    plain = name.removesuffix("_at_best_valid").removeprefix("best_")
    split, _, rest = plain.partition("_")
    plain = rest if split in SPLITS and rest else plain
    for metric in (*declared, *REGISTRY.values()):
        if metric.name == plain:
            return metric.better
    return "lower" if plain.endswith(LOWER_ENDINGS) else "higher"
