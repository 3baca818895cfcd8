"""The map in docs/map.md: rooms import only rooms further down, and reading tables needs no torch."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "repro"
EXPERIMENTS = SOURCE.parent.parent / "experiments"

# From the top of the house to the bottom; a room imports only rooms further down.
FLOORS = [
    "__main__",
    "cli",
    "notebook",
    "verbs",
    "html",
    "study",
    "claims",
    "watching",
    "activations",
    "backward",
    "plots",
    "text",
    "procedures",
    "training",
    "diagnostics",
    "tasks",
    "datasets",
    "model",
    "schedules",
    "config",
    "storage",
    "seeds",
    "experiments",
    "bars",
    "memory",
    "paths",
    "errors",
]
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
        assert other != "experiments", "the house imports from no paper"
        assert other == room or RANK[other] > RANK[room], f"{room} imports {other}"


INTERNAL = re.compile(
    r"hydra\._internal|omegaconf\._|\._(is_none|is_interpolation|get_node|apply_overrides_to_config)\b"
)


def test_two_modules_alone_know_internals_of_hydra_and_omegaconf() -> None:
    """A later version of Hydra may keep them elsewhere; then there is one place to look."""
    files = [*SOURCE.parent.rglob("*.py"), *EXPERIMENTS.rglob("*.py")]
    assert sorted(f.name for f in files if INTERNAL.search(f.read_text())) == ["internals.py", "yaml_loader.py"]


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.rglob("*.py")), ids=lambda p: str(p.relative_to(EXPERIMENTS)))
def test_a_paper_imports_from_the_house_and_its_own_folder_only(path: Path) -> None:
    """Its components use no room above the procedures; what draws uses no torch, see below."""
    paper = path.relative_to(EXPERIMENTS).parts[0]
    is_component = len(path.relative_to(EXPERIMENTS).parts) > 2 and path.parent.name != "plots"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = path.parents[node.level - 1]
            assert above.is_relative_to(EXPERIMENTS / paper), f"{path} imports from outside its paper's folder"
    for room in imported(path):
        assert room != "experiments", "a paper's own modules are imported by `from .` "
        assert not is_component or RANK[room] > RANK["text"], f"a component imports {room}"


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_what_reads_tables_knows_no_data_sets() -> None:
    for room in ("storage", "claims", "study", "text", "html"):
        for path in (SOURCE / room).rglob("*.py"):
            assert "datasets" not in imported(path), path


def test_tables_and_figures_need_no_torch() -> None:
    modules = [
        ".".join(("repro", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
        for room in ("storage", "claims", "study", "text", "html", "plots")
        for path in (SOURCE / room).rglob("*.py")
    ]
    modules += [
        f"repro.experiments.{'.'.join(path.relative_to(EXPERIMENTS).with_suffix('').parts)}"
        for path in (*EXPERIMENTS.glob("*/*.py"), *EXPERIMENTS.glob("*/plots/*.py"))
    ]
    code = f"import importlib, sys; [importlib.import_module(m) for m in {modules!r}]; sys.exit('torch' in sys.modules)"
    assert len(modules) > 10
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
