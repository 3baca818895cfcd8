"""What is told from a layer: the probe of another split, and what scale, place and sameness do to it."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from repro.config.compose import compose
from repro.config.run import resolve
from repro.diagnostics.quantities import REGISTRY
from repro.errors import UserError
from repro.training.prepare import prepare
from repro.training.run import train


def told(**changes: Any) -> list[str]:
    few = ["dataset=digits", "trainer.epochs=0", "architecture.width=8", "architecture.depth=2"]
    asked = "[linear_probe_accuracy,reconstruction_error,class_separation]"
    return [*few, f"diagnostics.quantities={asked}", *(f"diagnostics.{key}={value}" for key, value in changes.items())]


def went(words: list[str], folder: Path) -> Path:
    return train(resolve(compose([*words, f"results_dir={folder}"]))).folder


def test_a_probe_of_another_split(tmp_path: Path) -> None:
    """The inputs' own rows show which samples were taken: 180 of validation, all of them or every second one."""
    data = prepare(resolve(compose(told()))).data.valid
    x = data.x.flatten(1).double()
    for n, kept in ((200, slice(None)), (90, slice(0, None, 2))):
        rows = pd.read_csv(went(told(probe=n, probe_split="valid"), tmp_path) / "layers.csv").query("layer == 'input'")
        own = REGISTRY["class_separation"].measure(x[None, kept], data.y[kept])
        assert rows.set_index("quantity")["value"]["class_separation"] == pytest.approx(own.item(), rel=1e-6)
        assert set(rows["depth"]) == {0}


NUMBERS = ["dataset=five_points", "task=regression", "diagnostics.quantities=[linear_probe_accuracy]"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (told(probe_split="tset"), "unknown split in diagnostics.probe_split 'tset'; known: .*did you mean test"),
        (
            [*told(probe_split="valid"), "dataset.valid_size=0"],
            "diagnostics.probe_split=valid needs a split .* has none",
        ),
        (NUMBERS, "linear_probe_accuracy, which no layer"),
    ],
)
def test_wrong_probes(words: list[str], says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says):
        went(words, tmp_path)


@pytest.mark.parametrize("quantity", ["linear_probe_accuracy", "class_separation", "reconstruction_error"])
def test_what_is_told_does_not_depend_on_scale_or_place(quantity: str) -> None:
    rng = torch.Generator().manual_seed(3)
    features = torch.randn(2, 40, 6, generator=rng, dtype=torch.float64)
    known = torch.arange(40) % 4 if REGISTRY[quantity].reads == "classes" else features[0, :, :3] ** 2
    measure = REGISTRY[quantity].measure
    assert measure(7 * features - 2, known).tolist() == pytest.approx(measure(features, known).tolist(), rel=1e-9)


def test_features_that_never_change_tell_nothing() -> None:
    flat, y = torch.ones(1, 40, 6, dtype=torch.float64), torch.arange(40) % 2
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    assert REGISTRY["class_separation"].measure(flat, y).tolist() == [0]
    assert REGISTRY["reconstruction_error"].measure(flat, x).tolist() == pytest.approx([1])
    assert REGISTRY["linear_probe_accuracy"].measure(flat, y.sort().values).tolist() == [0.5]
