"""How fast training data are drawn, against how fast they are used up."""

from collections.abc import Callable, Iterator
from random import Random

from benchmarks.measure import Row, in_turns, loop_of, ratio, run_of, times
from repro.experiments.noisy_activations.datasets.learning_to_execute import pack
from repro.experiments.noisy_activations.datasets.programs import Author
from repro.training.loop import Loop

BAR = 5  # percent of the time of training
REPEATS = 5
LONG = ["trainer.steps=1000000000", "trainer.eval_every=0", "diagnostics=none"]


def rows() -> Iterator[Row]:
    """Share of drawing in the time of training, at the sizes of the published experiments."""
    yield _programs()
    yield _fresh("number sequences, for the LSTM of unique_numbers, batches of 64", "unique_numbers", 50)
    yield _fresh("recall tasks, for the NTM of associative_recall, batches of 32", "associative_recall", 10)


def _programs() -> Row:
    """At the curriculum's first level, whose programs are the shortest and so the dearest by character."""
    streams, window, updates = 100, 50, 200
    recipe = [
        "dataset=learning_to_execute",
        "task=sequence",
        "architecture=lstm",
        "architecture.width=400",
        "trainer.clip_norm=5",
        f"trainer.batch_size={streams}",
        f"dataset.window={window}",
    ]
    author = Author(lambda: (1, 1), Random(0))
    return _row(
        "programs, characters, for an LSTM 2×400, batches of 100×50",
        lambda: pack(author, 0, streams, window * updates),
        updates,
        loop_of(run_of(*recipe, *LONG)),
        1,
        streams * window,
    )


def _fresh(what: str, experiment: str, updates: int) -> Row:
    """A set whose every batch is new; the updates are the first ones of a run of the reference."""
    run = run_of(f"experiment=noisy_activations/{experiment}", *LONG, "diagnostics.quantities=[]")
    loop, feed = loop_of(run), loop_of(run).feed
    return _row(
        what, lambda: [feed.batch(step) for step in range(updates)], updates, loop, updates, run.trainer.batch_size
    )


def _row(name: str, draw: Callable[[], object], updates: int, loop: Loop, steps: int, batch: int) -> Row:
    """A line of the table.

    Args:
        name: what is drawn, in which items, for whom.
        draw: draws what `updates` updates use up.
        loop: trains.
        steps: of it that are timed at once.
        batch: items that an update uses up.
    """
    train = times(loop, steps)
    in_turns([draw, train], 1)
    drawing, training = in_turns([draw, train], REPEATS)
    share = 100 * ratio(drawing, training) * steps / updates
    drawn, used = updates * batch / min(drawing), steps * batch / min(training)
    return Row(
        f"drawing {name}",
        f"{share:.2f} % of training ({drawn:,.0f} a second drawn, {used:,.0f} used up)",
        f"{BAR} %",
        share <= BAR,
    )
