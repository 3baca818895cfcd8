"""What status, collecting and the report take with many finished runs: `python -m benchmarks.many_runs [RUNS ...]`.

Not part of `make benchmark`: it takes some minutes, and a gigabyte for 10,000 runs. One run is trained and copied
with the ids, seeds and folders that the program itself plans, so that it takes the copies for runs of its own; its
checkpoint and figure, which nothing here reads, are hard links. Everything happens in a temporary folder laid out
like a clone, with an experiment of its own and a cache of its own.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.paths import CLONE, conf_dir

NAME = "many/runs"
VARIANTS, RATES = ("tanh", "relu", "hard_tanh", "sigmoid", "noisy_tanh"), (0.01, 0.03, 0.1, 0.3)
CHANGED = 10
YAML = """\
# @package _global_
# Many runs of a small net.
defaults:
  - override /dataset: digits
trainer: {{epochs: 5}}
architecture: {{depth: 3}}
reproduction:
  seeds: {seeds}
  stack: false
  axes: {{optimizer.lr: [{rates}]}}
  variants: {{{variants}}}
  scales: {{full: {{}}}}
  claims:
    accurate: {{says: It learns., kind: above, metric: test_accuracy, variant: tanh, where: {{optimizer.lr: 0.1}}, bound: 0.9}}
    soon: {{says: It learns soon., kind: above, metric: {{curve: valid_accuracy, epoch: 2}}, variant: tanh, where: {{optimizer.lr: 0.1}}, bound: 0.8}}
    wide: {{says: Activations stay wide., kind: above, metric: {{quantity: activation_std, depth: 3, step: last}}, variant: tanh, where: {{optimizer.lr: 0.1}}, bound: 0.3}}
"""  # noqa: E501 - one claim a line
PLANNED = f"""\
import json
from repro.study.publish import plan
from repro.study.experiment import load
expected = plan(load({NAME!r}), "full").expected
print(json.dumps([[run, str(entry.folder), entry.seeds[0]] for run, entry in expected.items()]))
"""
COLLECT = f"""\
from repro.study.publish import gather, plan
from repro.study.experiment import load
gather(plan(load({NAME!r}), "full"))
"""


@dataclass(frozen=True)
class Took:
    """A command's seconds of processor time and on the clock, and its memory at most."""

    what: str
    cpu: float
    wall: float
    megabytes: float
    note: str = ""


