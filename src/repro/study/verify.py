"""Whether committed tables can be made again: some of their runs trained anew, in a folder that goes, and compared."""

import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from repro.config.compose import compose
from repro.config.run import Run, resolve
from repro.errors import UserError
from repro.storage.files import read_json
from repro.storage.tables import read
from repro.study.collect import collect
from repro.study.differences import Difference, differences
from repro.study.experiment import Experiment, Job, last_wins
from repro.study.publish import Plan, plan
from repro.study.tolerance import Tolerance


@dataclass(frozen=True)
class Wanted:
    """Which runs are trained anew, and what of them is compared with what.

    Attributes:
        scale, results_dir, extra: which tables, as for `plan`.
        runs: how many of each experiment, 1 or more.
        seed: of the draw.
        longest: seconds that a run may have taken; longer ones are left out.
        tolerance: the share by which numbers may differ, instead of the experiments' own tolerances.
    """

    scale: str = "published"
    results_dir: str = "results"
    extra: Sequence[str] = ()
    runs: int = 3
    seed: int = 0
    longest: float = float("inf")
    tolerance: float | None = None


@dataclass(frozen=True)
class Again:
    """A run that was trained anew.

    Attributes:
        run, variant: which.
        seconds: that it took.
        found: the largest difference of every metric.
        error: why there are none.
    """

    run: str
    variant: str
    seconds: float
    found: list[Difference] = field(default_factory=list)
    error: str = ""

    @property
    def fails(self) -> bool:
        """Whether a number differs by more than it may, or there is none."""
        return bool(self.error) or any(one.fails for one in self.found)


@dataclass(frozen=True)
class Sample:
    """The committed runs of an experiment, and those of them that are trained anew.

    Attributes:
        plan: of the experiment.
        runs: drawn, in the table's order.
        seconds: that these took by the table.
        committed: how many the table has.
        stale: those that the experiment's file no longer has.
        long: how many are left out because they take long.
    """

    plan: Plan
    runs: list[str]
    seconds: float
    committed: int
    stale: list[str]
    long: int


def sample(experiment: Experiment, wanted: Wanted) -> Sample:
    """Draw runs of an experiment's committed tables.

    Raises:
        UserError: there are no tables, none of their runs can be composed, or the experiment's file is wrong.
    """
    chosen = plan(experiment, wanted.scale, wanted.results_dir, wanted.extra)
    path = chosen.folder / "runs.csv"
    if not path.is_file():
        raise UserError(f"no tables in {chosen.folder}; make them with: repro reproduce {experiment.name} scale=...")
    table = read(path)
    ended = table[table["status"].isin(["done", "diverged"])]
    seconds = ended.groupby("run", sort=False)["seconds"].max()
    stale = [run for run in dict.fromkeys(table["run"]) if run not in chosen.expected]
    known = seconds[~seconds.index.isin(stale)]
    if known.empty:
        raise UserError(
            f"none of the {table['run'].nunique()} runs in {path} can be composed: "
            f"{experiment.name} has other settings now"
        )
    short = known[~(known > wanted.longest)]
    picked = set(random.Random(wanted.seed).sample(sorted(short.index), min(wanted.runs, len(short))))
    runs = [run for run in short.index if run in picked]
    return Sample(chosen, runs, float(short[runs].sum()), table["run"].nunique(), stale, len(known) - len(short))


def train_again(drawn: Sample, run: str, wanted: Wanted) -> Again:
    """Train a committed run in a folder of its own, which is gone afterwards, and compare it with its tables.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM.
    """
    began = time.monotonic()
    variant = drawn.plan.jobs[run].variant
    with tempfile.TemporaryDirectory(prefix="repro-verify-") as folder:
        try:
            found = _trained(drawn.plan, run, Path(folder), wanted)
        except KeyboardInterrupt:  # which would say where it can go on
            raise KeyboardInterrupt("interrupted; nothing is kept of what was trained to verify") from None
        except Exception as error:  # whatever it is, this table cannot be made again, and others may
            reason = " ".join(str(error).split()) or type(error).__name__
            return Again(run, variant, time.monotonic() - began, error=reason)
    return Again(run, variant, time.monotonic() - began, found)


def _trained(plan: Plan, run: str, folder: Path, wanted: Wanted) -> list[Difference]:
    from repro.training.run import train  # which needs torch

    again = _composed(plan, run, folder)
    train(again, [])
    expected = {run: replace(plan.expected[run], folder=again.folder)}
    collect(expected, folder / "tables", plan.scale)
    given = None if wanted.tolerance is None else Tolerance("relative", wanted.tolerance)
    own = _settings(plan.jobs[run])
    alike = [other for other, job in plan.jobs.items() if _settings(job) == own]
    return differences(
        plan.folder, folder / "tables", run, lambda name: given or plan.experiment.tolerance(name), alike
    )


def _settings(job: Job) -> list[str]:
    """What runs that differ in their seeds alone have in common."""
    return [word for word in job.overrides if word.partition("=")[0] not in ("seed", "replicas")]


def _composed(plan: Plan, run: str, folder: Path) -> Run:
    """The run as it was: on the kind of device, and with as many threads, as its provenance says."""
    words = [*_machine(plan.folder / "provenance.json", run), *plan.jobs[run].overrides, f"results_dir={folder}"]
    again = resolve(compose(last_wins(words)))
    if again.id != run:
        raise UserError(f"its settings make the run {again.id} now")
    return again


def _machine(path: Path, run: str) -> list[str]:
    ways: Sequence[Mapping[str, Any]] = read_json(path).get("ways", []) if path.is_file() else []
    way = next((way for way in ways if run in way.get("runs", ())), {})
    words = [f"threads={way['threads']}"] if way.get("threads") else []
    return [*words, "device=cpu"] if way.get("device") == "cpu" else words
