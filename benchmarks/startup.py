"""How soon the command line answers."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from benchmarks.measure import Row

BAR = 0.6
START = 2.0
PARTS = ("torch", "hydra", "pandas", "matplotlib.figure")


def rows() -> Iterator[Row]:
    """Wall-clock seconds of whole processes."""
    for words in (["--help"], ["list"]):
        code = f"import sys; from repro.cli import main; main({words!r}); sys.exit(7 * ('torch' in sys.modules))"
        seconds, torch_free = [], True
        for _ in range(5):
            began = time.perf_counter()
            status = _python("-c", code)
            assert status in (0, 7), f"repro {' '.join(words)} failed"
            torch_free &= status == 0
            seconds.append(time.perf_counter() - began)
        found = statistics.median(seconds)
        yield Row(
            f"repro {' '.join(words)}",
            f"{found:.2f} s, torch {'not ' if torch_free else ''}imported",
            f"{BAR} s, torch not imported",
            found <= BAR and torch_free,
        )
    yield _first_step()


def _first_step() -> Row:
    """Everything around a step, imports to figure, over an import of torch: whole processes in turn."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["train", "trainer.steps=1", "force=true", f"results_dir={folder}"]
        pairs = [(_seconds("-m", "repro", *words), _seconds("-c", "import torch")) for _ in range(6)][1:]
    ratio = statistics.median(train / alone for train, alone in pairs)
    parts = ", ".join(f"{name} {_import(name):.1f}" for name in PARTS)
    return Row(
        "repro train, one step, with its figure, over `python -c 'import torch'`",
        f"{ratio:.2f} × ({statistics.median(train for train, _ in pairs):.1f} s; imports: {parts})",
        f"{START:g} ×",
        ratio <= START,
    )


def _seconds(*words: str) -> float:
    began = time.perf_counter()
    assert _python(*words) == 0
    return time.perf_counter() - began


def _import(name: str) -> float:
    """Seconds to import a package, those that it needs counted as well, torch itself only for torch."""
    first = "import torch; " if name != "torch" else ""
    code = f"{first}import time; began = time.perf_counter(); import {name}; print(time.perf_counter() - began)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def _python(*words: str) -> int:
    quiet = subprocess.DEVNULL
    return subprocess.run([sys.executable, *words], stdout=quiet, stderr=quiet, env=os.environ, check=False).returncode
