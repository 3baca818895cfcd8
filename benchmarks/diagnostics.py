"""What measuring the layers costs a training run."""

import contextlib
import io
import statistics
import tempfile
from collections.abc import Callable, Iterator

from benchmarks.measure import Row, in_turns, ratio, run_of
from repro.errors import UserError
from repro.training.run import train

BAR = 5.0
RUNS = {
    "digits, default run (400 steps)": ([], 25),
    "digits, 200 epochs (4000 steps)": (["trainer.epochs=200"], 3),
    "MNIST, 3 epochs (2580 steps)": (["dataset=mnist", "trainer.epochs=3"], 5),
}


def rows() -> Iterator[Row]:
    """Processor time of whole runs with the default diagnostics and without any, from reading data to the summary."""
    for name, (words, repeats) in RUNS.items():
        try:
            _job(*words, "trainer.steps=1")()
        except UserError as error:
            yield Row(f"diagnostics, {name}", f"not measured: {str(error).partition(';')[0]}")
            continue
        measured, bare = in_turns([_job(*words), _job(*words, "diagnostics=none")], repeats)
        extra = 100 * (ratio(measured, bare) - 1)
        yield Row(
            f"diagnostics, {name}", f"{extra:.1f} % of {statistics.median(bare):.2f} s", f"{BAR:g} %", extra <= BAR
        )


def _job(*words: str) -> Callable[[], None]:
    def job() -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            train(run_of(*words, f"results_dir={folder}"))

    return job
