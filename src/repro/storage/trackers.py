"""A run's rows for Weights & Biases and for MLflow, beside its tables: extras, imported where used. No torch."""

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from repro.errors import UserError, extra
from repro.storage.files import writing
from repro.storage.locks import locked
from repro.storage.tables import Table, whole_lines
from repro.storage.tensorboard import BINS

OFFLINE, ONLINE = MODES = ("offline", "online")
PROJECT = "repro"
BATCH = 1000  # metrics that MLflow takes at once


def check_tracker(name: str, mode: str | None) -> None:
    """Raise a `UserError` where a tracker's mode is unknown or its package missing."""
    if mode is None:
        return
    if mode not in MODES:
        raise UserError(
            f"{name}={mode}: take {name}=offline, which writes into the run's folder, {name}=online, or leave it out"
        )
    extra(name, f"{name}={mode}", name)


class Names:
    """What the rows of a table are called: a curve for each metric, or each quantity and layer, of each seed."""

    def __init__(self, table: Table, named_by: Sequence[str], seeds: Sequence[int]) -> None:
        self.path = table.path
        self._names = [table.columns.index(name) for name in named_by]
        self._seed, self._step, self._value = (table.columns.index(name) for name in ("seed", "step", "value"))
        self._several = len(seeds) > 1

    def scalars(self, rows: Iterable[Sequence[Any]]) -> Iterator[tuple[int, str, float]]:
        """Step, name and value of each row that is no bin of a histogram."""
        for row in rows:
            name = "/".join(str(row[i]) for i in self._names)
            if not name.startswith(BINS):
                yield int(row[self._step]), self._of(row, name), float(row[self._value])

    def until(self, step: int) -> Iterator[tuple[int, str, float]]:
        """The same of the table's rows up to a step."""
        lines = whole_lines(self.path)
        next(lines)
        return self.scalars(line for line in lines if int(line[self._step]) <= step)

    def _of(self, row: Sequence[Any], name: str) -> str:
        return f"seed{row[self._seed]}/{name}" if self._several else name


class WandbRun:
    """A run of Weights & Biases; offline its files lie in the run's folder, for `wandb sync`."""

    def __init__(self, folder: Path, mode: str, settings: Mapping[str, Any], id: str) -> None:
        """Begins nothing yet; `begin` does.

        Args:
            folder: of the run.
            mode: offline or online, which takes account and server from W&B's own variables.
            settings: of the run.
            id: of the run.
        """
        self._folder, self._mode, self._settings, self._id = folder, mode, dict(settings), id
        self._run: Any = None

    def begin(self) -> None:
        """Opens it, once; offline whatever an earlier process had written goes."""
        if self._run is not None:
            return
        import wandb

        if self._mode == OFFLINE:
            shutil.rmtree(self._folder / "wandb", ignore_errors=True)
        with writing(self._folder):
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", PROJECT),
                id=self._id,
                name=self._folder.name,
                dir=str(self._folder),
                mode=self._mode,
                config=self._settings,
                resume="allow" if self._mode == ONLINE else None,
                reinit="create_new",
                settings=wandb.Settings(console="off", silent=True, x_disable_stats=True, disable_git=True),
            )
        # Curves and layers come one after the other, so that the step is a number like the others.
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def log(self, scalars: Iterable[tuple[int, str, float]]) -> None:
        """Notes values, those of a step together."""
        steps: dict[int, dict[str, float]] = {}
        for step, name, value in scalars:
            steps.setdefault(step, {})[name] = value
        for step, values in steps.items():
            self._run.log({"step": step, **values})

    def close(self) -> None:
        """Ends it; nothing where it was not begun."""
        if self._run is not None:
            self._run.finish()
            self._run = None


class MlflowRun:
    """A run of MLflow; offline in one database for all runs, beside their folders, for `mlflow ui`."""

    def __init__(self, folder: Path, mode: str, settings: Mapping[str, Any], id: str) -> None:
        """Begins nothing yet; `begin` does.

        Args:
            folder: of the run.
            mode: offline, or online, where MLFLOW_TRACKING_URI says.
            settings: of the run, by dotted name.
            id: of the run.
        """
        self._folder, self._mode, self._settings, self._id = folder, mode, dict(settings), id
        self._client: Any = None
        self._run = ""

    def begin(self) -> None:
        """Opens it, once; a run of this id that is there already is replaced."""
        if self._client is not None:
            return
        own = (self._folder.parents[2] / "mlflow").absolute()  # beside results/runs
        if self._mode == ONLINE:
            self._create(None, None)
            return
        with writing(own):
            own.mkdir(parents=True, exist_ok=True)
        with locked(own):  # two processes cannot make its tables at once
            self._create(f"sqlite:///{own / 'mlflow.db'}", (own / "artifacts").as_uri())

    def _create(self, server: str | None, place: str | None) -> None:
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        client = MlflowClient(server)
        found = client.get_experiment_by_name(PROJECT)
        experiment = found.experiment_id if found else client.create_experiment(PROJECT, artifact_location=place)
        for old in client.search_runs([experiment], f"tags.repro_id = '{self._id}'"):
            client.delete_run(old.info.run_id)
        made = client.create_run(experiment, run_name=self._folder.name, tags={"repro_id": self._id})
        self._client, self._run = client, made.info.run_id
        params = [Param(name, str(value)[:500]) for name, value in self._settings.items()]
        for i in range(0, len(params), 100):  # the most it takes
            client.log_batch(self._run, params=params[i : i + 100])

    def log(self, scalars: Iterable[tuple[int, str, float]]) -> None:
        """Notes values."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for step, name, value in scalars]
        for i in range(0, len(metrics), BATCH):
            self._client.log_batch(self._run, metrics=metrics[i : i + BATCH])

    def close(self) -> None:
        """Ends it; nothing where it was not begun."""
        if self._client is not None:
            self._client.set_terminated(self._run)
            self._client = None


class Tracked:
    """The rows of one table in a tracker's run: a `Log`."""

    def __init__(self, tracker: WandbRun | MlflowRun, names: Names) -> None:
        self._tracker, self._names = tracker, names

    def append(self, rows: Iterable[Sequence[Any]]) -> None:
        """Adds rows at the end."""
        self._tracker.log(self._names.scalars(rows))

    def truncate_after(self, step: int) -> None:
        """Begins the tracker's run with the table's rows up to `step`."""
        self._tracker.begin()
        self._tracker.log(self._names.until(step))

    def close(self) -> None:
        """Ends the tracker's run."""
        self._tracker.close()
