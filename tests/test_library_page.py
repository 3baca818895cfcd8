"""The Python in docs/library.md does what the page says."""

import re
from pathlib import Path

import pytest
import torch

from repro.paths import CLONE


def test_the_page_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    names: dict[str, object] = {}
    said = []
    for block in re.findall(r"```python\n(.*?)```", (CLONE / "docs" / "library.md").read_text(), re.DOTALL):
        exec(block, names)  # our own page
        said.append(capsys.readouterr().out)
    assert "the gradient is " in said[0]
    assert "an update moves the weights by " in said[0]
    assert (tmp_path / "overview.png").read_bytes().startswith(b"\x89PNG")
    assert {"gamma_1e-6", "alpha_1e-6"} <= set(said[2].split())
    assert "torch.Size([4, 10, 3])" in said[3]
    assert "At step 20, 4 layers deep:" in said[4]
