"""A finished run opened again: its settings, its data, and its nets with the weights they ended with."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from torch import nn

from repro.config.groups import ADDRESS, COMPONENTS, own_option
from repro.config.run import Run
from repro.config.schema import DiagnosticsConfig, RunConfig, TrainerConfig
from repro.config.yaml_files import load
from repro.errors import UserError
from repro.model.activations.noise import NoiseSource, attach_noise
from repro.paths import PACKAGE
from repro.seeds import generator
from repro.storage.files import read_regular
from repro.storage.run_files import read_summary
from repro.training import checkpoint
from repro.training.loop import Loop
from repro.training.nets import architecture
from repro.training.prepare import Prepared, check_targets, components, prepare, settle
from repro.training.replicas import net_of


def reopened(
    folder: Path, hessian: Mapping[str, Any] | None = None, trusted: Sequence[str] = ()
) -> tuple[Prepared, Loop]:
    """What trained a run, at its end.

    Args:
        folder: of the run.
        hessian: the method to look at its loss with, a node of the group `hessian`; None: none.
        trusted: packages whose targets are allowed now; whom the run's own file trusts does not count.

    Raises:
        UserError: the run's files are missing or damaged, its data are not what they were, or it did not train.
    """
    try:
        run = _run(folder, hessian, trusted)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing; train the run again with force=true") from error
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise UserError(
            f"{folder / 'config.yaml'} is damaged ({error}); train the run again with force=true"
        ) from error
    prepared = prepare(run)
    loop = prepared.components.procedure(prepared)
    if not isinstance(loop, Loop):
        raise UserError(f"the run in {folder} did not train; there is no net to look at")
    state = checkpoint.load(folder, run.id)
    if state is None:
        raise UserError(
            f"{folder} has no checkpoint.pt, which holds the trained weights; train the run again with force=true"
        )
    loop.restore(state)
    return prepared, loop


def nets(loop: Loop) -> list[nn.Module]:
    """The net of every seed, on the CPU and in evaluation mode, as at its end (trainer.keep_best: as it was kept)."""
    with loop.kept.loaded(loop.learner):
        return [net_of(loop.learner, i).cpu().eval() for i in range(len(loop.seeds))]


def blank(
    config: Path, shape: Sequence[int], outputs: Any, tokens: int | None = None, trusted: Sequence[str] = ()
) -> nn.Module:
    """A run's net as it was built, with no data and no weights of any use: what `repro export` wrote goes into it.

    Args:
        config: the run's config.yaml.
        shape: of an input.
        outputs: how many there are, as its task has it.
        tokens: of the vocabulary, where there is one.
        trusted: packages whose targets are allowed.

    Raises:
        UserError: the settings are no run's, or name what is not trusted.
    """
    run = Run(_settings(config, None, trusted), "", config.parent)
    check_targets(run)
    parts = components(run)
    net = architecture(run.settings["architecture"], trusted, parts.layer_factory, tuple(shape), outputs, tokens)
    assert parts.layer_factory is not None  # an architecture was built with it
    settle(net, parts.layer_factory)
    attach_noise(net, NoiseSource([generator(run.seeds[0], "noise")]))
    return net


def _run(folder: Path, hessian: Mapping[str, Any] | None, trusted: Sequence[str]) -> Run:
    """The run with this method."""
    whole = _settings(folder / "config.yaml", hessian, trusted)
    return Run(whole, str(read_summary(folder)["run"]), folder)


def _settings(file: Path, hessian: Mapping[str, Any] | None, trusted: Sequence[str]) -> dict[str, Any]:
    """A run's settings with this method; what its version did not know yet is at its default."""
    read_regular(file)
    settings = OmegaConf.to_container(load(file))
    if not isinstance(settings, dict) or not {"trainer", "diagnostics", "choices"} <= settings.keys():
        raise UserError(f"{file} has no settings of a run; train the run again with force=true")
    known: dict[str, Any] = {str(k): v for k, v in settings.items()}
    for key, schema in (("trainer", TrainerConfig), ("diagnostics", DiagnosticsConfig)):
        known[key] = known[key] and vars(schema()) | known[key]
    known["choices"].setdefault("procedure", "train")  # the only one there was at first
    for group in set(COMPONENTS) & set(known["choices"]):
        known[group] = _later(group, known["choices"][group], known.get(group) or {})
    defaults = {field.name: None for field in fields(RunConfig)}
    return defaults | known | {"hessian": None if hessian is None else dict(hessian), "trusted": list(trusted)}


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
