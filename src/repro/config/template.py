"""Parts of configurations in which single values, such as seeds, can be set again and again.

Composing, copying and resolving a configuration takes some ten milliseconds; ten thousand runs of a study differ in a
few numbers. What is filled in goes through Hydra's and OmegaConf's own assignment, with its types and refusals, once
for each value.
"""

import copy
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf

from repro.config.internals import children, is_reference, is_single, put

_PRIMITIVE = (bool, int, float, str, type(None))
_REFERENCE = re.compile(r"\$\{([a-z_]\w*(?:\.\w+)*)\}")  # to a setting by its full name
_TYPED = ("trainer", "diagnostics")  # and the root: what is looked up there becomes another type


class Template:
    """Some root keys of a composed configuration, as plain values.

    Args:
        cfg: a configuration with these keys; it becomes the template's own.
        keys: which.

    Attributes:
        plain: their values, references as they are written.
        references: path and key referred to of every value that is looked up elsewhere.
        simple: whether all of them can be looked up by that key alone.
    """

    def __init__(self, cfg: DictConfig, keys: Collection[str]) -> None:
        self._cfg = cfg
        self._places: dict[tuple[str, bool], bool] = {}
        self._values: dict[tuple[Any, ...], Any] = {}
        everything = OmegaConf.to_container(OmegaConf.masked_copy(cfg, list(keys)), resolve=False)
        assert isinstance(everything, dict)
        self.plain: dict[str, Any] = {str(key): everything[key] for key in keys}
        self.references: dict[tuple[Any, ...], str] = {}
        self.simple = True
        for path in _strange(self.plain):
            if _at(self.plain, path) == "???":
                continue
            node: Any = cfg
            for key in path[:-1]:
                node = node[key]
            match = _REFERENCE.fullmatch(_at(self.plain, path))
            if match and len(path) > 1 and path[0] not in _TYPED and is_reference(dict(children(node))[path[-1]]):
                self.references[path] = match[1]
            else:
                self.simple = False

    def fits(self, one: Override) -> bool:
        """Whether a value may be filled in.

        It does where it is a single value, or a list of such, and another one or nothing is there: then it touches
        nothing else. Mappings merge, and references to other settings reach further.
        """
        if one.type != OverrideType.CHANGE or one.package is not None or one.is_sweep_override():
            return False
        value = one.value()
        if not all(map(_is_plain, value) if isinstance(value, list) else [_is_plain(value)]):
            return False
        place = (one.key_or_group, isinstance(value, list))
        if place not in self._places:
            self._places[place] = is_single(self._cfg, *place) or tuple(place[0].split(".")) in self.references
        return self._places[place]

    def value(self, one: Override) -> Any:
        """What a value becomes in its place.

        Raises:
            HydraException, OmegaConfBaseException: it is refused there.
        """
        key, value = one.key_or_group, one.value()
        known = (key, type(value), repr(value))  # 1, 1.0 and true are three values here, and so are 0.0 and -0.0
        if known not in self._values:
            # A list would be there when the next value comes.
            cfg = copy.deepcopy(self._cfg) if isinstance(value, list) else self._cfg
            put([one], cfg)
            made = OmegaConf.select(cfg, key)
            self._values[known] = OmegaConf.to_container(made) if OmegaConf.is_config(made) else made
        return _copied(self._values[known])


def filled(parts: Mapping[str, Template], values: Sequence[Override]) -> dict[str, Any] | None:
    """What `plain` gives for a configuration of these parts, by root key, with values on top.

    None where that takes more than filling in single values.

    Raises:
        HydraException, OmegaConfBaseException: as when the values are applied to a fresh configuration.
    """
    templates = [parts.get(one.key_or_group.partition(".")[0]) for one in values]
    keys = [one.key_or_group for one in values]
    if len(set(keys)) < len(keys) or not all(part.simple for part in parts.values()):
        return None
    if not all(part is not None and part.fits(one) for part, one in zip(templates, values, strict=True)):
        return None
    settings = {key: _copied(part.plain[key]) for key, part in parts.items()}
    for part, one in zip(templates, values, strict=True):
        assert part is not None
        *above, last = one.key_or_group.split(".")
        _at(settings, above)[last] = part.value(one)
    return settings if _looked_up(settings, parts, keys) and not any(_strange(settings)) else None


def _looked_up(settings: dict[str, Any], parts: Mapping[str, Template], given: Collection[str]) -> bool:
    """Put what references stand for in their places, but where something was given; whether that could be done."""
    for key, part in parts.items():
        for path, referred in part.references.items():
            if path[0] != key or any(".".join(map(str, path[: i + 1])) in given for i in range(len(path))):
                continue
            try:
                value = _at(settings, referred.split("."))
            except (KeyError, TypeError):
                return False
            if not _is_plain(value):
                return False
            _at(settings, path[:-1])[path[-1]] = value
    return True


def _is_plain(value: Any) -> bool:
    return type(value) in _PRIMITIVE and not (isinstance(value, str) and ("${" in value or value == "???"))


def _strange(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of texts that stand for something else, or for nothing yet."""
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _strange(value, (*path, key))
    elif isinstance(tree, str) and ("${" in tree or tree == "???"):
        yield path


def _at(tree: Any, path: Sequence[Any]) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def _copied(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _copied(value) for key, value in tree.items()}
    return [_copied(value) for value in tree] if isinstance(tree, list) else tree
