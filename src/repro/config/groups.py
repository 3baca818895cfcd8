"""The groups of a configuration, repro's own options in them, and which groups a run's procedure takes."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from repro.errors import UserError
from repro.paths import conf_dir, conf_dirs, experiments_dir, own_conf

# Groups whose options are built from a _target_, and all groups.
COMPONENTS = (
    "dataset",
    "task",
    "architecture",
    "activation",
    "initialization",
    "normalization",
    "backward",
    "optimizer",
    "schedule",
    "weight",
    "annealing",
    "curriculum",
    "procedure",
    "hessian",
)
OPTIONAL = ("weight", "annealing", "curriculum", "hessian")  # null unless one is chosen
RUNS = (*COMPONENTS, "trainer", "diagnostics")
"""The groups of which a procedure takes all or some."""
GROUPS = (*RUNS, "experiment")

CAPABILITIES = {
    "sequential": "a data set has sequences, an architecture reads them",
    "pairs": "a data set has pairs of sentences, an architecture and a task translate",
    "captions": "a data set has images with captions, an architecture and a task describe them",
    "carries_state": "an architecture has a state that goes from one step of time to the next",
    "draws_noise": "an activation's values are random in training",
    "by_batch": "a normalization takes statistics over a batch",
    "one_a_sample": "a task predicts one number a sample",
    "writes_text": "a task predicts a text a sample",
    "needs_closure": "an optimizer asks for the loss as often as it likes",
    "watches": "a schedule goes by a metric",
    "any_length": "what it does up to a step is the same however long the run is to be",
}
DECLARED = ("_takes_", "_declares_")
"""What a component's file says of it to `taken` and `declares`, and is not handed to its code."""

ADDRESS = ("_target_", "_partial_", *DECLARED)
"""The keys of a component's file that say which code it is and what that needs, not how it is set."""


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level of dotted keys, the way they are typed on the command line."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def without_addresses(group: str, option: str | None, node: Any) -> Any:
    """A component by its option's name instead of the addresses that repro's own file of that name holds.

    What is not repro's own, or was given another address on the command line, stays as it is.
    """
    own = own_option(group, option) if option else {}
    known = {key: value for key, value in own.items() if key.rpartition(".")[2] in ADDRESS}
    if not isinstance(node, Mapping) or known.get("_target_") != node.get("_target_"):
        return node
    return {"option": option, **_without(node, known, "")}


def _without(node: Mapping[str, Any], known: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """A node without the addresses that are known, what it declares, which moves no number, and what is empty then."""
    kept: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, Mapping):
            if inside := _without(value, known, f"{prefix}{key}."):
                kept[key] = inside
        elif key != "_declares_" and (f"{prefix}{key}" not in known or known[f"{prefix}{key}"] != value):
            kept[key] = value
    return kept


def option_files(group: str) -> dict[str, Path]:
    """The file of every option of a group by the option's name: repro's own, papers', the working folder's `conf/`.

    Raises:
        UserError: a file of the working folder has the name of an option that there is.
    """
    if group == "experiment":
        root = experiments_dir()
        return {path.relative_to(root).with_suffix("").as_posix(): path for path in sorted(root.glob("*/*.yaml"))}
    own = own_conf()
    files: dict[str, Path] = {}
    for folder in (root / group for root in [*conf_dirs(), *([own] if own else [])]):
        for path in filter(Path.is_file, folder.rglob("*.yaml")):
            name = path.relative_to(folder).with_suffix("").as_posix()
            if own and name in files and path.is_relative_to(own):
                raise UserError(
                    f"{path} has the name that an option of {group} has in repro; give the file another name"
                )
            files.setdefault(name, path)
    return dict(sorted(files.items()))


@cache
def own_option(group: str, option: str) -> dict[str, Any]:
    """The settings in the file of an option that comes with repro, by dotted name, references unresolved; or {}."""
    from repro.config.yaml_files import read  # `repro list` does without

    files = [folder / group / f"{option}.yaml" for folder in conf_dirs()]
    file = next((file for file in files if file.is_file()), None)
    settings = read(file) if file else {}
    return flatten(settings) if isinstance(settings, Mapping) else {}


@cache
def default_options() -> dict[str, str | None]:
    """The option of each group where nothing else is said."""
    from repro.config.yaml_files import read

    entries = read(conf_dir() / "train.yaml")["defaults"]
    named = [entry for entry in entries if isinstance(entry, dict)]
    return {group: option for entry in named for group, option in entry.items() if group in GROUPS}


def declares(settings: Mapping[str, Any], group: str, capability: str) -> bool:
    """Whether a chosen component has one of `CAPABILITIES` in the list `_declares_` of its file."""
    node = settings[group]
    return isinstance(node, Mapping) and capability in (node.get("_declares_") or ())


def taken(settings: Mapping[str, Any]) -> frozenset[str]:
    """The groups that the run's procedure takes: those its file lists under `_takes_`, or all."""
    procedure = settings["procedure"]
    listed = procedure.get("_takes_") if isinstance(procedure, Mapping) else None
    return frozenset(GROUPS if listed is None else ("procedure", *listed))


def limit(settings: dict[str, Any]) -> None:
    """Set the groups that the run's procedure does not take to null, in place.

    Raises:
        UserError: one of them was given, and by no experiment, whose other variants may take it.
    """
    takes, free = taken(settings), settings["choices"].get("experiment")
    for group in RUNS:
        if group not in takes and settings[group] is not None:
            name = settings["choices"].get("procedure", "")
            if not free and (word := next(given(group, settings), "")):
                raise UserError(f"procedure={name} takes no {group}, so that {word} has no meaning; leave it out")
            settings[group] = None
            settings["choices"].pop(group, None)


def given(group: str, settings: Mapping[str, Any]) -> Iterator[str]:
    """What of a group is not as it would be by default, as it is typed."""
    option = settings["choices"].get(group)
    if option != default_options().get(group):
        yield f"{group}={option}"
    usual = own_option(group, option) if option else {}
    for key, value in flatten(settings[group]).items():
        known = usual.get(key, value)
        if known != value and not (isinstance(known, str) and "${" in known):
            yield f"{group}.{key}={value}"
