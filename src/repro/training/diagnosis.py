"""The Hessian of a run that was trained before, at its end; the run itself stays as it is."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from repro.bars import say
from repro.config.groups import ADDRESS, COMPONENTS, own_option
from repro.config.run import Run
from repro.config.schema import DiagnosticsConfig, RunConfig, TrainerConfig
from repro.config.yaml_files import load
from repro.errors import UserError
from repro.memory import said
from repro.paths import PACKAGE
from repro.storage.files import read_json, read_regular, write_json
from repro.storage.locks import locked
from repro.storage.run_files import read_summary
from repro.storage.schema import SPECTRUM
from repro.storage.tables import cell, whole_lines, write
from repro.training import checkpoint
from repro.training.loop import Loop
from repro.training.prepare import prepare
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
    try:
        run = _run(folder, hessian, trusted)
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise UserError(
            f"{folder / 'config.yaml'} is damaged ({error}); train the run again with force=true"
        ) from error
    prepared = prepare(run)
    began = provenance(prepared.device, run.settings["threads"])
    loop = prepared.components.procedure(prepared)
    if not isinstance(loop, Loop):
        raise UserError(f"the run in {folder} did not train; there is no net to look at")
    state = checkpoint.load(folder, run.id)
    if state is None:
        raise UserError(
            f"{folder} has no checkpoint.pt, which holds the trained weights; train the run again with force=true"
        )
    loop.restore(state)
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


def _run(folder: Path, hessian: Mapping[str, Any], trusted: Sequence[str]) -> Run:
    """The run with this method; what its version did not know yet is at its default."""
    read_regular(folder / "config.yaml")
    settings = OmegaConf.to_container(load(folder / "config.yaml"))
    if not isinstance(settings, dict) or not {"trainer", "diagnostics", "choices"} <= settings.keys():
        raise UserError(f"{folder / 'config.yaml'} has no settings of a run; train the run again with force=true")
    known: dict[str, Any] = {str(k): v for k, v in settings.items()}
    for key, schema in (("trainer", TrainerConfig), ("diagnostics", DiagnosticsConfig)):
        known[key] = known[key] and vars(schema()) | known[key]
    known["choices"].setdefault("procedure", "train")  # the only one there was at first
    for group in set(COMPONENTS) & set(known["choices"]):
        known[group] = _later(group, known["choices"][group], known.get(group) or {})
    defaults = {field.name: None for field in fields(RunConfig)}
    summary = read_summary(folder)
    whole = defaults | known | {"hessian": dict(hessian), "trusted": list(trusted)}
    return Run(whole, str(summary["run"]), folder)


def _later(group: str, option: str, node: Any) -> Any:
    """A component's node with the settings that its file has got since at null, and its address if its code moved."""
    now = own_option(group, option)
    if not isinstance(node, Mapping) or "_target_" not in now:
        return node
    moved = _gone(str(node.get("_target_", "repro.gone.")))
    same = moved or node.get("_target_") == now["_target_"]
    fresh = {key: None for key, value in now.items() if same and value is None and "." not in key}
    return fresh | dict(node) | {key: now[key] for key in ADDRESS if moved and key in now}


def _gone(target: str) -> bool:
    """Whether an address names a module that repro had once and has no more."""
    package, *names = target.split(".")
    place = PACKAGE.joinpath(*names[:-1])
    return package == "repro" and not place.is_dir() and not place.with_suffix(".py").is_file()


def _replace(path: Path, lines: list[Line]) -> None:
    old = list(whole_lines(path))[1:] if path.exists() else []
    step, method = SPECTRUM.index("step"), SPECTRUM.index("method")
    gone = (str(lines[0][step]), str(lines[0][method]))
    kept = [line for line in old if (line[step], line[method]) != gone]
    write(path, SPECTRUM, [*kept, *([cell(value) for value in line] for line in lines)])
