"""One run from its settings to its folder: skipped when finished, resumed when not, never half written."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from omegaconf import OmegaConf

from repro.config.groups import declares, flatten
from repro.config.run import Run
from repro.errors import UserError
from repro.storage.files import read_json, write_atomic, write_json
from repro.storage.locks import LOCK, locked
from repro.storage.schema import ATTENTION, LOOKS, SERIES
from repro.storage.tables import Log, Table, write
from repro.storage.tensorboard import Events, check_installed
from repro.storage.trackers import MlflowRun, Names, Tracked, WandbRun, check_tracker
from repro.training import checkpoint, continuing, said
from repro.training.loop import Loop
from repro.training.prepare import Prepared, check_targets, prepare
from repro.training.process import flushed_denormals, keep_freed_memory, leave_compiler_out
from repro.training.progress import Progress
from repro.training.provenance import describe, now, provenance
from repro.training.summary import summarize
from repro.training.work import Work

MOVE = 0.5  # seconds between two looks at the bar
# What a task declares whose nets look at places of their input, and the table of where they looked.
LOOKED_AT = {"pairs": ("attention", ATTENTION), "captions": ("looks", LOOKS)}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or SIGHUP: the run was saved and can go on later. It ends a whole sweep."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        status: done or diverged.
        folder: where its files are.
        trained: False when it had been finished before and was skipped.
    """

    status: str
    folder: Path
    trained: bool


def train(run: Run, words: Sequence[str] = (), say: Callable[[str], None] | None = None) -> Outcome:
    """Train a run to its end, from wherever an earlier process left it.

    Args:
        run: its settings.
        words: of the command that trains this run alone; its provenance keeps them.
        say: takes the lines on the data that are to be read before anything is trained; None: nobody reads them.

    Raises:
        UserError: the settings, the data or the folder do not allow it; nothing was written then.
        Interrupted: Ctrl-C or SIGTERM; the same command resumes.
    """
    if run.settings["tensorboard"]:
        check_installed()
    for tracker in ("wandb", "mlflow"):
        check_tracker(tracker, run.settings.get(tracker))
    check_targets(run)
    if not run.settings["force"] and (found := finished(run)):
        return found
    torch.set_num_threads(run.settings["threads"])
    keep_freed_memory()
    leave_compiler_out()
    prepared = prepare(run)
    if say is not None:
        for line in prepared.notes:
            say(line)
    work: Work = prepared.components.procedure(prepared)
    with locked(run.folder), flushed_denormals():
        # Another process may have trained it while this one waited.
        if not run.settings["force"] and (found := finished(run)):
            return found
        return _carry_out(prepared, work, words)


def finished(run: Run) -> Outcome | None:
    """The outcome of a run that was trained to its end before.

    Raises:
        UserError: the file that says so is damaged.
    """
    if not (run.folder / "done.json").exists():
        return None
    status = read_json(run.folder / "done.json").get("status", "done")
    return Outcome(str(status), run.folder, trained=False)


def _carry_out(prepared: Prepared, work: Work, words: Sequence[str]) -> Outcome:
    run, device = prepared.run, prepared.device
    if run.settings["force"]:
        _empty(run.folder)
    began = provenance(device, run.settings["threads"]) | {"words": list(words)}
    state = checkpoint.load(run.folder, run.id)
    if state is None and not run.settings["force"]:
        state = continuing.go_on(run, work)
    origin = continuing.origin_of(state)
    if state is not None:
        work.restore(state)
    tables = {name: Table(run.folder / f"{name}.csv", SERIES[name]) for name in _growing(run)}
    for table in tables.values():
        _check_size(table, state)
    copies = _copies(run, tables)
    for log in (*tables.values(), *(log for logs in copies.values() for log in logs)):
        log.truncate_after(work.step if state is not None else -1)
    (run.folder / "failed.json").unlink(missing_ok=True)
    write_atomic(run.folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(run.settings)))
    try:
        _advance_to_end(run, work, tables, copies, None if state is None else origin)
    except (Interrupted, UserError):
        raise
    except Exception as error:
        write_json(run.folder / "failed.json", {"status": "failed", "error": f"{type(error).__name__}: {error}"})
        raise
    if isinstance(work, Loop) and (splits := run.diagnostics.predictions) and "predictions" not in tables:
        name = "texts" if declares(run.settings, "task", "writes_text") else "predictions"
        lines = said.texts if name == "texts" else said.predictions
        rows, about = (row for split in splits for row in lines(work, split)), prepared.about
        if about is not None and name == "predictions":
            write(run.folder / f"{name}.csv", about.heading, ((run.id, *row) for row in about.named(rows)))
        else:
            write(run.folder / f"{name}.csv", SERIES[name], ((run.id, *row) for row in rows))
        for kind, (file, columns) in LOOKED_AT.items():
            if declares(run.settings, "task", kind):
                looks = (row for split in splits[:1] for row in said.attention(work, split))
                write(run.folder / f"{file}.csv", columns, ((run.id, *row) for row in looks))
    write_json(run.folder / "provenance.json", began | origin | {"finished": now()})
    summary = summarize(run, run.folder, work, prepared.data, describe(device))
    write_json(run.folder / "summary.json", summary)
    write_json(run.folder / "done.json", {"status": summary["status"]})
    return Outcome(summary["status"], run.folder, trained=True)


