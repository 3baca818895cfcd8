"""What TAB knows beyond verbs and options: nested settings, and the runs there are."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Said, complete
from repro.config.compose import compose
from repro.config.groups import GROUPS


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("repro train architecture.de", ["architecture.depth="]),
        ("repro train trainer.batch", ["trainer.batch_size="]),
        ("repro train optimizer=adam optimizer.b", ["optimizer.betas="]),
        ("repro train optimizer.b", []),
        ("repro train activation=elu activation.a", ["activation.alpha="]),  # short for activation.unit.alpha
        ("repro train activation=elu activation.unit.a", ["activation.unit.alpha="]),
        ("repro train experiment=noisy_activations/penn_treebank architecture.embed", []),
        ("repro reproduce training_deep_networks/l2 dataset=mnist dataset.sub", ["dataset.subset="]),
        ("repro runs architecture.wi", ["architecture.width="]),
        ("repro train nothing.x", []),
        ("repro train activation=nothing activation.", []),
    ],
)
def test_nested_settings(line: str, found: list[str], cli: Callable[..., Said]) -> None:
    assert complete(cli, line) == found


def test_an_experiments_options_have_their_keys(cli: Callable[..., Said]) -> None:
    line = "repro train experiment=noisy_activations/penn_treebank architecture."
    assert complete(cli, line) == [f"architecture.{key}=" for key in ("depth", "width", "dropout")]
    assert "architecture.bias=" in complete(cli, "repro train architecture.")


@pytest.mark.parametrize("group", [group for group in GROUPS if group not in ("experiment", "hessian")])
def test_every_nested_key_can_be_set(group: str, cli: Callable[..., Said]) -> None:
    keys = complete(cli, f"repro train {group}.")
    assert all(key.startswith(f"{group}.") and key.endswith("=") for key in keys)
    compose([f"{key}null" for key in keys if group not in ("trainer", "diagnostics")])


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    names = ("digits/mlp-tanh-depth=20-seed0-ab00000001", "digits/mlp-relu-seed0-ab00000002", "xor/mlp-esp-ac00000003")
    for name in names:
        (tmp_path / "results/runs" / name).mkdir(parents=True)
        (tmp_path / "results/runs" / name / "config.yaml").touch()
    return tmp_path


def test_runs(runs: Path, cli: Callable[..., Said]) -> None:
    first, second, third = "mlp-esp-ac00000003", "mlp-relu-seed0-ab00000002", "mlp-tanh-depth=20-seed0-ab00000001"
    for verb in ("show", "compare", "diagnose", "runs"):
        assert complete(cli, f"repro {verb} mlp") == [first, second, third]
    assert complete(cli, "repro show ") == [first, second, third]
    assert complete(cli, f"repro compare {first} mlp-") == [second, third]
    assert complete(cli, "repro show digits/") == [f"digits/{second}", f"digits/{third}"]
    assert complete(cli, "repro show ab") == ["ab00000002", "ab00000001"]
    assert complete(cli, "repro show --results-dir elsewhere mlp") == []
    assert complete(cli, "repro show --results-dir= mlp") == []
    (runs / "results").rename(runs / "elsewhere")
    assert complete(cli, "repro show --results-dir elsewhere mlp-r") == [second]
    assert complete(cli, "repro show results_dir=elsewhere mlp-r") == [second]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_a_name_with_a_setting_in_bash(runs: Path) -> None:
    line = "repro show mlp-tanh-depth=2"
    script = f"""
repro() {{ {sys.executable} -m repro "$@"; }}
eval "$(repro completion bash)"
COMP_LINE='{line}' COMP_POINT={len(line)}
_repro
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], env=os.environ, cwd=runs, capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines() == ["20-seed0-ab00000001"], done.stderr


def test_answers_without_torch_or_pandas(runs: Path) -> None:
    code = """
import sys
from repro.cli import main
for line in ("repro train architecture.de", "repro show mlp", "repro runs status=", "repro runs activation="):
    assert main(["_complete", line]) == 0
print(*(name for name in ("torch", "pandas", "scipy", "matplotlib", "sklearn", "hydra") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=runs, capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines()[-1] == "", done