def main() -> None:
    """Measure and print a Markdown table for each number of runs."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.many_runs", description=__doc__)
    asked.add_argument("runs", nargs="*", type=int, default=[1000, 5000, 10000], help="how many; 1000 5000 10000")
    for number in asked.parse_args().runs:
        with tempfile.TemporaryDirectory() as folder:
            print(f"\n{number} runs\n\n| | CPU s | wall s | MB | |\n|---|---:|---:|---:|---|")
            for took in measured(Place(Path(folder)), number):
                print(
                    f"| {took.what} | {took.cpu:.1f} | {took.wall:.1f} | {took.megabytes:.0f} | {took.note} |",
                    flush=True,
                )


def measured(place: "Place", number: int) -> Iterator[Took]:
    """Every command in the order in which a study meets them."""
    place.furnish(number)
    yield place.repro("status, nothing remembered", "status")
    yield place.repro("status, nothing trained", "status")
    runs = json.loads(place.output("-c", PLANNED))
    fabricate(runs, place)
    yield place.repro("status, before collecting", "status")
    yield place.python("collect, first", "-c", COLLECT)
    yield place.python("collect, nothing changed", "-c", COLLECT)
    retrain([place.root / folder for _, folder, _ in runs])
    yield place.python(f"collect, {CHANGED} changed", "-c", COLLECT)
    yield place.repro("status, after collecting", "status")
    yield place.repro("reproduce, nothing to do", "reproduce", NAME, "scale=full")
    report = place.repro("report", "report")
    page = (place.root / "results/index.html").stat().st_size
    tables = sum(path.stat().st_size for path in (place.root / "results" / NAME).iterdir())
    yield Took(
        report.what,
        report.cpu,
        report.wall,
        report.megabytes,
        f"page {page / 1e3:.0f} kB, tables {tables / 1e6:.0f} MB",
    )


class Place:
    """A folder that the program takes for its clone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # An old entry of PYTHONPATH must not bring back the real clone.
        self.environment = os.environ | {
            "PYTHONPATH": str(root / "src"),
            "XDG_CACHE_HOME": str(root / "cache"),
            "OMP_NUM_THREADS": "1",
        }

    def furnish(self, number: int) -> None:
        """The code by links, the components as they are, and an experiment of so many runs."""
        (self.root / "src").mkdir()
        for package in ("repro", "hydra_plugins"):
            (self.root / "src" / package).symlink_to(CLONE / "src" / package)
        shutil.copytree(conf_dir(), self.root / "conf", symlinks=True)
        file = self.root / "experiments" / f"{NAME}.yaml"
        file.parent.mkdir(parents=True)
        variants = ", ".join(f"{name}: [activation={name}]" for name in VARIANTS)
        seeds = number // (len(VARIANTS) * len(RATES))
        file.write_text(YAML.format(seeds=seeds, rates=", ".join(map(str, RATES)), variants=variants))

    def repro(self, what: str, *words: str) -> Took:
        """Measure one command line."""
        return self.python(what, "-m", "repro", *words)

    def python(self, what: str, *words: str) -> Took:
        """Measure one process, its start and imports included."""
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *words], cwd=self.root, env=self.environment, stdout=subprocess.DEVNULL
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{words} failed")
        wall = time.perf_counter() - began
        return Took(what, used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)

    def output(self, *words: str) -> str:
        """What a process prints."""
        return subprocess.run(
            [sys.executable, *words], cwd=self.root, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout


def fabricate(runs: Sequence[Sequence[Any]], place: Place) -> None:
    """Finished folders of all runs, from one that is trained."""
    place.output("-m", "repro", "train", f"experiment={NAME}", "results_dir=trained")
    (model,) = (place.root / "trained/runs" / NAME).iterdir()
    copy = copier(model)
    for run, folder, seed in runs:
        copy(place.root / folder, run, seed, random.Random(run))
    shutil.rmtree(place.root / "trained")


def copier(model: Path) -> Callable[[Path, str, int, random.Random], None]:
    """Writes a finished run's files under another id, with another seed and numbers of its own."""
    own = json.loads((model / "summary.json").read_text())["run"]
    texts = {
        name: (model / name).read_text()
        for name in ("curves.csv", "layers.csv", "summary.json", "config.yaml", "provenance.json", "done.json")
    }
    for name in ("curves.csv", "layers.csv"):
        texts[name] = re.sub(rf"^{own},0,(.*),(-?\d+\.\d\d)\d+", r"@run,@seed,\1,\2@noise", texts[name], flags=re.M)
    texts["summary.json"] = texts["summary.json"].replace(own, "@run").replace('"0": {', '"@seed": {')
    texts["summary.json"] = re.sub(r'"seeds": \[\s*0\s*\]', '"seeds": [@seed]', texts["summary.json"])
    texts["summary.json"] = re.sub(r"(_(?:accuracy|loss)\w*\": 0\.\d\d)\d+", r"\1@noise", texts["summary.json"])

    def copy(folder: Path, run: str, seed: int, numbers: random.Random) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            filled = text.replace("@run", run).replace("@seed", str(seed))
            (folder / name).write_text(re.sub("@noise", lambda _: f"{numbers.randrange(10**14):014d}", filled))
        for name in ("checkpoint.pt", "overview.png"):
            if not (folder / name).exists():
                (folder / name).hardlink_to(model / name)

    return copy


def retrain(folders: Sequence[Path]) -> None:
    """Give some runs, far from each other, other numbers."""
    for folder in folders[:: len(folders) // CHANGED][:CHANGED]:
        for name in ("summary.json", "curves.csv", "layers.csv"):
            text = (folder / name).read_text()
            (folder / name).write_text(re.sub(r"\b0\.5(\d+)", r"0.4\1", text))


if __name__ == "__main__":
    main()
