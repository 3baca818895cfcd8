"""Stacked replicas against the same seeds one by one."""

import statistics
from collections.abc import Iterator

import torch

from benchmarks.measure import Row, in_turns, loop_of, ratio, run_of, times
from repro.datasets.memory import Data, Split

REPLICAS, BAR = 50, 20
WARM = 150  # steps before measuring: by then the stacked step is recorded
LONG = ["diagnostics=none", "trainer.steps=1000000000", "trainer.eval_every=0"]


def five_points() -> Data:
    """A line through five points."""
    x = torch.linspace(-1, 1, 5)[:, None]
    nothing = Split(x[:0], x[:0])
    return Data(Split(x, torch.sin(3 * x)), nothing, nothing, outputs=1, name="five points")


def rows() -> Iterator[Row]:
    """Seconds a step of one net times 50, over those of 50 stacked nets."""
    toy = [
        "dataset=spiral",
        "task=regression",
        "architecture.depth=2",
        "architecture.width=50",
        "optimizer=adam",
        "trainer.batch_size=null",
        *LONG,
    ]
    yield _row("five points, MLP 1-50-50-1, Adam, full batch", toy, five_points(), BAR)
    small = ["dataset=digits", "architecture.depth=2", "architecture.width=50", *LONG]
    yield _row("digits, MLP 64-50-50-10, SGD, batches of 64", small, None, None)
    yield _row("digits, MLP 64-50-50-10, noisy tanh", [*small, "activation=noisy_tanh"], None, None)


def _row(name: str, words: list[str], data: Data | None, bar: int | None) -> Row:
    one, many = (loop_of(run_of(*words, f"replicas={n}"), data) for n in (1, REPLICAS))
    in_turns([times(one, WARM), times(many, WARM)], 1)
    single, stacked = in_turns([times(one, 100), times(many, 25)], 9)
    found = ratio(single, stacked) / 4 * REPLICAS
    each = [statistics.median(single) * 10, statistics.median(stacked) * 40]
    return Row(
        f"{REPLICAS} replicas, {name}",
        f"{found:.1f} × ({each[0]:.2f} ms a step for one, {each[1]:.2f} ms for all)",
        f"{bar} ×" if bar else "",
        found >= bar if bar else None,
    )