def _growing(run: Run) -> list[str]:
    """The tables that grow while a run trains."""
    names = ["curves", "layers"]
    names += ["spectrum"] if run.settings["hessian"] is not None else []
    return names + (["predictions"] if run.diagnostics.predictions_throughout else [])


def _copies(run: Run, tables: Mapping[str, Table]) -> dict[str, list[Log]]:
    """Where the rows of some tables go besides, by the table's name."""
    copies: dict[str, list[Log]] = {}
    about = {k: v for k, v in flatten(run.settings).items() if v is not None and not k.startswith("reproduction")}
    trackers = [
        make(run.folder, mode, about, run.id)
        for name, make in (("wandb", WandbRun), ("mlflow", MlflowRun))
        if (mode := run.settings.get(name)) is not None
    ]
    for name, named_by in (("curves", ("split", "metric")), ("layers", ("quantity", "layer"))):
        copies[name] = [Tracked(tracker, Names(tables[name], named_by, run.seeds)) for tracker in trackers]
        if run.settings["tensorboard"]:
            copies[name].append(Events(run.folder / "tensorboard" / name, tables[name], named_by, run.seeds))
    return copies


def _advance_to_end(
    run: Run, work: Work, tables: Mapping[str, Table], copies: Mapping[str, list[Log]], origin: Mapping[str, Any] | None
) -> None:
    """All steps that are left; `origin` goes into every checkpoint besides, and is None for a run that only begins."""
    progress = Progress(work.total, work.step)
    saved = moved = time.monotonic()
    shown = work.step
    try:
        with _stop_signals() as stop:
            if origin is None:
                progress.evaluated(0, 0, work.start())
            while not work.finished:
                scored = work.advance()
                clock = time.monotonic()
                if scored is not None or clock - moved >= MOVE:
                    progress.advance(work.step - shown)
                    shown, moved = work.step, clock
                if scored is not None:
                    progress.evaluated(work.step, work.step / work.per_epoch, scored)
                due = clock - saved >= run.trainer.checkpoint_seconds
                if stop or (due and not work.finished):
                    _save(run, work, tables, copies, origin or {})
                    saved = time.monotonic()
                if stop:
                    how = "the same command" + (" without force=true" if run.settings["force"] else "")
                    raise Interrupted(
                        f"interrupted at step {work.step} of {work.total}; saved in {run.folder}; {how} resumes there"
                    )
        _save(run, work, tables, copies, origin or {})  # kept after the end too: it holds the trained weights
    finally:
        progress.close()
        for log in (log for logs in copies.values() for log in logs):
            log.close()


def _save(
    run: Run, work: Work, tables: Mapping[str, Table], copies: Mapping[str, list[Log]], origin: Mapping[str, Any]
) -> None:
    # Tables first: a checkpoint must never be ahead of the rows that led to it.
    _flush(run, work, tables, copies)
    sizes = {table.path.name: table.size for table in tables.values()}
    checkpoint.save(run.folder, run.id, {**work.state(), **origin, "sizes": sizes})


def _check_size(table: Table, state: Mapping[str, Any] | None) -> None:
    """Rows that a checkpoint follows are there: a power failure may have kept the one and lost the others."""
    wanted = state["sizes"].get(table.path.name, 0) if state is not None and "sizes" in state else 0
    if table.size < wanted:
        raise UserError(
            f"{table.path} has lost rows ({table.size} bytes, {wanted} when its checkpoint was written); "
            "train the run again with force=true"
        )


def _flush(run: Run, work: Work, tables: Mapping[str, Table], copies: Mapping[str, list[Log]]) -> None:
    for name, table in tables.items():
        rows = getattr(work.rows, name)
        for log in (table, *copies.get(name, ())):
            log.append([(run.id, *row) for row in rows])
        rows.clear()


def _empty(folder: Path) -> None:
    (folder / "done.json").unlink(missing_ok=True)  # first, since from here on the run is not finished
    for path in folder.iterdir():
        if path.name != LOCK:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that receives the first Ctrl-C, SIGTERM or SIGHUP: the step under way can end; a second one kills."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received  # only the main thread may handle signals
        return

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        if received:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        received.append(number)

    heard = [signal.SIGINT, signal.SIGTERM]
    # The terminal is gone; but `nohup` wants that not to matter.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        heard.append(signal.SIGHUP)
    before: dict[int, Any] = {number: signal.signal(number, handle) for number in heard}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
