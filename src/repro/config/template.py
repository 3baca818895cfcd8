"""Configurations that differ in single values only, such as seeds: composed once, then filled in.

Composing, copying and resolving a configuration takes some ten milliseconds; ten thousand runs of a study differ in a
few numbers. What is filled in goes through Hydra's and OmegaConf's own assignment, with its types and refusals.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, ListConfig, OmegaConf

from repro.config.internals import children, is_reference, is_single, put
from repro.config.run import plain

_PRIMITIVE = (bool, int, float, str, type(None))


class Template:
    """A composed configuration in which some values can be set again and again."""

    def __init__(self, cfg: DictConfig) -> None:
        """Takes a configuration to which the first values have been applied; it becomes the template's own.

        Raises:
            UserError: a value is missing.
        """
        self._cfg = cfg
        self._plain = plain(cfg)
        self._filled: dict[str, Any] = {}
        # Everything else in the configuration is what it is, whatever is filled in.
        self._references = list(_references(cfg))

    def filled(self, values: Sequence[Override]) -> dict[str, Any]:
        """What `plain` gives for the configuration with other values of the same settings.

        Raises:
            HydraException, OmegaConfBaseException: as when the values are applied to a fresh configuration; the
                template must not be used any more.
        """
        for one in values:
            key, value = one.key_or_group, one.value()
            if key in self._filled and _same(self._filled[key], value):
                continue
            put([one], self._cfg)
            self._filled[key] = value
            *above, last = key.split(".")
            _at(self._plain, above)[last] = OmegaConf.select(self._cfg, key)
        for path, parent in self._references:
            value = parent[path[-1]]
            is_node = isinstance(value, (DictConfig, ListConfig))
            plain_value = OmegaConf.to_container(value, resolve=True) if is_node else value
            _at(self._plain, path[:-1])[path[-1]] = plain_value
        copied: dict[str, Any] = _copied(self._plain)
        return copied


def fits(values: Sequence[Override], cfg: DictConfig) -> bool:
    """Whether values may be filled into a template made of a configuration that they have not yet been applied to.

    They do where each is a single value in place of a single value: then setting it once more undoes what was set
    before, and touches nothing else. Mappings merge, lists and references to other settings reach further.
    """
    keys = [one.key_or_group for one in values]
    return len(set(keys)) == len(keys) and all(_is_single(one) and is_single(cfg, one.key_or_group) for one in values)


def _is_single(one: Override) -> bool:
    if one.type != OverrideType.CHANGE or one.package is not None or one.is_sweep_override():
        return False
    value = one.value()
    return type(value) in _PRIMITIVE and not (isinstance(value, str) and ("${" in value or value == "???"))


def _references(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Path and parent of every value that is looked up elsewhere."""
    for key, child in children(node):
        if is_reference(child):
            yield (*path, key), node
        else:
            yield from _references(child, (*path, key))


def _at(tree: Any, path: Sequence[Any]) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def _copied(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _copied(value) for key, value in tree.items()}
    return [_copied(value) for value in tree] if isinstance(tree, list) else tree


def _same(one: Any, other: Any) -> bool:
    """1 and 1.0 and true are three values here, and so are 0.0 and -0.0."""
    return type(one) is type(other) and repr(one) == repr(other)
