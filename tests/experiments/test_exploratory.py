"""The exploratory study of noisy units: formulas in numpy, every unit's p in the tables, and the figures' claims."""

import csv
import math
from collections.abc import Callable
from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import strategies as st
from omegaconf import OmegaConf

from conftest import Trained
from loading import load
from repro.experiments.noisy_activations import exploratory as script
from repro.experiments.noisy_activations.plots import best_possible
from repro.experiments.noisy_activations.plots.units import HARD_SIGMOID, HARD_TANH, phi, sigma, slope
from repro.model.activations.elementwise import hard_sigmoid, hard_tanh
from repro.model.activations.noisy import HALF_NORMAL_MEAN, OutputNoise
from repro.paths import experiments_dir
from repro.plots.experiment import Tables
from repro.plots.style import styled

YAML = experiments_dir() / "noisy_activations" / "exploratory.yaml"

HARD = {"hard-tanh": HARD_TANH, "hard-sigmoid": HARD_SIGMOID}
with (Path(__file__).parents[1] / "data" / "noisy-activations-golden.csv").open() as file:
    GOLDEN = [row for row in csv.DictReader(file) if row["mode"].partition("_")[0] in ("NAN", "NAH")]


# ---- formulas ----


@pytest.mark.parametrize("row", GOLDEN, ids=[f"{r['id']}-{r['fn']}-{r['mode']}" for r in GOLDEN])
def test_golden(row: dict[str, str]) -> None:
    kind, _, test = row["mode"].partition("_")
    xi = {"NAN": 0.0, "NAH": HALF_NORMAL_MEAN}[kind] if test else float(row["xi"])
    eps = abs(xi) if kind == "NAH" else xi
    x, p, alpha, c = (float(row[name]) for name in ("x", "p", "alpha", "c"))
    hard = HARD[row["fn"]]
    assert sigma(x, p, c, hard) == pytest.approx(float(row["sigma"]), abs=1e-10)
    assert phi(x, eps, p, alpha, c, hard) == pytest.approx(float(row["phi"]), abs=1e-10)
    assert slope(x, eps, p, alpha, c, hard) == pytest.approx(float(row["dphi_dx"]), abs=1e-10)


def test_there_are_golden_rows() -> None:
    assert len(GOLDEN) == 80


class Given:
    """A noise source that returns the numbers it was given."""

    def __init__(self, xi: torch.Tensor) -> None:
        self.xi = xi

    def normal(self, like: torch.Tensor) -> torch.Tensor:
        del like
        return self.xi


moderate = st.floats(-12, 12)


@hypothesis.given(
    st.sampled_from(["tanh", "sigmoid"]),
    st.booleans(),
    moderate,
    moderate,
    st.floats(-3, 3),
    st.floats(0.5, 1.5),
    st.floats(0, 10),
)
def test_the_same_as_the_module_that_is_trained(
    kind: str, half: bool, x: float, p: float, xi: float, alpha: float, c: float
) -> None:
    made, hard = {"tanh": (hard_tanh(), HARD_TANH), "sigmoid": (hard_sigmoid(), HARD_SIGMOID)}[kind]
    hypothesis.assume(abs(abs(x) - hard.knee) > 1e-9)
    module = OutputNoise(made, 1, half_normal=half, alpha=alpha, c=c).double()
    torch.nn.init.constant_(module.p, p)
    module.noise = Given(torch.tensor([xi], dtype=torch.float64))  # type: ignore[assignment]
    at = torch.tensor([x], dtype=torch.float64, requires_grad=True)
    out = module(at)
    (derivative,) = torch.autograd.grad(out.sum(), at)
    eps = abs(xi) if half else xi
    assert phi(x, eps, p, alpha, c, hard) == pytest.approx(out.item(), abs=1e-9)
    assert slope(x, eps, p, alpha, c, hard) == pytest.approx(derivative.item(), abs=1e-9)
    assert sigma(x, p, c, hard) == pytest.approx(module.noise_std(at).item(), abs=1e-9)


def test_formulas_take_arrays_that_go_together() -> None:
    x, p = np.linspace(-4, 4, 9)[:, None], np.array([0.3, -1.2])
    whole = phi(x, 0.5, p, 1.15, 0.5, HARD_TANH)
    assert whole.shape == (9, 2)
    assert whole[1, 1] == phi(-3.0, 0.5, -1.2, 1.15, 0.5, HARD_TANH)


# ---- the best possible accuracy ----


