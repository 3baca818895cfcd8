"""Going on from a finished run that is the same but shorter, where the longer one would have gone through its end."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from repro.bars import say
from repro.config.groups import declares
from repro.config.identity import identity
from repro.config.run import Run
from repro.diagnostics.schedule import evaluation_due, measured_steps
from repro.errors import UserError
from repro.storage.files import read_json, read_regular, write_atomic
from repro.storage.run_files import read_summary
from repro.storage.schema import CURVES, LAYERS, PREDICTIONS
from repro.storage.tables import Table
from repro.training import checkpoint
from repro.training.work import Work

BY_LENGTH = ("procedure", "dataset", "schedule", "annealing", "curriculum", "hessian")
"""Groups that may go by how long a run is to be, unless what is chosen declares `any_length`."""

Length = tuple[int, int | None]  # trainer.epochs and trainer.steps


@dataclass(frozen=True)
class Shorter:
    """A finished run of the same settings but for its length.

    Attributes:
        folder: where its files are.
        run: its id.
        step: at which it ended.
        planned: the step at which it was to end; later than `step` where it stopped early.
    """

    folder: Path
    run: str
    step: int
    planned: int


def go_on(run: Run, work: Work) -> dict[str, Any] | None:
    """The state to go on from, once the folder holds the rows that lead to it; None = there is nothing to go on from.

    Says in a line which run it continues, or why it starts anew although there is a shorter one.
    """
    if run.settings["trainer"] is None:
        return None  # a procedure that takes no trainer is not shorter or longer than another
    found = sorted(_shorter(run, work), key=lambda one: one.step, reverse=True)
    refused = ""
    for one in found:
        why = _apart(run, work, one)
        if not why:
            try:
                state = _taken_over(run, work, one)
            except (UserError, OSError, KeyError) as error:
                why = f"it cannot be read ({' '.join(str(error).split())})"
            else:
                say(f"continues {one.folder} from epoch {one.step / work.per_epoch:g}")
                return state
        refused = refused or f"starts anew and does not go on from {one.folder}, which is shorter: {why}"
    if refused:
        say(refused)
    return None


def _shorter(run: Run, work: Work) -> Iterator[Shorter]:
    """Finished runs beside this one whose ids it would have, were it as long as they are."""
    shelf, seeds = run.folder.parent, _ending(run.folder.name)[0]
    ids: dict[Length, str] = {}
    with os.scandir(shelf) as entries:
        names = sorted(entry.name for entry in entries if _ending(entry.name)[0] == seeds)
    for name in names:
        if (run_id := _ending(name)[1]) == run.id:
            continue
        try:
            length = epochs, steps = _length(shelf / name)
            if length not in ids:
                trainer = {**run.settings["trainer"], "epochs": epochs, "steps": steps}
                ids[length] = identity({**run.settings, "trainer": trainer})
            planned = steps if steps is not None else epochs * work.per_epoch
            if run_id != ids[length] or planned >= work.total or not (shelf / name / "done.json").exists():
                continue
            summary = read_summary(shelf / name)
        except UserError:  # unfinished, or damaged, which whoever asks for that run is told
            continue
        if summary["status"] == "done" and 0 < summary["steps"] <= planned:
            yield Shorter(shelf / name, ids[length], summary["steps"], planned)


def _ending(name: str) -> tuple[str, str]:
    """What the name of a run's folder says of its seeds, and its id."""
    start, _, run_id = name.rpartition("-")
    return start.rpartition("-")[2], run_id


@cache
def _length(folder: Path) -> Length:
    """How long a run was to be, which its id settles; asked once of each in a process, as a sweep asks at every run."""
    settings = read_json(folder / "summary.json").get("settings")
    epochs, steps = (settings.get(f"trainer.{k}") if isinstance(settings, dict) else "" for k in ("epochs", "steps"))
    if not isinstance(epochs, int) or not isinstance(steps, int | None):
        raise UserError(f"{folder / 'summary.json'} does not say how long its run was")
    return epochs, steps


def _apart(run: Run, work: Work, shorter: Shorter) -> str:
    """Why this run would not have come through the end of the shorter one; or nothing."""
    settings, trainer, measuring = run.settings, run.trainer, run.diagnostics
    by_length = [
        f"{group}={settings['choices'].get(group)}"
        for group in BY_LENGTH
        if settings[group] is not None and not declares(settings, group, "any_length")
    ]
    if trainer.keep_best:
        by_length.append("trainer.keep_best")
    ended = shorter.step == shorter.planned
    ours, theirs = (
        {s for s in _measured(run, total) if s < shorter.step or (s == shorter.step and not ended)}
        for total in (work.total, shorter.planned)
    )
    if ours != theirs and measuring.quantities:
        by_length.append("diagnostics.log_spaced (but not diagnostics.every)")
    if by_length:
        return f"what a run does on its way depends on its length with {', '.join(by_length)}"
    if ended and not evaluation_due(shorter.step, work.per_epoch, trainer):
        return f"no evaluation is due after step {shorter.step} here, where it had its last"
    return ""


def _measured(run: Run, total: int) -> frozenset[int]:
    """The steps after which a run of these settings would be measured, were it so long."""
    when = run.diagnostics
    return measured_steps(total, when.every, when.log_spaced, when.steps)


def _taken_over(run: Run, work: Work, shorter: Shorter) -> dict[str, Any]:
    """The shorter run's last state, with its rows in this run's folder under this run's id.

    Raises:
        UserError, OSError, KeyError: its files are not what they should be.
    """
    state = checkpoint.load(shorter.folder, shorter.run)
    if state is None or state["step"] != shorter.step:
        raise UserError("its last checkpoint is gone")
    passed = shorter.step < shorter.planned or shorter.step in _measured(run, work.total)
    throughout = run.diagnostics.predictions_throughout
    sizes = {}
    for name, columns, leave in (
        ("curves.csv", CURVES, None),
        ("layers.csv", LAYERS, None if passed else shorter.step),
        *([("predictions.csv", PREDICTIONS, None if passed else shorter.step)] if throughout else []),
    ):
        path, table = shorter.folder / name, run.folder / name
        lines = read_regular(path)
        if len(lines) != state["sizes"][name]:
            raise UserError(f"{path} is not what it was when its checkpoint was written")
        write_atomic(table, "".join(_own(lines.decode().splitlines(keepends=True), columns, run.id, leave)))
        sizes[name] = Table(table, columns).size
    ended = read_json(shorter.folder / "provenance.json")
    if not (shorter.folder / "done.json").exists():
        raise UserError("it is being trained anew")
    origin = {
        "run": shorter.run,
        "folder": str(shorter.folder),
        "step": shorter.step,
        **{key: ended.get(key) for key in ("commit", "dirty", "device", "finished")},
    }
    state = {**state, "sizes": sizes, "continues": origin}
    checkpoint.save(run.folder, run.id, state)
    return state


def _own(lines: list[str], columns: tuple[str, ...], run_id: str, leave: int | None) -> Iterator[str]:
    """A table's lines with another run's id, without the rows of one step."""
    yield lines[0]
    assert columns[:3] == ("run", "seed", "step")
    for line in lines[1:]:
        _, seed, step, rest = line.split(",", 3)
        if leave is None or int(step) != leave:
            yield f"{run_id},{seed},{step},{rest}"


def origin_of(state: Mapping[str, Any] | None) -> dict[str, Any]:
    """What of a state belongs to the run and not to its work: which run it continues."""
    return {"continues": state["continues"]} if state is not None and "continues" in state else {}
