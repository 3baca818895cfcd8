"""The recurrent recipes that take a GPU or days: their nets, at their own size, train on a little data; their rates."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import Said
from loading import need_mirror
from repro.config.compose import compose
from repro.config.run import resolve
from repro.study.experiment import load
from repro.training.prepare import components

LITTLE = {
    "penn_treebank": ("dataset.subset=2000", "dataset.held_out=800"),
    "learning_to_execute": (
        "dataset.characters=132",
        "dataset.valid_streams=2",
        "dataset.test_streams=2",
        "dataset.test_glance=2",
    ),
    "unique_numbers": ("dataset.valid_size=20", "dataset.test_size=20"),
    "associative_recall": ("dataset.valid_size=2", "trainer.batch_size=2", "replicas=1"),
}
CASES = [  # and units of a layer
    ("penn_treebank", "medium", "nan", 650),
    ("penn_treebank", "large", "nah", 1500),
    ("learning_to_execute", "full", "nah", 400),
    ("unique_numbers", "full", "nan_annealed_curriculum", 100),
    ("associative_recall", "full", "noisy_annealed", 100),
]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("name", "scale", "variant", "units"), CASES)
def test_a_net_of_full_size_trains(
    cli: Callable[..., Said], tmp_path: Path, name: str, scale: str, variant: str, units: int
) -> None:
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


@pytest.mark.parametrize(
    ("scale", "epochs", "at_one", "factor"), [("full", 13, 5, 0.5), ("medium", 39, 6, 0.8), ("large", 55, 15, 1 / 1.15)]
)
def test_learning_rates_of_the_language_models(scale: str, epochs: int, at_one: int, factor: float) -> None:
    """As in Zaremba et al. (2014) and their code: 1 for so many epochs, then lower from each epoch to the next."""
    run = resolve(compose(load("noisy_activations/penn_treebank").jobs(scale)[0].overrides))
    schedule = components(run).schedule
    rates = [run.settings["optimizer"]["lr"] * schedule(epoch, epochs) for epoch in range(run.trainer.epochs)]
    assert rates == pytest.approx([1.0] * at_one + [factor**k for k in range(1, epochs - at_one + 1)])
