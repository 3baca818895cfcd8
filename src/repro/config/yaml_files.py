"""Reading YAML that somebody else may have written: plain values only, of a size that fits."""

from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from repro.config.yaml_loader import read_yaml
from repro.errors import UserError
from repro.paths import conf_dirs, experiments_dir, own_conf

MOST = 100_000  # values in one file, each alias counted as often as it stands for something


def load(path: Path) -> Any:
    """A file as a configuration node, with `read`'s refusals; interpolations stay as they are written."""
    return OmegaConf.create(values if (values := read(path)) is not None else {})


def read(path: Path) -> Any:
    """A file's plain values; None where it is empty.

    Raises:
        UserError: it cannot be read, is no YAML, has tags that would build objects, or aliases that grow beyond MOST.
    """
    try:
        text = path.read_text(encoding="utf-8")
        # Only aliases can make much out of little: a thousand million values in nine lines. Composing builds nothing.
        root = yaml.compose(text, Loader=yaml.SafeLoader) if "&" in text else None
        if root is not None and _size(root, {}) > MOST:
            raise UserError(f"{path} has aliases that stand for more than {MOST:,} values; write out what it needs")
        return read_yaml(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is no YAML file of plain values ({reason})") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def _size(node: yaml.Node, known: dict[int, float]) -> float:
    """Values in a node; aliases are one and the same node in several places, in the worst case inside itself."""
    if id(node) not in known:
        known[id(node)] = float("inf")  # until it is known: what contains itself has no end
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            parts = node.value
        elif isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(node)]


def stamps() -> tuple[tuple[str, int, int], ...]:
    """Path, time of change and size of every file that a configuration can be made from."""
    own = own_conf()
    roots = [*conf_dirs(), *([own] if own else [])]
    found = [*(f for root in roots for f in root.rglob("*.yaml")), *experiments_dir().glob("*/*.yaml")]
    states = [(str(f), f.stat()) for f in sorted(found) if f.is_file()]
    return tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)
