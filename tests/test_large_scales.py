"""The recurrent recipes that take a GPU or days: their nets, at their own size, train on a little data."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import Said
from loading import need_mirror
from repro.reproduction import load

LITTLE = {
    "penn_treebank": ("dataset.subset=2000", "dataset.held_out=2000"),
    "learning_to_execute": ("dataset.characters=132", "dataset.valid_streams=2", "dataset.test_streams=2",
                            "dataset.test_glance=2"),
    "unique_numbers": ("dataset.valid_size=20", "dataset.test_size=20"),
    "associative_recall": ("dataset.valid_size=2", "trainer.batch_size=2", "replicas=1"),
}  # fmt: skip
CASES = [  # and units of a layer
    ("penn_treebank", "medium", "reference", 650),
    ("penn_treebank", "medium", "nan", 650),
    ("learning_to_execute", "full", "nah", 400),
    ("unique_numbers", "full", "nan_annealed_curriculum", 100),
    ("associative_recall", "full", "noisy_annealed", 100),
]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("name", "scale", "variant", "units"), CASES)
def test_a_net_of_full_size_trains(cli: Callable[..., Said], tmp_path: Path, name: str, scale: str, variant: str,
                                   units: int) -> None:  # fmt: skip
    experiment = f"noisy_activations/{name}"
    if name == "penn_treebank":
        need_mirror("ptb")
    words = next(job.overrides for job in load(experiment).jobs(scale) if job.variant == variant)
    said = cli("train", *words, *LITTLE[name], "trainer.steps=2", "diagnostics.quantities=[]")
    assert said.status == 0, said.err
    (folder,) = (tmp_path / "results/runs" / experiment).iterdir()
    curves = pd.read_csv(folder / "curves.csv")
    loss = curves[(curves["split"] == "train") & (curves["metric"] == "loss")]
    assert loss["step"].max() == 2
    assert np.isfinite(loss["value"]).all()
    parameters = torch.load(folder / "checkpoint.pt", weights_only=True)["state"]["parameters"]
    assert any(p.shape[-1] == units for p in parameters.values())
    noisy = [p for name, p in parameters.items() if name.endswith(".p")]
    assert bool(noisy) == (variant != "reference")
    assert all(p.shape == (units,) for p in noisy)
