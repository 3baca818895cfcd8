"""What a run is called: its settings that are not the default ones, in words any file system and shell takes."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from repro.config.groups import ADDRESS, GROUPS, default_options, flatten, option_files
from repro.config.identity import NOT_SCIENTIFIC
from repro.paths import own_conf

MOST = 100  # characters of a name, its id included
WORD = 28  # of one word of it
ALWAYS = ("architecture", "activation")
"""Groups whose option is always said."""
BARE = (*ALWAYS, "initialization", "optimizer")
"""Groups whose option says by itself what it is."""
REFERENCE = re.compile(r"\$\{([\w.]+)\}")
SEEDS = ("seed", "replicas")


def differences(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are not as they would be if nobody had said anything, or nothing besides the experiment.

    Neither the seeds nor what moves no number is among them.

    Args:
        flat: all settings by dotted name, the names of options as `choices.GROUP`; as in summary.json.

    Returns:
        By the name that is typed: first groups with their options, then settings; where the code of a component was
        replaced, its address under `GROUP._target_`.
    """
    experiment = _word(flat.get("choices.experiment"))
    own = own_conf()
    chosen = {group: _word(flat.get(f"choices.{group}")) for group in GROUPS if group != "experiment"}
    usual_options, usual = _usual(experiment)
    found: dict[str, Any] = {g: o for g, o in chosen.items() if o is not None and o != usual_options.get(g)}
    files = {group: _settings_of(group, option, own) for group, option in chosen.items() if option is not None}
    for name, value in flat.items():
        group, _, key = name.partition(".")
        file = files.get(group)
        known = usual.get(name, value if file is None else file.get(key))
        if known == value or group not in chosen or not key or name in NOT_SCIENTIFIC or _hidden(name):
            continue
        reference = REFERENCE.fullmatch(known) if isinstance(known, str) else None
        if reference is None or flat.get(reference[1]) != value:
            found[name] = value
    return found


