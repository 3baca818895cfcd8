"""What can be measured of a net's predictions, and on which data: names, units and which way is better."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

SPLITS = ("train", "valid", "test")
"""Parts of a data set: what curves.csv has in its column `split` for scores."""
SCHEDULE, HESSIAN, COST, FINDER = ("schedule", "hessian", "cost", "lr_finder")
"""What it has there besides: settings over time, indices of the Hessian, what the procedures of those names found."""

TIMED = frozenset(
    f"{COST}_{name}"
    for name in ("backward_milliseconds", "backward_ratio", "step_milliseconds", "step_ratio", "trained_ratio")
)
"""Columns of what a clock measured: another machine, or another moment, gives other numbers."""
TIMED_ENDINGS = ("milliseconds", "time_ratio")
"""Ends of the names of others such."""
TIMED_BEGINNING = "timing_"
"""Beginning of the names of what is made of times alone: ratios and lines through them."""

LOWER_ENDINGS = ("loss", "perplexity", "error")
"""Ends of the names of undeclared metrics that are better when lower; of all others, higher is better."""

SHARE_ENDINGS = ("accuracy", "share")
"""Ends of the names of undeclared metrics that are shares, in [0, 1]."""
Range = tuple[float, float]
ANY: Range = (-math.inf, math.inf)
SHARE: Range = (0.0, 1.0)
POSITIVE: Range = (0.0, math.inf)


@dataclass(frozen=True)
class Metric:
    """A number that says how well a net does; a task of one's own declares its own in `Task.metrics`.

    Attributes:
        name: as in the column `metric` of curves.csv.
        unit: of its values; "1" for shares.
        better: which way is better; None = neither, and there is no best value.
        says: what it is, in words.
        within: the least and the greatest value there can be; what is drawn of intervals stays between them.
        method: how it is computed, where there are several ways that are not alike; it stands in summary.json.
    """

    name: str
    unit: str
    better: Literal["lower", "higher"] | None
    says: str
    within: Range = ANY
    method: str = ""


LOSS = Metric("loss", "nats, or the targets' unit squared", "lower", "what is minimized, averaged over predictions")
ACCURACY = Metric("accuracy", "1", "higher", "share of right predictions", SHARE)
BALANCED = Metric(
    "balanced_accuracy", "1", "higher", "share of right predictions in each class, averaged over classes", SHARE
)
RMSE = Metric("rmse", "the target's", "lower", "root of the mean squared error", POSITIVE)
R2 = Metric("r2", "1", "higher", "share of the targets' variance that is predicted; 0 for their mean", (-math.inf, 1.0))
PERPLEXITY = Metric("perplexity", "1", "lower", "e to the mean loss", POSITIVE)
BLEU = Metric("bleu", "1/100", "higher", "n-grams that a translation shares with its reference", (0.0, 100.0))
REGISTRY = {m.name: m for m in (LOSS, ACCURACY, BALANCED, PERPLEXITY, BLEU, RMSE, R2)}

KEPT = "kept_"
"""In front of a metric of the net that `trainer.keep_best` keeps."""


def is_timed(column: str) -> bool:
    """Whether a column, or a curve by its split and metric, has what a clock measured."""
    return column in TIMED or column.startswith(TIMED_BEGINNING) or column.endswith(TIMED_ENDINGS)


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
    plain = _plain(name)
    for metric in (*declared, *REGISTRY.values()):
        if metric.name == plain:
            return metric.better
    return "lower" if plain.endswith(LOWER_ENDINGS) else "higher"


def value_range(name: str) -> Range:
    """Between which values a metric lies: as registered here, or else by the end of its name.

    Args:
        name: as for `better`.

    Returns:
        Least and greatest value; infinite where there is no bound.
    """
    plain = _plain(name)
    if plain in REGISTRY:
        return REGISTRY[plain].within
    return SHARE if plain.endswith(SHARE_ENDINGS) else ANY


def _plain(name: str) -> str:
    """A metric's own name from that of a column."""
    plain = name.removesuffix("_at_best_valid").removeprefix("best_")
    split, _, rest = plain.partition("_")
    return (rest if split in SPLITS and rest else plain).removeprefix(KEPT)
