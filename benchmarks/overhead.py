"""What the loop costs besides the model and the optimizer."""

from collections.abc import Iterator

from benchmarks.measure import Row, in_turns, loop_of, ratio, run_of, times
from benchmarks.replicas import LONG

STEPS = 200


def rows() -> Iterator[Row]:
    """A step of the default net, against nothing but gradients and optimizer on one and the same batch."""
    loop, bare = (loop_of(run_of(*LONG)) for _ in range(2))
    batch = bare.feed.batch(0)

    def steps() -> None:
        for _ in range(STEPS):
            bare.learner.gradients(batch)
            bare.optimizer.step()

    whole, least = in_turns([times(loop, STEPS), steps], 9)
    extra = 1e6 * sum(a - b for a, b in zip(whole, least, strict=True)) / len(whole) / STEPS
    yield Row(
        "the loop itself, digits, MLP 5×100",
        f"{extra:.0f} µs a step, {100 * (ratio(whole, least) - 1):.0f} % on top of gradients and optimizer",
    )