def varied(flats: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names, as they are typed, of what is not as by default in some of several settings, and not the same in all.

    Groups come first; the seeds are not among them.
    """
    names = dict.fromkeys(name for flat in flats for name in differences(flat))
    return sorted(names_that_vary(flats, names), key=lambda name: "." in name)


def names_that_vary(flats: Sequence[Mapping[str, Any]], names: Iterable[str]) -> list[str]:
    """Those of the names whose value is not the same in all settings."""
    return [name for name in names if len({written(value(flat, name)) for flat in flats}) > 1]


def value(flat: Mapping[str, Any], name: str) -> Any:
    """What a setting, or a group's option, is; None where there is none."""
    return flat.get(f"choices.{name}", flat.get(name))


def words(flat: Mapping[str, Any], names: Iterable[str]) -> str:
    """Those of the names that are there, with their values, as they are typed."""
    there = [name for name in names if name in flat or f"choices.{name}" in flat]
    return " ".join(f"{name}={written(value(flat, name))}" for name in there)


def named(settings: Mapping[str, Any], run_id: str) -> str:
    """The name of a run's folder: its parts, what differs from the defaults, seeds, id; MOST characters at most.

    Args:
        settings: nested, with `choices`.
        run_id: is always there as a whole, at the end.
    """
    flat = flatten(settings)
    found = differences(flat)
    end = f"{_seeds(flat)}-{run_id}"
    parts = [word for word in map(_safe, _parts(flat, found)) if word]
    # The folder above is called by the experiment or else the data set.
    shown = {n: v for n, v in found.items() if not _is_said(n, flat)}
    addresses = {n: str(v).rpartition(".")[2] for n, v in shown.items() if n.endswith("._target_")}
    parts += [f"{_safe(name)}={_safe(written(value))}" for name, value in short_names(shown | addresses).items()]
    begin = "-".join(parts)
    room = MOST - len(end) - 1
    if len(begin) > room:
        while len(parts) > 1 and len(begin) > room:
            parts.pop()
            begin = "-".join([*parts, "etc"])
        begin = begin[:room]
    return f"{begin}-{end}" if begin else end


def short_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by the last part of their names, where no other one has the same."""
    last = {name: name.removesuffix("._target_").rpartition(".")[2] for name in settings}
    often = Counter([*last.values(), *SEEDS])
    return {last[n] if often[last[n]] == 1 else n.removesuffix("._target_"): v for n, v in settings.items()}


def written(one: Any) -> str:
    """A value as it is typed."""
    if one is None:
        return "null"
    if isinstance(one, bool):
        return "true" if one else "false"
    if isinstance(one, float):
        return f"{one:.6g}"
    if isinstance(one, list | tuple):
        return ",".join(map(written, one))
    return str(one)


def _parts(flat: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """The run's parts, each in a word: a table by its file, a procedure, the net, its units, and so on."""
    path = flat.get("dataset.path")
    if isinstance(path, str):
        yield PurePath(path).stem
    if flat.get("choices.procedure") not in (None, "train"):
        yield str(flat["choices.procedure"])
    for group in BARE:
        option = flat.get(f"choices.{group}")
        if (code := _own_code(group, found)) is not None:
            yield code.rpartition(".")[2]
        elif option and (group in ALWAYS or group in found):
            yield str(option).rpartition("/")[2]


def _own_code(group: str, found: Mapping[str, Any]) -> str | None:
    """The address that was given for a group's main part in place of its option's."""
    addresses = (found.get(f"{group}.unit._target_"), found.get(f"{group}._target_"))
    return next((address for address in addresses if isinstance(address, str)), None)


def _is_said(name: str, flat: Mapping[str, Any]) -> bool:
    """Whether another word of the name, or the folder above, says a setting already."""
    group, _, key = name.partition(".")
    if group == "dataset" and key in ("", "path"):
        return key == "path" or not flat.get("choices.experiment")
    return name == "procedure" or (group in BARE and key in ("", "_target_", "unit._target_"))


def _seeds(flat: Mapping[str, Any]) -> str:
    return f"seed{flat['seed']}" + (f"x{flat['replicas']}" if flat["replicas"] > 1 else "")


def _safe(word: str) -> str:
    """Letters, digits and a few signs which mean nothing to a shell, nor to the file systems of other machines."""
    plain = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", plain)[:WORD].strip("._-+ ") if plain else ""


def _hidden(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last in ADDRESS and last != "_target_"


def _word(option: Any) -> str | None:
    return option if isinstance(option, str) and option else None


@cache
def _usual(experiment: str | None) -> tuple[Mapping[str, str | None], Mapping[str, Any]]:
    """The options of groups, and the settings, that an experiment's file names; without one, the options alone."""
    options = dict(default_options())
    content = _content("experiment", experiment, None) if experiment else {}
    for entry in _entries(content.get("defaults")):
        options |= {str(g).removeprefix("override /"): o for g, o in entry.items() if str(g).startswith("override /")}
    settings = {group: content[group] for group in GROUPS if isinstance(content.get(group), Mapping)}
    return options, flatten(settings)


def _entries(defaults: Any) -> Iterable[Mapping[str, Any]]:
    return [entry for entry in defaults if isinstance(entry, Mapping)] if isinstance(defaults, list) else []


@cache
def _settings_of(group: str, option: str, own: Path | None) -> Mapping[str, Any] | None:
    """What an option's file holds, by dotted name; None where it is not known, or builds on another file."""
    content = dict(_content(group, option, own))
    above = content.pop("defaults", None) or []
    builds = any(not (isinstance(e, Mapping) and all(str(k).startswith("override ") for k in e)) for e in above)
    return flatten(content) if content and not builds else None


def _content(group: str, option: str, own: Path | None) -> Mapping[str, Any]:
    from omegaconf import OmegaConf

    from repro.config.yaml_files import load

    file = _files(group, own).get(option)
    content: Any = OmegaConf.to_container(load(file), resolve=False) if file else {}
    return content if isinstance(content, Mapping) else {}


@cache
def _files(group: str, own: Path | None) -> Mapping[str, Path]:
    del own  # the working folder's conf/ at the time, on which the answer depends
    return option_files(group)
