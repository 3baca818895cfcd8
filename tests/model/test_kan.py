"""Nets of splines: their splines are SciPy's, and finer grids leave the function as it is."""

import copy
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.interpolate import BSpline

from repro.errors import UserError
from repro.model import splines
from repro.model.activations import Activation
from repro.model.activations.elementwise import swish
from repro.model.architectures.kan import KAN
from repro.model.backward import exact
from repro.model.initialization import TorchDefault, initialize
from repro.model.layer_factory import LayerFactory
from repro.model.normalization import none

DOUBLE = torch.float64


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rising(inputs: int, knots: int) -> torch.Tensor:
    """Knots at uneven distances."""
    steps = 0.1 + torch.rand((inputs, knots), generator=generator(), dtype=DOUBLE)
    return steps.cumsum(1) - 2


def net(**changes: object) -> KAN:
    activation: Activation = swish(1.0)
    options = {"depth": 1, "width": 4, "grid": 5, "degree": 3, "domain": [-1.0, 1.0], "spline_std": 0.5} | changes
    made = KAN((2,), 3, LayerFactory(activation, exact, none), **options).double()  # type: ignore[arg-type]
    initialize(made, TorchDefault(), generator())
    return made


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
def test_splines_are_scipy_s(degree: int) -> None:
    knots = rising(3, 9 + 2 * degree)
    coefficients = torch.randn((3, 8 + degree), generator=generator(1), dtype=DOUBLE)
    low, high = knots[:, degree], knots[:, -degree - 1]
    x = low + (high - low) * torch.rand((50, 3), generator=generator(2), dtype=DOUBLE)
    ours = (splines.bases(x, knots, degree) * coefficients).sum(-1)
    for i in range(3):
        theirs = BSpline(knots[i].numpy(), coefficients[i].numpy(), degree, extrapolate=False)(x[:, i].numpy())
        np.testing.assert_allclose(ours[:, i], theirs, rtol=0, atol=1e-12)


def test_a_basis_spline_is_scipy_s_also_beyond_the_ends() -> None:
    knots, degree = rising(1, 12), 3
    x = torch.linspace(float(knots.min()) - 1, float(knots.max()) + 1, 301, dtype=DOUBLE)
    ours = splines.bases(x[:, None], knots, degree)[:, 0]
    for g in range(ours.shape[1]):
        own = knots[0, g : g + degree + 2].numpy()
        theirs = np.nan_to_num(BSpline.basis_element(own, extrapolate=False)(x.numpy()))
        np.testing.assert_allclose(ours[:, g], theirs, rtol=0, atol=1e-12)


def test_splines_sum_to_one_between_the_ends_and_their_gradient_is_the_derivative() -> None:
    knots = splines.uniform(torch.tensor([-1.0, 0.0], dtype=DOUBLE), torch.tensor([1.0, 5.0], dtype=DOUBLE), 7, 3)
    x = torch.rand((20, 2), generator=generator(), dtype=DOUBLE, requires_grad=True)
    np.testing.assert_allclose(splines.bases(x, knots, 3).sum(-1).detach(), 1, atol=1e-12)
    assert torch.autograd.gradcheck(lambda v: splines.bases(v, knots, 3), (x,))


def test_even_knots_span_the_interval_and_adaptive_ones_follow_the_data() -> None:
    x = torch.rand((4000, 1), generator=generator(), dtype=DOUBLE) ** 3  # most of it near 0
    even, close = (splines.over(x, 10, 3, adaptive)[0] for adaptive in (0.0, 0.9))
    assert torch.allclose(even.diff(), even.diff()[0])
    for knots in (even, close):
        assert knots[3] < x.min() < x.max() < knots[-4]
        assert (knots.diff() > 0).all()
    shares = torch.histogram(x[:, 0], close[3:-3])[0] / len(x)
    assert shares.max() < 2 * shares.min() + 0.1
    assert (torch.histogram(x[:, 0], even[3:-3])[0] / len(x)).max() > 0.4


def test_an_edge_is_the_function_that_the_paper_has() -> None:
    made = net()
    first = made.layers[0]
    x = 1.8 * torch.rand((30, 2), generator=generator(5), dtype=DOUBLE) - 0.9
    expected = np.zeros((30, 4))
    for j in range(4):
        for i in range(2):
            at = x[:, i].numpy()
            curve = BSpline(first.knots[i].numpy(), first.coefficients[j, i].detach().numpy(), 3)
            expected[:, j] += first.base.weight[j, i].item() * at / (1 + np.exp(-at)) + curve(at)
    np.testing.assert_allclose(first(x).detach(), expected, atol=1e-12)


def test_least_squares_finds_the_coefficients_again() -> None:
    knots = rising(2, 14)
    truth = torch.randn((2, 10, 3), generator=generator(1), dtype=DOUBLE)
    low, high = knots[:, 3], knots[:, -4]
    x = low + (high - low) * torch.rand((400, 2), generator=generator(2), dtype=DOUBLE)
    y = torch.einsum("sig,igc->sic", splines.bases(x, knots, 3), truth)
    np.testing.assert_allclose(splines.fitted(x, y, knots, 3), truth, atol=1e-8)


