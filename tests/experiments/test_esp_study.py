"""The comparison of Milletarì et al. 2018 at a size of seconds: 2-10-1, generated points, five seeds."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from curvature import ESP, ONE_LAYER
from repro.config.compose import compose
from repro.config.run import resolve
from repro.storage.tables import read
from repro.training import prepare
from repro.training.run import train

# Full-batch Adam in float64; the learning rate falls by a tenth in 500 updates.
RECIPE = (
    *ONE_LAYER,
    "initialization=xavier",
    "initialization.distribution=uniform",
    "optimizer=adam",
    "optimizer.lr=0.01",
    "schedule=exponential",
    f"schedule.factor={0.9 ** (1 / 500)}",
    "trainer.batch_size=null",
    "trainer.epochs=1000",
    "trainer.eval_every=500",
    "trainer.precision=float64",
    "replicas=5",
    "hessian=exact",
    "hessian.seeds=0",
    "diagnostics=none",
    "diagnostics.log_spaced=0",
)
NETS = {"relu": ("activation=relu",), "esp": ESP, "sigmoid": ("activation=sigmoid",)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The runs by activation."""
    place = tmp_path_factory.mktemp("study")
    return {
        name: train(resolve(compose([*RECIPE, *words, f"results_dir={place}"]))).folder for name, words in NETS.items()
    }


@pytest.fixture(scope="module")
def ends(folders: dict[str, Path]) -> dict[str, pd.DataFrame]:
    """What was found at the last step, by activation; a row a seed, a column an index."""
    found = {}
    for name, folder in folders.items():
        rows = read(folder / "curves.csv").query("split == 'hessian'")
        assert set(rows["step"]) == {0, 1000}
        found[name] = rows.query("step == 1000").pivot(index="seed", columns="metric", values="value")
        assert list(found[name].index) == list(range(5))
    return found


def inactive(folder: Path, seed: int) -> int:
    """Hidden units of a ReLU net that are 0 on all training points, counted without the program's nets."""
    parameters = torch.load(folder / "checkpoint.pt", weights_only=True)["state"]["parameters"]
    weight, bias = (parameters[f"hidden.0.linear.{part}"][seed] for part in ("weight", "bias"))
    assert weight.dtype == torch.float64
    run = resolve(compose(list(RECIPE)))
    data, _ = prepare.read_data(run, prepare.components(run), torch.device("cpu"))
    x = data.train.x.double()
    assert x.shape == (38, 2)
    return int((x @ weight.T + bias <= 0).all(0).sum())


def test_flat_directions_are_those_of_dead_units(folders: dict[str, Path], ends: dict[str, pd.DataFrame]) -> None:
    for name in ("esp", "sigmoid"):
        assert (ends[name]["gamma_structural"] == 0).all(), name
    relu = ends["relu"]["gamma_structural"]
    assert relu.mean() >= 0.15
    for seed, share in relu.items():
        assert share == pytest.approx(4 * inactive(folders["relu"], seed) / 41, abs=1e-12)


def test_esp_reaches_the_lowest_loss_and_the_most_zero_residuals(ends: dict[str, pd.DataFrame]) -> None:
    losses = {name: found["loss"].median() for name, found in ends.items()}
    assert min(losses, key=losses.__getitem__) == "esp"
    assert losses["esp"] < 0.002 < losses["relu"]
    shares = {name: found["zero_residuals"].mean() for name, found in ends.items()}
    assert max(shares, key=shares.__getitem__) == "esp"


def test_relu_has_the_fewest_directions_of_negative_curvature(ends: dict[str, pd.DataFrame]) -> None:
    alpha = {name: found["alpha_1e-8"].mean() for name, found in ends.items()}
    assert alpha["relu"] < alpha["sigmoid"]
    assert alpha["relu"] < alpha["esp"]


def test_an_esp_net_starts_out_nearly_linear(folders: dict[str, Path]) -> None:
    rows = read(folders["esp"] / "curves.csv").query("step == 0 and split == 'hessian' and metric == 'loss'")
    assert rows["value"].tolist() == pytest.approx([0.6931] * 5, abs=1e-3)
    parameters = read(folders["esp"] / "curves.csv").query("metric == 'parameters'")["value"]
    assert set(parameters) == {52}


def test_the_learning_rate_falls_continuously(folders: dict[str, Path]) -> None:
    rates = read(folders["relu"] / "curves.csv").query("metric == 'learning_rate' and seed == 0").set_index("step")
    assert rates.loc[1000, "value"] == pytest.approx(0.01 * 0.9 ** (999 / 500), rel=1e-9)
