"""What is read off a Hessian: counted by hand, by Lanczos and by quadrature."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from curvature import DIGITS, ESP, ONE_LAYER, TWO_LAYERS, Case, case, random_data
from repro.diagnostics import spectrum
from repro.diagnostics.hessian import hessian
from repro.diagnostics.objective import Objective
from repro.diagnostics.spectrum import Exact, Found, Lanczos, Method, Quadrature, indices, named, structural

SEVERAL = (1e-8, 1e-6, 1e-4)


def numbers(method: Method, objective: Objective, seed: int = 0) -> dict[str, float]:
    """The indices that a method finds."""
    return {one.quantity: one.value for one in method.measure(objective, seed, last=True) if one.place is None}


def eigenvalues(found: Sequence[Found]) -> list[float]:
    return [one.value for one in found if one.quantity == "eigenvalue"]


# Counts


@pytest.mark.parametrize(
    ("words", "plain", "with_beta"),
    [(ONE_LAYER, 41, 52), (TWO_LAYERS, 45, 56), (DIGITS, 1885, 1920)],
    ids=["2-10-1", "2-8-2-1", "64-25-10"],
)
def test_parameters_are_those_of_the_paper(words: tuple[str, ...], plain: int, with_beta: int) -> None:
    for activation in ("relu", "sigmoid", "tanh"):
        assert case(*words, f"activation={activation}").objective().count == plain
    assert case(*words, *ESP).objective().count == with_beta


def with_dead(words: Sequence[str], *dead: int) -> Case:
    """A ReLU net whose first units of each hidden layer are never active, and whose others always are."""
    one = case(*words, "activation=relu")
    for layer, units in zip(one.module.hidden, dead, strict=True):
        torch.nn.init.constant_(layer.linear.bias, 10.0)
        torch.nn.init.constant_(layer.linear.bias[:units], -100.0)
    return one


@pytest.mark.parametrize("cuts", [1, 3])
@pytest.mark.parametrize("dead", [0, 1, 4, 5, 10])
def test_a_dead_unit_of_one_layer_frees_four_parameters(dead: int, cuts: int) -> None:
    objective = with_dead(ONE_LAYER, dead).objective(cuts)
    free = 4 * dead
    found = numbers(Exact(SEVERAL, None, False), objective)
    assert found["gamma_structural"] == pytest.approx(free / 41, abs=1e-12)
    assert structural(objective) == pytest.approx(free / 41, abs=1e-12)
    assert found["gamma_1e-8"] >= found["gamma_structural"] - 1e-12
    assert found["parameters"] == 41


def test_dead_units_of_two_layers() -> None:
    objective = with_dead(TWO_LAYERS, 4, 1).objective()
    # 8 + 1 + 1 of the unit above; 2 + 1 + 1 of each below, whose other weight is among those 8
    assert structural(objective) == pytest.approx(26 / 45, abs=1e-12)
    assert float((hessian(objective) == 0).all(1).double().mean()) == pytest.approx(26 / 45, abs=1e-12)


@pytest.mark.parametrize(
    ("words", "share"), [(ESP, 75 / 1920), (("activation=sigmoid",), 75 / 1885)], ids=["esp", "sigmoid"]
)
def test_pixels_that_are_always_0_free_their_weights(words: tuple[str, ...], share: float) -> None:
    one = case(*DIGITS, *words)
    assert one.batch.x.shape == (1437, 1, 8, 8)
    dark = (one.batch.x == 0).all(0).flatten()
    assert dark.sum() == 3
    objective = one.objective(2)
    assert structural(objective) == pytest.approx(share, abs=1e-12)
    free = (hessian(objective) == 0).all(1)
    assert free.double().mean().item() == pytest.approx(share, abs=1e-12)
    assert torch.equal(objective.named(free)["hidden.0.linear.weight"], dark.expand(25, 64))


# Indices of lists made by hand


def test_indices_by_hand() -> None:
    values = np.array([-8.0, -7e-4, -1e-4, -1e-9, 0.0, 0.0, 4e-8, 5e-6, 9e-4, 2.0])
    found = {one.quantity: one.value for one in indices(values, SEVERAL)}
    # The greatest in absolute value is 8: zero is what lies within 8e-8, 8e-6 and 8e-4.
    assert found == {
        "alpha_raw": 0.4,
        "gamma_1e-8": 0.4,
        "alpha_1e-8": 0.3,
        "gamma_1e-6": 0.5,
        "alpha_1e-6": 0.3,
        "gamma_1e-4": 0.7,
        "alpha_1e-4": 0.1,
    }
    mirrored = {one.quantity: one.value for one in indices(-values, (1e-4,))}
    assert mirrored == {"alpha_raw": 0.4, "gamma_1e-4": 0.6 + 0.1, "alpha_1e-4": 0.1 + 0.1}


@pytest.mark.parametrize(
    "method", [Exact(SEVERAL, None, True), Lanczos(2), Quadrature(2, 20, (1e-4,))], ids=lambda m: m.name
)
def test_of_a_diverged_net_nothing_is_known(method: Method) -> None:
    one = case(*ONE_LAYER, "activation=tanh")
    torch.nn.init.constant_(one.module.hidden[0].linear.weight[0, 0], math.nan)
    found = numbers(method, one.objective())
    scores = {"parameters", "accuracy", "zero_residuals"}
    assert scores == {name for name, value in found.items() if not math.isnan(value)}


def test_an_eigenvalue_at_the_tolerance_is_zero() -> None:
    found = {one.quantity: one.value for one in indices(np.array([-0.25, 0.25, 1.0, -0.5]), (0.25,))}
    assert found == {"alpha_raw": 0.5, "gamma_2_5e-1": 0.5, "alpha_2_5e-1": 0.25}


@pytest.mark.parametrize(("tolerance", "name"), [(1e-8, "1e-8"), (0.00025, "2_5e-4"), (0.1, "1e-1"), (1e-10, "1e-10")])
def test_names_of_tolerances(tolerance: float, name: str) -> None:
    assert named(tolerance) == name


def test_exact_tells_every_eigenvalue_in_order() -> None:
    one = case(*ONE_LAYER, "activation=tanh", shaken=0.3)
    found = list(Exact(SEVERAL, None, False).measure(one.objective(), 0, last=True))
    expected = np.linalg.eigvalsh(one.looped_hessian().numpy())
    assert eigenvalues(found) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert [row.place for row in found if row.quantity == "eigenvalue"] == list(range(41))
    plain = {row.quantity: row.value for row in found if row.place is None}
    assert (plain["lambda_min"], plain["lambda_max"]) == pytest.approx((expected[0], expected[-1]), rel=1e-9)
    assert plain["gradient_norm"] == pytest.approx(one.gradient().norm().item())
    assert plain["loss"] == pytest.approx(one.task.measure(one.module(one.batch.x), one.batch.y)["loss"].item())
    for name in ("gamma_1e-4", "alpha_1e-4"):
        assert plain[name] == {row.quantity: row.value for row in indices(expected, SEVERAL)}[name]


def test_eigenvectors() -> None:
    objective = case(*ONE_LAYER, "activation=tanh", shaken=0.3).objective()
    method = Exact(SEVERAL, None, True)
    found = list(method.measure(objective, 0, last=True))
    vectors = np.array([[one.value for one in found if one.quantity == f"eigenvector_{k:03d}"] for k in range(41)]).T
    np.testing.assert_allclose(vectors @ np.diag(eigenvalues(found)) @ vectors.T, hessian(objective), atol=1e-12)
    (participation,) = (one.value for one in found if one.quantity == "participation")
    assert participation == pytest.approx(np.mean([(v**4).sum() / (v**2).sum() ** 2 for v in vectors.T]))
    before = {one.quantity for one in method.measure(objective, 0, last=False)}
    assert before == {one.quantity for one in found if not one.quantity.startswith("eigenvector")}


def test_of_a_diagonal_matrix_every_eigenvector_is_one_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    objective = case(*ONE_LAYER).objective()
    monkeypatch.setattr(spectrum, "hessian", lambda _: torch.diag(torch.arange(41.0).double()))
    assert numbers(Exact(SEVERAL, None, True), objective)["participation"] == pytest.approx(1)


# Lanczos and quadrature


@pytest.fixture(scope="module")
def middling() -> tuple[Objective, np.ndarray, np.ndarray]:
    """A net of 400 parameters on 200 digits, with its eigenvalues and eigenvectors."""
    one = case(*DIGITS, *ESP, "architecture.width=5", "dataset.subset=200", "dataset.full_scale=16", shaken=0.4)
    objective = one.objective()
    assert objective.count == 400
    return objective, *np.linalg.eigh(hessian(objective).numpy())


def test_lanczos_finds_the_ends(middling: tuple[Objective, np.ndarray, np.ndarray]) -> None:
    objective, values, _ = middling
    found = list(Lanczos(6).measure(objective, 3, last=True))
    assert eigenvalues(found) == pytest.approx([*values[:6], *values[-6:]], rel=1e-8)
    assert [one.place for one in found if one.quantity == "eigenvalue"] == [*range(6), *range(394, 400)]
    plain = {one.quantity: one.value for one in found if one.place is None}
    assert (plain["lambda_min"], plain["lambda_max"]) == pytest.approx((values[0], values[-1]), rel=1e-8)
    assert plain["gamma_structural"] == structural(objective)
    assert {"gradient_norm", "loss", "accuracy", "parameters"} <= plain.keys()
    assert not any(name.startswith(("alpha", "gamma_1")) for name in plain)


def test_lanczos_of_a_net_smaller_than_its_memory() -> None:
    one = case(*ONE_LAYER, "activation=tanh", shaken=0.3)
    values = np.linalg.eigvalsh(one.looped_hessian().numpy())
    found = eigenvalues(list(Lanczos(5).measure(one.objective(), 0, last=True)))
    assert found == pytest.approx([*values[:5], *values[-5:]], rel=1e-8)


def test_quadrature_finds_end_and_trace(middling: tuple[Objective, np.ndarray, np.ndarray]) -> None:
    objective, values, _ = middling
    found = {one.quantity: one for one in Quadrature(10, 60, [1e-4]).measure(objective, 0, last=True)}
    assert found["lambda_max"].value == pytest.approx(values[-1], rel=1e-4)
    assert found["lambda_min"].value == pytest.approx(values[0], rel=1e-4)
    trace, error = found["trace"].value, found["trace"].error
    # The variance of a probe of signs: twice the sum of the squares beside the diagonal (Hutchinson 1989).
    matrix = hessian(objective)
    spread = math.sqrt(2 * (matrix.square().sum() - matrix.diagonal().square().sum()) / 10)
    assert spread / 2 < error < 2 * spread
    assert abs(trace - values.sum()) < 4 * error
    assert found["gamma_structural"].value == structural(objective)


def test_weights_of_a_quadrature_are_shares(middling: tuple[Objective, np.ndarray, np.ndarray]) -> None:
    objective, values, _ = middling
    rows = list(Quadrature(3, 20, [1e-4]).measure(objective, 5, last=False))
    nodes, weights = (
        np.array([one.value for one in rows if one.quantity == name]).reshape(3, 20) for name in ("node", "weight")
    )
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-12)
    assert (weights >= 0).all()
    assert values[0] - 1e-9 <= nodes.min() <= nodes.max() <= values[-1] + 1e-9
    same, other = (list(Quadrature(3, 20, [1e-4]).measure(objective, seed, last=True)) for seed in (5, 6))
    assert same == rows
    assert other != rows


@pytest.mark.parametrize("steps", [2, 7, 40])
@pytest.mark.parametrize("tolerance", [1e-4, 1e-2, 0.2])
def test_bounds_hold_the_share_that_the_probes_see(
    steps: int, tolerance: float, middling: tuple[Objective, np.ndarray, np.ndarray]
) -> None:
    objective, values, vectors = middling
    seed, probes = 4, 2
    found = numbers(Quadrature(probes, steps, [tolerance]), objective, seed)
    signs = torch.randint(2, (probes, 400), generator=torch.Generator().manual_seed(seed)).numpy()
    measure = (((2 * signs - 1) / 20) @ vectors) ** 2  # (probes, eigenvalues), rows sum to 1
    np.testing.assert_allclose(measure.sum(1), 1)
    width = tolerance * max(-found["lambda_min"], found["lambda_max"])
    for index, inside in (("gamma", np.abs(values) <= width), ("alpha", values < -width)):
        share = measure[:, inside].sum(1).mean()
        low, high = (found[f"{index}_{named(tolerance)}_{end}"] for end in ("low", "high"))
        assert low - 1e-9 <= share <= high + 1e-9
        assert low - 1e-9 <= found[f"{index}_{named(tolerance)}"] <= high + 1e-9
        if (steps, tolerance) == (40, 0.2):
            assert high - low < 0.1  # and they say something


def test_quadrature_with_as_many_steps_as_parameters_is_exact() -> None:
    one = case(*ONE_LAYER, "architecture.width=2", "activation=tanh", shaken=0.5)
    values, vectors = np.linalg.eigh(one.looped_hessian().numpy())
    assert len(values) == 9
    found = list(Quadrature(2, 100, [1e-4]).measure(one.objective(), 0, last=True))
    nodes, weights = (np.array([row.value for row in found if row.quantity == name]) for name in ("node", "weight"))
    assert len(nodes) == 2 * 9
    np.testing.assert_allclose(nodes[:9], values, rtol=1e-6, atol=1e-12)
    signs = torch.randint(2, (2, 9), generator=torch.Generator().manual_seed(0)).numpy()
    np.testing.assert_allclose(weights[:9], (((2 * signs[0] - 1) / 3) @ vectors) ** 2, rtol=1e-5, atol=1e-9)


def test_a_probe_that_has_seen_everything_goes_on_with_nothing() -> None:
    # Of linear regression on one input the Hessian has two eigenvalues for each column.
    one = case("architecture.depth=0", "task=regression", data=random_data(shape=(1,), outputs=3, numbers=True))
    objective = one.objective()
    values = np.linalg.eigvalsh(hessian(objective).numpy())
    found = list(Quadrature(4, 100, [1e-4]).measure(objective, 0, last=True))
    assert all(math.isfinite(row.value) for row in found)
    plain = {row.quantity: row.value for row in found if row.place is None}
    assert plain["lambda_max"] == pytest.approx(values[-1], rel=1e-9)
    assert plain["lambda_min"] == pytest.approx(values[0], rel=1e-9)
    assert plain["alpha_1e-4"] == plain["alpha_1e-4_high"] == 0
