"""From an experiment's runs to what is published: tables, verdicts, figures, the page."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from repro.claims.grammar import check_claims
from repro.config.quoting import quoted
from repro.errors import UserError
from repro.paths import CLONE
from repro.storage.files import read_json, write_atomic, write_json
from repro.study import collect, page
from repro.study.collect import Expected
from repro.study.experiment import Experiment, Job, results_folder
from repro.study.run_index import runs_of
from repro.text import tables


@dataclass(frozen=True)
class Plan:
    """The runs of an experiment at a scale.

    Attributes:
        experiment: what it is.
        scale: smoke, quick or full; "custom" when the user's own settings are among the overrides.
        folder: where its tables go.
        expected: the runs by id.
        jobs: how to make each, by id.
    """

    experiment: Experiment
    scale: str
    folder: Path
    expected: dict[str, Expected]
    jobs: dict[str, Job]

    def status(self) -> pd.DataFrame:
        """One row a run: done, diverged, failed, missing or stale."""
        return collect.status(self.expected, self.folder / "runs.csv")


def plan(experiment: Experiment, scale: str, results_dir: str = "results", extra: Sequence[str] = ()) -> Plan:
    """Compose every run of an experiment and check its claims; nothing is written.

    Args:
        extra: the user's own overrides; runs that differ by them are kept apart from the published ones.

    Raises:
        UserError: two of its runs are the same.
    """
    check_claims(experiment.claims, list(experiment.variants))
    jobs, plain = experiment.jobs(scale, extra), experiment.jobs(scale)
    runs = runs_of([job.overrides for job in jobs], results_dir)
    changed = bool(extra) and [r.id for r in runs] != [r.id for r in runs_of([j.overrides for j in plain], results_dir)]
    expected: dict[str, Expected] = {}
    by_id: dict[str, Job] = {}
    for job, run in zip(experiment.jobs(scale, [*extra, *quoted([f"results_dir={results_dir}"])]), runs, strict=True):
        if run.id in by_id:
            mend = f"leave out what makes them alike: {' '.join(extra)}" if changed else "take one away"
            both = f"'{by_id[run.id].variant}' and '{job.variant}'"
            raise UserError(f"{experiment.name}: {both} have the same settings, so that they are one run; {mend}")
        expected[run.id] = Expected(job.variant, job.swept, run.folder, run.seeds)
        by_id[run.id] = job
    name = "custom" if changed else experiment.published_scale if scale == "published" else scale
    return Plan(experiment, name, results_folder(results_dir, experiment, name), expected, by_id)


def gather(plan: Plan) -> None:
    """Write runs.csv, curves.csv.gz, layers.csv.gz and provenance.json from the runs that are there.

    The caller holds the lock of the plan's folder.
    """
    provenances = collect.collect(plan.expected, plan.folder, plan.scale)
    _gather_provenance(plan, provenances)


def _gather_provenance(plan: Plan, provenances: dict[str, dict[str, Any]]) -> None:
    """One entry for each way in which runs came about: code, versions, device, threads, and the runs' ids."""
    path = plan.folder / "provenance.json"
    before = read_json(path)["ways"] if path.exists() else []
    by_run = {run: {k: v for k, v in way.items() if k != "runs"} for way in before for run in way["runs"]} | provenances
    ways: dict[str, dict[str, Any]] = {}
    for run in plan.expected:
        if run in by_run:
            way = ways.setdefault(json.dumps(by_run[run], sort_keys=True), {**by_run[run], "runs": []})
            way["runs"].append(run)
    command = f"repro reproduce {plan.experiment.name} scale={plan.scale}"
    write_json(path, {"command": command, "ways": list(ways.values())})


def illustrate(experiment: Experiment, folder: Path, out: Path | None = None) -> list[Path]:
    """Redraw the experiment's figures from its collected tables."""
    from repro.plots.experiment import Tables, draw  # matplotlib takes its time

    return draw(experiment.script, Tables(folder), out or folder) if experiment.script.is_file() else []


def tabulate(experiment: Experiment, folder: Path) -> None:
    """Write the tables that the experiment's script makes of the collected ones."""
    from repro.plots.experiment import Tables, further_tables

    made = further_tables(experiment.script, Tables(folder)) if experiment.script.is_file() else {}
    for name, table in made.items():
        write_atomic(folder / f"{name}.csv", tables.table(table, "csv") + "\n")


def update_page(experiment: Experiment, folder: Path) -> bool:
    """Fill the paper's page from the tables of all its experiments.

    Only the published tables of a clone have a page; False for any others, and where the paper has none.
    """
    published = folder.resolve() == CLONE / "results" / experiment.name
    return published and page.update(experiment.paper) is not None