def right(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether the densities of the clouds, in equal shares, point to the cloud that each point is from."""
    dataset = OmegaConf.load(YAML).dataset
    means, stds = np.array(dataset.means), np.array(dataset.stds)
    squares = np.stack([((x - mean) ** 2).sum(1) for mean in means], axis=1)
    return np.argmin(squares / (2 * stds**2) + 2 * np.log(stds), axis=1) == y


@pytest.mark.parametrize("million", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_best_possible_accuracy(million: int) -> None:
    dataset = OmegaConf.load(YAML).dataset
    rng, y = np.random.default_rng(0), np.arange(1_000_000) % 3
    found = []
    for _ in range(million):
        noise = rng.standard_normal((len(y), 2)) * np.array(dataset.stds)[y, None]
        found.append(right(np.array(dataset.means)[y] + noise, y).mean())
    error = math.sqrt(script.BAYES * (1 - script.BAYES) / (million * len(y)))
    assert abs(np.mean(found) - script.BAYES) < 3 * error


def test_best_possible_accuracy_on_the_test_split() -> None:
    test = load("three_gaussians", **OmegaConf.to_container(OmegaConf.load(YAML).dataset)).test
    assert len(test) == 1000
    assert right(test.x.double().numpy(), test.y.numpy()).mean() == script.BAYES_HERE
    claims = OmegaConf.load(YAML).reproduction.claims
    assert {claim.target for claim in claims.values() if claim.kind == "within"} == {script.BAYES_HERE}


def test_the_table_of_the_page_is_computed_from_densities_and_test_split() -> None:
    table = best_possible.table(YAML).set_index("on")
    assert table["accuracy"].astype(float).tolist() == pytest.approx([script.BAYES, script.BAYES_HERE], abs=3e-5)
    assert table.index[1] == "the 1,000 points of the test split"
    assert float(table["standard error"].iloc[1]) == pytest.approx(math.sqrt(0.98915 * 0.01085 / 1000), rel=0.05)


def test_two_equal_clouds_are_told_apart_by_the_normal_distribution() -> None:
    best = best_possible.over_the_plane([[-1.0, 0.0], [1.0, 0.0]], [1.0, 1.0])
    assert best == pytest.approx(0.5 * (1 + math.erf(1 / math.sqrt(2))), abs=3e-5)


# ---- every unit's p ----


def p_of(run: Trained, seed: int, step: int) -> dict[int, list[float]]:
    rows = pd.read_csv(run.folder / "layers.csv")
    rows = rows[rows["quantity"].str.fullmatch(r"noise_p_\d{3}") & (rows["seed"] == seed) & (rows["step"] == step)]
    assert [*rows["quantity"]] == [f"noise_p_{i:03d}" for i in range(8)] * 2
    return {int(depth): own.sort_values("quantity")["value"].tolist() for depth, own in rows.groupby("depth")}


@pytest.mark.parametrize("seeds", [1, 2], ids=["single", "stacked"])
def test_every_p_is_written_down(trained: Callable[..., Trained], seeds: int) -> None:
    run = trained(
        "diagnostics=noise",
        "activation=noisy_tanh",
        "initialization=normal",
        "initialization.std=3",
        f"replicas={seeds}",
    )
    parameters = run.state["parameters"]
    sizes = pd.read_csv(run.folder / "layers.csv").query("quantity == 'noise_p' and step == 3")
    for seed in range(seeds):
        before, after = p_of(run, seed, 0), p_of(run, seed, 3)
        for layer in (1, 2):
            p = parameters[f"hidden.{layer - 1}.activation.function.p"]
            assert after[layer] == pytest.approx((p[seed] if seeds > 1 else p).tolist(), rel=1e-6)
            assert before[layer] != after[layer]
            assert min(before[layer]) < 0 < max(before[layer])
            own = sizes[(sizes["seed"] == seed) & (sizes["depth"] == layer)]
            assert own["value"].tolist() == pytest.approx([sum(map(abs, after[layer])) / 8])


def test_nets_without_p_have_no_rows_of_it(trained: Callable[..., Trained]) -> None:
    for words in (["activation=tanh", "diagnostics=noise"], ["activation=noisy_tanh", "diagnostics=layers"]):
        rows = pd.read_csv(trained(*words).folder / "layers.csv")
        assert not rows["quantity"].str.startswith("noise_p").any()


# ---- figure 4 ----


@pytest.mark.parametrize(
    ("alpha", "end", "inwards"), [(0.9, 1.3, True), (1.0, 1.0, True), (1.1, 0.7, False), (1.2, 0.4, False)]
)
def test_half_normal_noise_pushes_one_way(alpha: float, end: float, inwards: bool) -> None:
    assert phi([-4.0, 4.0], 0.0, 1.0, alpha, script.C, HARD_TANH) == pytest.approx([-end, end])
    x, y, line = script.fan(alpha, 4000, np.random.default_rng(0))
    push = np.sign(x) * (y - line)
    outside = np.abs(x) > 1
    assert (y == line)[~outside].all()
    assert (push[outside] < 0).all() if inwards else (push[outside] > 0).all()


def test_size_of_the_noise_beside_the_published_drawing() -> None:
    delta, published = np.array([*script.FIGURE_4]), np.array([*script.FIGURE_4.values()])
    # The drawing is the form without p, to a hundredth; Eq. 9 with p = 1 is a softer and smaller fan.
    assert np.abs(script._free(delta) - published).max() < 0.01
    assert np.abs(sigma(1 + delta, 1.0, script.C, HARD_TANH) - published).max() > 0.025
    assert sigma(4.0, 1.0, script.C, HARD_TANH) == pytest.approx(0.102, abs=1e-3)
    assert sigma(1e3, 1.0, script.C, HARD_TANH) == script.C / 4


def test_root_mean_squares_by_hand() -> None:
    at, values = np.array([0.1, 0.2, 1.5, 3.5]), np.array([3.0, -4.0, 2.0, 1.0])
    places, found = script.rms_by(at, values, np.array([0.0, 1.0, 2.0, 3.0]))
    assert places.tolist() == [0.5, 1.5]
    assert found == pytest.approx([math.sqrt(12.5), 2.0])


# ---- figures 5 and 6 ----


def test_the_median_slope_outside_is_that_of_the_line() -> None:
    p = np.random.default_rng(1).uniform(-1, 1, 24)
    x, d = script.units(slope, p, script.ALPHA, 4, 6000, np.random.default_rng(5))
    outside = d[np.abs(x) > 1]
    assert abs(np.median(outside) - (1 - script.ALPHA)) < 1e-3
    assert (d[np.abs(x) < 1] == 1).all()
    assert outside.min() < -0.03 < 0.01 < outside.max()  # to both sides


def test_spreads_are_those_of_many_draws() -> None:
    p, x = np.array([0.4, -1.5, 0.9]), np.array([1.5, 2.4, 3.8])
    rng = np.random.default_rng(2)
    eps, chosen = rng.standard_normal((400_000, 3)), rng.choice(p, (400_000, 3))
    for function, expected in ((slope, script.slope_spread), (phi, script.spread)):
        drawn = function(x, eps, chosen, script.ALPHA, script.C, HARD_TANH)
        about = function(x, 0.0, chosen, script.ALPHA, script.C, HARD_TANH)
        assert np.sqrt(((drawn - about) ** 2).mean(0)) == pytest.approx(expected(x, p), rel=0.01)


def test_the_slope_spreads_most_at_a_finite_distance_beyond_the_knee() -> None:
    at = np.linspace(1, 12, 1101)
    found = script.slope_spread(at, np.random.default_rng(1).uniform(-1, 1, 240))
    peak = at[found.argmax()]
    assert 1.5 < peak < 5
    assert found[0] == 0
    assert found[-1] < found.max() / 2
    one = script.slope_spread(at, np.array([1.0]))
    assert at[one.argmax()] == pytest.approx(1 + 1.317, abs=0.01)
    assert one.max() == pytest.approx(0.09623 * script.C, rel=1e-3)


# ---- the script ----

DRAWN = {"figure1", "figure4", "figure5", "figure6", "accuracy_and_p"}


def tables(folder: Path, variants: dict[str, bool], seeds: int = 2) -> Tables:
    """Made-up tables; a variant's value says whether its units have a p."""
    rng = np.random.default_rng(0)
    runs = [
        (f"r{i}", name, seed, "done", "full", rng.uniform(0.98, 1))
        for i, name in enumerate(variants)
        for seed in range(seeds)
    ]
    layers = []
    for i, (name, noisy) in enumerate(variants.items()):
        for seed in range(seeds if noisy else 0):
            for step in (0, 9):
                for depth in (1, 2, 3):
                    p = rng.uniform(-1, 1, 8)
                    rows = [*((f"noise_p_{u:03d}", v) for u, v in enumerate(p)), ("noise_p", np.abs(p).mean())]
                    layers += [(f"r{i}", name, seed, step, 0.0, f"hidden.{depth - 1}", depth, q, v) for q, v in rows]
    folder.mkdir(exist_ok=True)
    columns = ["run", "variant", "seed", "step", "epoch", "layer", "depth", "quantity", "value"]
    pd.DataFrame(layers, columns=columns).to_csv(folder / "layers.csv.gz", index=False)
    head = ["run", "variant", "seed", "status", "scale", "test_accuracy"]
    pd.DataFrame(runs, columns=head).to_csv(folder / "runs.csv", index=False)
    return Tables(folder)


def test_figures_from_tables(tmp_path: Path) -> None:
    with styled():
        assert set(script.figures(tables(tmp_path, {"tanh": False, "nan": True, "nan_alpha101": True}))) == DRAWN
        assert set(script.figures(tables(tmp_path / "few", {"tanh": False}))) == DRAWN - {"figure5", "figure6"}


def test_learnt_p_are_those_of_the_last_step(tmp_path: Path) -> None:
    made = tables(tmp_path, {"nan": True, "nan_alpha101": True})
    learnt = script._learnt(script._of_variant(made.layers, "nan_alpha101"))
    assert {depth: len(p) for depth, p in learnt.items()} == {1: 16, 2: 16, 3: 16}
    last = made.layers.query("variant == 'nan_alpha101' and step == 9 and depth == 2 and quantity != 'noise_p'")
    assert sorted(learnt[2]) == sorted(last["value"])
