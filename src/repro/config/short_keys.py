"""Short names of settings: `activation.alpha` for `activation.unit.alpha`, where an option is made of parts."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf

from repro.config.groups import ADDRESS, COMPONENTS, default_options, flatten, option_files, own_option
from repro.config.yaml_files import load

SETTING = re.compile(r"(\w+)\.(\w+)=")


def spelled_out(words: Sequence[str]) -> list[str]:
    """Words in which every short name of a part's setting is its full name; other words stay as they are.

    A short name has a meaning where the option has no setting of that name and exactly one of its parts has.
    """
    return [_spelled_out(word, words) for word in words]


def keys(group: str, words: Sequence[str]) -> list[str]:
    """What can be set of the option of a group that the words choose: `group.key`, short names of its parts' too."""
    full = [
        key
        for key in flatten({k: v for k, v in _file(group, _option(group, words)).items() if k != "defaults"})
        if key.rpartition(".")[2] not in ADDRESS
    ]
    short = [last for key in full if (last := key.rpartition(".")[2]) != key]
    return [
        f"{group}.{key}" for key in (*full, *(last for last in short if short.count(last) == 1 and last not in full))
    ]


def _spelled_out(word: str, words: Sequence[str]) -> str:
    match = SETTING.match(word)
    if match is None or match[1] not in COMPONENTS:
        return word
    group, name = match.groups()
    option = _option(group, words)
    keys = [key.split(".") for key in own_option(group, option) or flatten(_file(group, option))]
    inside = [key for key in keys if len(key) == 2 and key[1] == name and name not in ADDRESS]
    if len(inside) != 1 or any(key[0] == name for key in keys):
        return word
    return f"{group}.{inside[0][0]}.{word.removeprefix(f'{group}.')}"


def _option(group: str, words: Sequence[str]) -> str:
    """The option of a group that the words choose, by themselves or by their experiment."""
    given = dict(word.partition("=")[::2] for word in words)
    if group not in given and "experiment" in given:
        for entry in _file("experiment", given["experiment"]).get("defaults") or ():
            if isinstance(entry, Mapping) and f"override /{group}" in entry:
                return str(entry[f"override /{group}"])
    return given.get(group) or default_options().get(group) or ""


def _file(group: str, option: str) -> Mapping[str, Any]:
    path = option_files(group).get(option)
    content: Any = OmegaConf.to_container(load(path), resolve=False) if path else {}
    return content if isinstance(content, Mapping) else {}