def test_a_finer_grid_of_nested_knots_leaves_the_function_as_it_is() -> None:
    made = net(depth=0)
    x = 2 * torch.rand((500, 2), generator=generator(5), dtype=DOUBLE) - 1
    made.refine(x, 5, 0.0)
    before = made(x)
    layer = made.layers[0]
    halved = splines.uniform(layer.knots[:, 3], layer.knots[:, -4], 10, 3)
    found = splines.fitted(x, layer.curves(x), halved, 3)
    again = torch.einsum("sig,igo->so", splines.bases(x, halved, 3), found) + layer.base(layer.activation(x))
    np.testing.assert_allclose(again.detach(), before.detach(), atol=1e-8)


@pytest.mark.parametrize("adaptive", [0.0, 0.5])
def test_refining_a_net_keeps_what_it_computes_and_gives_its_splines_room(adaptive: float) -> None:
    made = net(depth=2)
    x = 2 * torch.rand((600, 2), generator=generator(5), dtype=DOUBLE) - 1
    before, size = made(x), sum(p.numel() for p in made.parameters())
    made.refine(x, 40, adaptive)
    assert (made(x) - before).abs().max() < 0.02 * before.std()
    assert sum(p.numel() for p in made.parameters()) - size == 35 * (2 * 4 + 4 * 4 + 4 * 3)
    hidden = x
    for layer in made.layers:
        assert (layer.knots[:, 3] < hidden.amin(0)).all()
        assert (layer.knots[:, -4] > hidden.amax(0)).all()
        hidden = layer(hidden)


def test_a_net_that_was_resized_takes_the_state_of_one_that_was_refined() -> None:
    made, x = net(), torch.rand((50, 2), generator=generator(), dtype=DOUBLE)
    other = copy.deepcopy(made)
    made.refine(x, 9, 0.0)
    other.resize(9)
    other.load_state_dict(made.state_dict())
    assert torch.equal(other(x), made(x))


def test_parameters_are_those_of_the_paper_s_count() -> None:
    """Grid + degree coefficients and one weight an edge; that paper's own has one scale more."""
    for depth, width, grid, count in ((1, 1, 3, 21), (1, 1, 10, 42), (1, 1, 20, 72)):
        made = KAN((2,), 1, LayerFactory(swish(1.0), exact, none), depth, width, grid, 3, [-1.0, 1.0], 0.1)
        assert sum(p.numel() for p in made.parameters()) == count
        sizes = [2, *([width] * depth), 1]
        assert count == sum(a * b for a, b in pairwise(sizes)) * (grid + 4)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"grid": 0}, "architecture.grid must be a whole number of 1 or more, not 0"),
        ({"degree": 0}, "architecture.degree must be a whole number of 1 or more, not 0"),
        ({"depth": -1}, "architecture.depth must be a whole number of 0 or more, not -1"),
        ({"domain": [1.0, -1.0]}, "architecture.domain must be two rising numbers, e.g. [-1, 1], not [1.0, -1.0]"),
        ({"domain": [1.0]}, "architecture.domain must be two rising numbers, e.g. [-1, 1], not [1.0]"),
        ({"spline_std": -1.0}, "architecture.spline_std must be a finite number of at least 0, not -1.0"),
        ({"width": [2, 3]}, "architecture.width lists 2 sizes for 1 layers; give 1 or a single number"),
    ],
)
def test_bad_options(changes: dict[str, object], says: str) -> None:
    with pytest.raises(UserError) as caught:
        net(**changes)
    assert str(caught.value) == says


def test_runs_write_down_knots_and_every_coefficient(trained: Callable) -> None:
    """From which an edge's function can be drawn."""
    words = ["architecture=kan", "activation=swish", "architecture.grid=2", "architecture.depth=1"]
    run = trained(*words, "diagnostics.quantities=[knots,weight_entries]", "diagnostics.histogram=0", "replicas=2")
    rows = pd.read_csv(run.folder / "layers.csv")
    rows = rows[rows["seed"] == 1].set_index(["layer", "quantity", "step"])["value"]
    state = run.state["buffers"]["layers.1.spline.knots"][1]
    last = rows.loc["layers.1.spline"].xs(int(run.summary["steps"]), level="step")
    assert [last[f"knot_{i:03d}"] for i in range(state.numel())] == pytest.approx(state.flatten().tolist())
    weight = run.state["parameters"]["layers.1.spline.weight"][1]
    assert [last[f"weight_entry_{i:03d}"] for i in range(weight.numel())] == pytest.approx(weight.flatten().tolist())
    assert set(rows.index.get_level_values("layer")) == {f"layers.{i}.{w}" for i in (0, 1) for w in ("base", "spline")}
