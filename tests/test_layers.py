"""The map in the README: rooms import only rooms further down, and reading tables needs no torch."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "repro"

# From the top of the house to the bottom; a room imports only rooms further down.
FLOORS = ["__main__", "cli", "verbs", "html", "study", "claims", "plots", "text", "procedures", "training",
          "diagnostics", "tasks", "datasets", "model", "schedules", "config", "storage", "seeds", "paths",
          "errors"]  # fmt: skip
RANK = {room: rank for rank, room in enumerate(FLOORS)}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if names == ["repro"]:
            names = [f"repro.{alias.name}" for alias in node.names]
        for name in names:
            if name and name.startswith("repro."):
                yield name.split(".")[1]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_down(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    for other in imported(path):
        assert other == room or RANK[other] > RANK[room], f"{room} imports {other}"


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_tables_and_figures_need_no_torch() -> None:
    modules = [
        ".".join(("repro", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
        for room in ("storage", "claims", "study", "text", "html", "plots")
        for path in (SOURCE / room).rglob("*.py")
    ]
    code = f"import importlib, sys; [importlib.import_module(m) for m in {modules!r}]; sys.exit('torch' in sys.modules)"
    assert len(modules) > 10
    subprocess.run([sys.executable, "-c", code], check=True)
