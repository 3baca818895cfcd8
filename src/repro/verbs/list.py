"""`repro list`: what can be chosen. Reads the first comment of each file, imports nothing."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from repro.config.groups import GROUPS, option_files
from repro.errors import unknown
from repro.paths import own_conf
from repro.verbs.parser import parser

EXAMPLES = """\
  repro list
  repro list activation
  repro list activation 'noisy*'
  repro list experiment
"""


def main(words: Sequence[str]) -> int:
    """Run `repro list [GROUP] [PATTERN]`."""
    verb = parser("list", EXAMPLES)
    verb.add_argument("group", nargs="?", help="a component group, or experiment; none = all")
    verb.add_argument("pattern", nargs="?", default="*", help="shell pattern of names, quoted")
    asked = verb.parse_args(words)
    groups = [*GROUPS, *(g for g in _own_groups() if g not in GROUPS)]
    if asked.group is not None and asked.group not in groups:
        raise unknown("group", asked.group, groups)
    for group in [asked.group] if asked.group else groups:
        rows = [(name, says) for name, says in options(group) if fnmatch(name, asked.pattern)]
        if asked.group and not rows:
            raise unknown(f"{group} matching", asked.pattern, [name for name, _ in options(group)])
        print(group)
        width = max((len(name) for name, _ in rows), default=0)
        for name, says in rows:
            print(f"  {name:<{width}}  {says}")
    return 0


def options(group: str) -> list[tuple[str, str]]:
    """(name, description) of every option of a group, the user's own `conf/` included."""
    return [(name, describe(path)) for name, path in option_files(group).items()]


def describe(path: Path) -> str:
    """A file's first comment that says something."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        text = line.lstrip("# ").strip()
        if line.startswith("#") and text and not text.startswith("@package"):
            return text
    return ""


def _own_groups() -> Iterator[str]:
    own = own_conf()
    return (f.name for f in sorted(own.iterdir()) if f.is_dir()) if own else iter(())
