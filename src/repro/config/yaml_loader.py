"""OmegaConf's reader of YAML, which has no public name, made fast; by itself, since it needs no Hydra."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import yaml
from omegaconf import _utils  # omegaconf._utils

get_yaml_loader = _utils.get_yaml_loader


@cache
def _loader() -> Any:
    """OmegaConf's own safe loader of YAML, with the tokens found by libyaml where there is one: ten times as fast."""
    slow = get_yaml_loader()
    if not yaml.__with_libyaml__:
        return slow

    class Loader(yaml.cyaml.CParser, slow):  # type: ignore[misc, valid-type]
        def __init__(self, stream: Any) -> None:
            yaml.cyaml.CParser.__init__(self, stream)
            yaml.constructor.SafeConstructor.__init__(self)
            yaml.resolver.Resolver.__init__(self)

    return Loader


def read_yaml(text: str) -> Any:
    """YAML as OmegaConf reads it: floats like 1e-3, no dates, no key twice; plain values only.

    Raises:
        yaml.YAMLError: it is none.
    """
    try:
        return _constructed(_loader()(text))
    except yaml.YAMLError:
        return _constructed(get_yaml_loader()(text))  # which says it in its own words


class _Reader:
    """What `yaml.load` takes for a loader, and `read_yaml` behind it."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def get_single_data(self) -> Any:
        if isinstance(self.stream, str):
            return read_yaml(self.stream)
        try:
            return _constructed(_loader()(self.stream.read()))
        except yaml.YAMLError:
            self.stream.seek(0)
            return _constructed(get_yaml_loader()(self.stream))  # which knows the file's name

    def dispose(self) -> None:
        """Nothing is held."""


@contextmanager
def fast_yaml() -> Iterator[None]:
    """Within it OmegaConf, and with it Hydra, reads files as `read_yaml` does: composing takes half the time."""
    _utils.get_yaml_loader = lambda: _Reader
    try:
        yield
    finally:
        _utils.get_yaml_loader = get_yaml_loader


def _constructed(loader: Any) -> Any:
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
