"""Sweeps that are killed: run as a program, since it forks, and a forked process must not be the tests' own."""

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from repro.cli import main


def attempt(words: Sequence[str], folder: Path, after: float | None = None, at_work: bool = False) -> float | None:
    """Run a command line in a child, which is killed some seconds later, or after it has worked on a run.

    Returns:
        How long it took; None where it was killed.
    """
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setsid()
            os.chdir(folder)
            sys.stdout = sys.stderr = (folder / "said.txt").open("w")
            status = main(words)
        finally:
            os._exit(status)
    if after is not None:
        before = written(folder)
        while at_work and written(folder) == before and alive(child):
            time.sleep(0.002)
        begun = time.monotonic()
        while time.monotonic() - begun < after and alive(child):
            time.sleep(0.002)
        os.killpg(child, signal.SIGKILL)
    ended = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(ended):
        return None
    assert os.WEXITSTATUS(ended) == 0, (folder / "said.txt").read_text()
    return time.monotonic() - began


def alive(child: int) -> bool:
    """Whether a child has not ended."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def written(folder: Path) -> set[tuple[str, int]]:
    """Checkpoints and settings of all runs, and when they were written."""
    files = [f for pattern in ("*/checkpoint.pt", "*/config.yaml") for f in folder.glob(f"results/runs/*/*/{pattern}")]
    found = set()
    for file in files:
        with contextlib.suppress(FileNotFoundError):  # replaced just now
            found.add((str(file), file.stat().st_mtime_ns))
    return found


def finished(folder: Path) -> dict[str, int]:
    """Every finished run, and when its summary was written."""
    return {str(f.parent): (f.parent / "summary.json").stat().st_mtime_ns for f in folder.rglob("done.json")}


def sweep_killed(words: Sequence[str], folder: Path, kills: int, rng: random.Random, whole: float) -> dict[str, int]:
    """Kill a command at so many moments, then let it end.

    Every other kill meets it while it works on a run; the others come at any moment of the fifth that comes next, the
    collecting and drawing at the end included. A run that was finished once stays as it was.
    """
    folder.mkdir(parents=True)
    met = {"kills": 0, "unfinished": 0, "most": 0}
    while met["kills"] < kills:
        before = finished(folder)
        at_work = met["kills"] % 2 == 0
        if attempt(words, folder, rng.uniform(0, 0.01 if at_work else 0.2) * whole, at_work) is not None:
            break
        after = finished(folder)
        assert before.items() <= after.items(), "a finished run was lost, or trained again"
        met["kills"] += 1
        met["unfinished"] += len(list(folder.rglob("config.yaml"))) > len(after)
        met["most"] = max(met["most"], len(after))
    attempt(words, folder)
    return met


def main_() -> None:
    """Arguments: folder, number of kills, seed, words."""
    folder, kills, rng = Path(sys.argv[1]), int(sys.argv[2]), random.Random(sys.argv[3])
    words = sys.argv[4:]
    torch.set_num_threads(1)
    # Left alone, and here, so that no child has to load what is loaded when it is first used.
    (folder / "whole").mkdir()
    os.chdir(folder / "whole")
    began, said = time.monotonic(), sys.stdout
    with Path("said.txt").open("w") as sys.stdout:
        assert main(words) == 0
    sys.stdout, whole = said, time.monotonic() - began
    met, rounds = [], 0
    while sum(m["kills"] for m in met) < kills:
        left = kills - sum(m["kills"] for m in met)
        met.append(sweep_killed(words, folder / f"killed{rounds}", left, rng, whole))
        rounds += 1
    print(json.dumps({"seconds": whole, "sweeps": met}))


if __name__ == "__main__":
    main_()
