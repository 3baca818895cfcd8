"""What a command waits for: nothing is imported for a run that the run does not need."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# Nothing of these before the result of a run of one seed is printed; what draws needs some of them afterwards.
NOT_BEFORE_THE_RESULT = (
    "matplotlib",
    "pandas",
    "repro.claims",
    "repro.plots",
    "repro.study",
    "scipy.sparse.linalg",
    "scipy.special",
    "scipy.stats",
    "sklearn",
    "sympy",
    "tensorboard",
    "torch._dynamo",
    "torch._inductor",
    "torch.distributed.tensor",
)
# Prints what is there at the first line of the result, then goes on.
PROGRAM = """\
import json, sys
from repro.text import result
from repro.cli import main

words, brief = sys.argv[1:], result.brief


def noting(folder):
    said = brief(folder)
    print("there:", json.dumps(sorted(sys.modules)))
    return said


result.brief = noting
sys.exit(main(words))
"""


@pytest.mark.parametrize(
    "words",
    [(), ("optimizer=adam", "normalization=batch", "activation=noisy_tanh"), ("architecture=cnn", "schedule=cosine")],
    ids=["default", "adam", "cnn"],
)
def test_a_run_imports_what_it_needs(words: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, "train", "trainer.steps=2", "dataset.subset=64", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("there: "))
    modules = set(json.loads(line.removeprefix("there: ")))
    assert "torch.optim.sgd" in modules
    assert sorted(modules & set(NOT_BEFORE_THE_RESULT)) == []
    assert "test accuracy" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("overview")
