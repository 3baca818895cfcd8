"""`repro export`: the script that it writes gives the net as it was trained."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import repro
from conftest import Said
from repro.model.architectures.recurrence import call

SMALL = ("trainer.epochs=1", "diagnostics=none")
XOR = ("dataset=xor", "dataset.train_size=48", "dataset.valid_size=16", "dataset.test_size=16", "architecture.width=8")
RUNS = {
    "mlp": (*XOR, "normalization=batch", "activation=noisy_tanh", "replicas=2"),
    "cnn": ("dataset.subset=64", "architecture=cnn"),
    "lstm": (
        *("dataset=unique_numbers", "architecture=lstm_classifier", "architecture.width=8", "trainer.steps=2"),
        *("dataset.valid_size=8", "dataset.test_size=8"),
    ),
}
READ = """
from model import net
from repro.model.architectures.recurrence import call

torch.manual_seed(0)
assert not net.training
torch.save(call(net, torch.load("x.pt", weights_only=True))[0], "y.pt")
"""


@pytest.mark.parametrize("name", RUNS)
def test_the_script_gives_the_net(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Said]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("train", *SMALL, *RUNS[name]).status == 0
    (folder,) = (path.parent for path in tmp_path.rglob("done.json"))
    said = cli("export", folder.name, "--to", "model.pt")
    assert said.status == 0, said.err
    assert said.out.split() == ["model.pt", "model.py", "model.yaml"]
    lines = Path("model.py").read_text().splitlines()
    assert len([line for line in lines if line]) <= 10
    state = torch.load("model.pt", weights_only=True)
    net = repro.load(folder).model
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    x = {"mlp": torch.randn(5, 2), "cnn": torch.randn(5, 1, 8, 8), "lstm": torch.randint(0, 9, (5, 7))}[name]
    torch.save(x, "x.pt")
    done = subprocess.run(
        [sys.executable, "-c", f"import torch{READ}"], capture_output=True, text=True, timeout=300, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    torch.manual_seed(0)
    assert torch.allclose(torch.load("y.pt", weights_only=True), call(net, x)[0], atol=1e-6)


def test_nothing_but_an_export_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Said]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("train", *SMALL, *XOR).status == 0
    for suffix in ("py", "yaml", "pt"):
        own = Path(f"mine.{suffix}")
        own.write_text("my own")
        assert f"{own} is there, and no export has written it" in cli("export", "xor", "--to", "mine.pt").mistake
        assert own.read_text() == "my own"
        own.unlink()
    for _ in range(2):
        assert cli("export", "xor", "--to", "mine.pt").status == 0
    for name in ("class", "json", "torch", "numpy", "repro"):
        assert "take model.pt" in cli("export", "xor", "--to", f"{name}.pt").mistake
    assert {file.stem for file in tmp_path.glob("*.*")} == {"mine"}


def test_another_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Said]) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("train", *SMALL, *XOR, "replicas=2").status == 0
    assert cli("export", "seed0x2", "--to", "second.pt", "--seed", "1").status == 0
    (folder,) = (path.parent for path in tmp_path.rglob("done.json"))
    first, second = repro.load(folder).models
    state = torch.load("second.pt", weights_only=True)
    assert all(torch.equal(value, state[key]) for key, value in second.state_dict().items())
    assert not all(torch.equal(value, state[key]) for key, value in first.state_dict().items())
    assert "--seed 7: the run has 0, 1" in cli("export", "seed0x2", "--to", "m.pt", "--seed", "7").mistake
    assert "take model.pt" in cli("export", "seed0x2", "--to", "model.onnx").mistake
    assert "only trusted=" in cli("export", "seed0x2", "lr=1", "--to", "m.pt").mistake
    assert "--to" in cli("export", "seed0x2").mistake
    Path("file").touch()
    assert "choose another folder with --to" in cli("export", "seed0x2", "--to", "file/model.pt").mistake
    (folder / "config.yaml").unlink()
    assert "config.yaml is missing; train the run again" in cli("export", "seed0x2", "--to", "m.pt").mistake
