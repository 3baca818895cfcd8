"""The Python on the pages about the library does what they say."""

import re
from pathlib import Path

import pytest
import torch

from repro.paths import CLONE


@pytest.fixture
def said(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """What each block of a page printed, run from top to bottom in an empty folder."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    names: dict[str, object] = {}
    printed = []
    for block in re.findall(r"```python\n(.*?)```", (CLONE / "docs" / request.param).read_text(), re.DOTALL):
        exec(block, names)  # our own page
        printed.append(capsys.readouterr().out)
    return printed


@pytest.mark.parametrize("said", ["library.md"], indirect=True)
def test_the_library(said: list[str]) -> None:
    assert "the gradient is " in said[0]
    assert "an update moves the weights by " in said[0]
    assert Path("overview.png").read_bytes().startswith(b"\x89PNG")
    assert {"gamma_1e-6", "alpha_1e-6"} <= set(said[2].split())
    assert "torch.Size([4, 10, 3])" in said[3]
    assert "At step 20, 4 layers deep:" in said[4]


@pytest.mark.parametrize("said", ["why_it_does_not_train.md"], indirect=True)
def test_a_broken_net_is_diagnosed_and_mended(said: list[str]) -> None:
    assert len(said) == 5
    assert float(said[1].split()[1]) < 0.65
    assert "the gradient is " in said[2]
    norms = [float(line.split()[1]) for line in said[3].splitlines()[1:]]
    assert norms[0] < 1e-4 * norms[-2]
    assert float(said[4].split()[1]) > 0.95
    assert "the gradient is " not in said[4]


@pytest.mark.parametrize("said", ["activation_in_my_lstm.md"], indirect=True)
def test_noisy_gates_in_an_lstm(said: list[str]) -> None:
    plain, noisy = (float(line.split()[0]) for line in said[1].splitlines())
    assert plain > 0.6
    assert noisy > 0.6
    assert said[2].count("mean |p|") == 5
    assert said[3].strip() == "tensor(True)"


@pytest.mark.parametrize("said", ["claim_of_my_own.md"], indirect=True)
def test_a_claim_is_judged(said: list[str]) -> None:
    verdict, numbers = said[2].splitlines()
    assert verdict == "holds"
    assert numbers.endswith("n = 10")
    assert said[3].strip() == "holds"
