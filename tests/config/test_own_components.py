"""Components of one's own, from a package and a conf/ beside the working folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf

OWN = {
    "mypackage/__init__.py": "",
    "mypackage/units.py": """
import torch
from torch import nn
from repro.model.activations import Activation


class Cube(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * x**3


def cube(scale: float) -> Activation:
    return Activation(unit=lambda: Cube(scale), gate=nn.Sigmoid)
""",
    "mypackage/points.py": """
import torch
from repro.datasets.memory import Data, Split


def line(samples: int) -> Data:
    x = torch.linspace(-1, 1, samples)[:, None]
    split = Split(x, (x[:, 0] > 0).long())
    return Data(split, split, split, outputs=2, name="line")
""",
    "conf/activation/cube.yaml": "# The third power.\n_target_: mypackage.units.cube\nscale: 0.5  # factor\n",
    "conf/dataset/line.yaml": "# Points on a line.\n_target_: mypackage.points.line\nsamples: 20  # points\n",
}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A working folder with a package and a conf/ of the user's own."""
    for name, text in OWN.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def repro(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # -P: like the installed program, Python does not look into the working folder by itself.
    command = [sys.executable, "-P", "-m", "repro", *words]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": ""}, timeout=300
    )


def test_components_of_ones_own(own: Path) -> None:
    words = (
        "train",
        "activation=cube",
        "activation.scale=0.25",
        "dataset=line",
        "architecture.width=4",
        "architecture.depth=2",
        "trainer.epochs=1",
        "normalization=batch",
    )
    done = repro(own, *words, "trusted=[mypackage]")
    assert done.returncode == 0, done.stderr
    (folder,) = (own / "results/runs/line").iterdir()
    assert folder.name.startswith("mlp-cube-normalization=batch-")
    assert "-scale=0.25-" in folder.name
    assert OmegaConf.load(folder / "config.yaml").activation == {"_target_": "mypackage.units.cube", "scale": 0.25}
    layers = pd.read_csv(folder / "layers.csv").query("step == 0 and quantity == 'activation_std' and depth == 1")
    assert layers["value"].item() > 0


def test_components_of_ones_own_need_trust(own: Path, cli: Callable) -> None:
    says = cli("train", "activation=cube", "dataset=xor").mistake
    assert "activation._target_ is 'mypackage.units.cube'" in says
    assert "add: trusted=[mypackage]" in says
    assert not (own / "results").exists()


def test_what_is_no_readable_file_spoils_no_list(own: Path, cli: Callable) -> None:
    folder = own / "conf/dataset"
    (folder / "folder.yaml").mkdir()
    (folder / "link.yaml").symlink_to("nowhere.yaml")
    (folder / "latin.yaml").write_bytes("# Données.\n_target_: mypackage.points.line\n".encode("latin-1"))
    for words in (("list", "dataset"), ("data", "list"), ("_complete", "repro train dataset=")):
        said = cli(*words)
        assert (said.status, said.err) == (0, "")
        names = {line.split()[0].removeprefix("dataset=") for line in said.out.splitlines() if line.strip()}
        assert {"latin", "line", "mnist"} <= names
        assert not {"folder", "link"} & names
    assert "Donn\ufffdes." in cli("list", "dataset").out


def test_an_option_that_repro_has_is_not_hidden_in_silence(own: Path, cli: Callable) -> None:
    (own / "conf" / "activation" / "tanh.yaml").write_text("# Mine.\n_target_: torch.nn.ReLU\n")
    for words in (("train", "activation=tanh"), ("list", "activation")):
        assert (
            "tanh.yaml has the name that an option of activation has in repro; give the file another name"
            in cli(*words).mistake
        )


def test_components_of_ones_own_are_listed_and_checked(own: Path, cli: Callable) -> None:
    assert "  cube           The third power.\n" in cli("list", "activation").out
    assert "did you mean cube" in cli("train", "activation=cub").mistake
    broken = own / "mypackage" / "units.py"
    broken.write_text("import not_there_at_all\n")
    says = cli("train", "activation=cube", "trusted=[mypackage]", "dataset=xor").mistake
    assert "cannot be imported (ModuleNotFoundError: No module named 'not_there_at_all')" in says
    assert (
        "trusted package 'nopackage' is neither installed nor in the working folder"
        in cli("train", "activation._target_=nopackage.f", "trusted=[nopackage]", "dataset=xor").mistake
    )


BROKEN = {
    "syntax": ("x = 1\ndef f(:\n", "SyntaxError: invalid syntax", 2),
    "arithmetic": ("\n\n1 / 0\n", "ZeroDivisionError: division by zero", 3),
    "exit": ("import sys\nsys.exit(3)\n", "SystemExit: 3", 2),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("file", ["__init__.py", "units.py"])
def test_a_package_that_cannot_be_imported(
    file: str, name: str, own: Path, cli: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, error, line = BROKEN[name]
    package = f"broken_{name}_{file.removesuffix('.py')}"
    (own / "mypackage").rename(own / package)
    (own / package / file).write_text(text)
    for _ in range(2):  # the second time as the first: nothing half made is left
        says = cli("train", f"activation._target_={package}.units.f", f"trusted=[{package}]", "dataset=xor").mistake
        assert f"activation._target_ '{package}.units.f' cannot be imported ({error}" in says
        assert f" in {own / package / file}, line {line}; mend it" in says
        assert file != "__init__.py" or package not in sys.modules
    monkeypatch.delitem(sys.modules, package, raising=False)
