"""What somebody who adds a component has to touch: its code and its YAML file, and nothing that is there already.

Everything is added to a copy of the project, whose own tests are then run on it.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from repro.paths import CLONE

FILES = {
    "src/repro.model.activations.bent.py": """\
'''A bent line.'''

from torch import Tensor, nn

from repro.model.activations import Activation


class Bent(nn.Module):
    '''x + |x| / 2.'''

    def forward(self, x: Tensor) -> Tensor:
        '''The function of `x`, any shape.'''
        return x + x.abs() / 2


def bent() -> Activation:
    '''Bent units, with the logistic sigmoid as their gate.'''
    return Activation(unit=Bent, gate=nn.Sigmoid)
""",
    "conf/activation/bent.yaml": """\
# A bent line: x + |x| / 2.
_target_: repro.model.activations.bent.bent
""",
    "tests/twins/bent.py": """\
'''The twin of a bent line.'''

import numpy as np

ACTIVATIONS = {"bent": lambda x: np.where(x > 0, 1.5 * x, 0.5 * x)}
""",
    "tests/twins/size.py": """\
'''The twin of the mean size of activations.'''

QUANTITIES = {"size": lambda outs: sum(abs(v) for out in outs for v in out.flatten()) / sum(out.size for out in outs)}
""",
    "src/repro.model.architectures.narrow.py": """\
'''A net of one hidden layer.'''

import math

from torch import Tensor, nn

from repro.model.layer_factory import LayerFactory
from repro.model.architectures.mlp import Hidden
from repro.errors import whole


class Narrow(nn.Module):
    '''One hidden layer of `units` units and a linear output layer.'''

    def __init__(self, shape: tuple[int, ...], outputs: int, make: LayerFactory, units: int) -> None:
        super().__init__()
        units = whole("architecture.units", units, 1)
        self.hidden = Hidden(math.prod(shape), units, True, 0.0, make)
        self.output = make.weights.linear(units, outputs)

    def forward(self, x: Tensor) -> Tensor:
        '''(batch, *shape) to (batch, outputs).'''
        out: Tensor = self.output(self.hidden(x.flatten(1)))
        return out
""",
    "conf/architecture/narrow.yaml": """\
# One hidden layer.
_target_: repro.model.architectures.narrow.Narrow
units: 3                  # of the hidden layer
""",
    "src/repro.procedures.dice.py": """\
'''Throwing dice.'''

from collections.abc import Iterator

import torch

from repro.training.work import Measured, from_rows


@from_rows
def dice(data: None, rng: torch.Generator, *, throws: int) -> Iterator[Measured]:
    '''The mean of so many throws.'''
    del data
    thrown = torch.randint(1, 7, (throws,), generator=rng).double()
    for n in range(1, throws + 1):
        yield Measured("mean", float(thrown[:n].mean()), n)
""",
    "conf/procedure/dice.yaml": """\
# The mean of so many throws of a die.
_target_: repro.procedures.dice.dice
_takes_: []
throws: 10                # in each run
""",
    "experiments/chance/law.yaml": """\
# @package _global_
# Does the mean of many throws come near 3.5?
# Run:       repro reproduce chance/law
# Published: 3.5
defaults:
  - override /procedure: dice

reproduction:
  seeds: 6
  variants: {few: [procedure.throws=20], many: [procedure.throws=2000]}
  scales:
    smoke: {}
    quick: {}
    full: {}
  claims:
    near:
      says: The mean of two thousand throws of a die is 3.5 to within a tenth.
      source: everybody
      published: 3.5
      kind: within
      metric: dice_mean
      variant: many
      target: 3.5
      tolerance: 0.1
""",
    "experiments/chance/law.py": """\
'''Figures of the law of large numbers.'''

from matplotlib.figure import Figure

from repro.plots.experiment import Tables
from repro.plots.style import figure


def figures(tables: Tables) -> dict[str, Figure]:
    '''The mean against the throws.'''
    drawn = figure()
    axes = drawn.subplots()
    for _, own in tables.curves.groupby(["run", "seed"]):
        axes.plot(own["step"], own["value"])
    return {"means": drawn, "again": drawn}
""",
    "experiments/chance/page.md": """\
# Chance (everybody)

What: a die. Ours: below. How: `repro reproduce chance/law`. Not done: nothing.

{table:law}
""",
}

QUANTITY = """\
@quantity("size", "activations", unit="as *h*, ≥ 0", says="mean of |*h*ᵢᵤ| over samples and units")
def size(out: "Tensor") -> "Tensor":
    \"\"\"Mean size over samples and units, (replicas, samples, units, ...) to (replicas,).\"\"\"
    return out.double().abs().flatten(1).mean(1)


"""

# The tests that concern what is added: of activation, architecture, quantity, procedure, experiment and rooms.
TESTS = (
    "model/test_activations.py",
    "model/test_cell.py",
    "config/test_build.py",
    "diagnostics/test_quantities.py",
    "study/test_experiments.py",
    "test_layers.py",
    "config/test_config.py",
)
CHOSEN = "bent or narrow or every_quantity or page or mlp-tanh-single or dice or chance or test_layers or test_config"


def place(name: str) -> Path:
    """A file of FILES; code goes by the name of its module."""
    return Path(name[:-3].replace(".", "/") + ".py") if name.startswith("src/") else Path(name)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    there = tmp_path_factory.mktemp("clone")
    for folder in ("src", "conf", "tests", "experiments", "tools", "docs"):
        shutil.copytree(CLONE / folder, there / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "constraints.txt", "Makefile"):
        shutil.copy(CLONE / file, there / file)
    for name, text in FILES.items():
        file = there / place(name)
        assert not file.exists(), name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    # A quantity is a function in a file that is there; the table of the docs is made from it.
    quantities = there / "src/repro/diagnostics/quantities.py"
    quantities.write_text(quantities.read_text().replace("@quantity(", f"{QUANTITY}@quantity(", 1))
    subprocess.run(
        [sys.executable, "tools/write_quantities.py"], cwd=there, env=environment(there), check=True, timeout=300
    )
    return there


def environment(clone: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(clone / "src")}


@pytest.mark.timeout(600)
def test_what_is_added_passes_without_a_third_file(clone: Path) -> None:
    files = [f"tests/{file}" for file in TESTS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *files, "-k", CHOSEN],
        cwd=clone,
        env=environment(clone),
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.findall(r"^PASSED (\S+)", done.stdout, re.MULTILINE)
    for file in TESTS:
        assert any(name.startswith(f"tests/{file}::") for name in passed), file
