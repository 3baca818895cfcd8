"""The Hessian of a run that was trained before, at its end; the run itself stays as it is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from repro.bars import say
from repro.errors import UserError
from repro.memory import said
from repro.storage.files import read_json, write_json
from repro.storage.locks import locked
from repro.storage.schema import SPECTRUM
from repro.storage.tables import cell, whole_lines, write
from repro.training.finished import reopened
from repro.training.provenance import provenance

Line = tuple[Any, ...]  # of spectrum.csv


def diagnose(folder: Path, hessian: Mapping[str, Any], trusted: Sequence[str] = ()) -> list[Line]:
    """Measure the Hessian at a finished run's last step and put what is found into its spectrum.csv.

    What the same method found at that step before is replaced. `provenance.json` tells when and how it was done.

    Args:
        folder: of the run.
        hessian: the method, a node of the group `hessian`.
        trusted: packages whose targets are allowed now; whom the run's own file trusts does not count.

    Returns:
        The new lines of the table.

    Raises:
        UserError: the run's files are missing or damaged, its data are not what they were, or the net is not one
            whose Hessian can be had this way.
    """
    prepared, loop = reopened(folder, hessian, trusted)
    run = prepared.run
    began = provenance(prepared.device, run.settings["threads"])
    loop.rows.spectrum.clear()
    if (curvature := loop.curvature) is not None and len(loop.diverged) < len(run.seeds):
        count = curvature.objective.count
        size, seeds = said(curvature.method.needs(count)), len(run.seeds)
        each = f", for each of {seeds} seeds" if seeds > 1 else ""
        say(f"hessian={curvature.method.name} of {count:,} parameters: about {size} of memory{each}")
    loop.measure_curvature()
    if not loop.rows.spectrum:
        raise UserError(f"every seed of the run in {folder} diverged; there is no Hessian to look at")
    lines = [(run.id, *row) for row in loop.rows.spectrum]
    with locked(folder):
        _replace(folder / "spectrum.csv", lines)
        before = read_json(folder / "provenance.json")
        diagnoses = [*before.get("diagnoses", []), {"hessian": dict(hessian), **began}]
        write_json(folder / "provenance.json", before | {"diagnoses": diagnoses})
    return lines


def _replace(path: Path, lines: list[Line]) -> None:
    old = list(whole_lines(path))[1:] if path.exists() else []
    step, method = SPECTRUM.index("step"), SPECTRUM.index("method")
    gone = (str(lines[0][step]), str(lines[0][method]))
    kept = [line for line in old if (line[step], line[method]) != gone]
    write(path, SPECTRUM, [*kept, *([cell(value) for value in line] for line in lines)])
