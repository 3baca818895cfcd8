"""Noisy units against the golden values, the laws of the paper, and their own slow twins."""

import csv
import math
from pathlib import Path

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from torch.func import functional_call, grad, stack_module_state, vmap

from repro.errors import UserError
from repro.model.activations import NoiseSource, attach_noise, make
from repro.model.activations.elementwise import hard_sigmoid, hard_tanh
from repro.model.activations.noise import GaussianNoise
from repro.model.activations.noisy import HALF_NORMAL_MEAN, noisy, noisy_sigmoid, noisy_tanh, variant

HARD = {"hard-tanh": hard_tanh, "hard-sigmoid": hard_sigmoid}
VARIANTS = ["nan", "nah", "nani", "nanil", "nanil_softplus", "nanis"]
with (Path(__file__).parents[1] / "data" / "noisy-activations-golden.csv").open() as file:
    GOLDEN = list(csv.DictReader(file))


class Given:
    """A noise source that returns the numbers it was given."""

    def __init__(self, xi):
        self.xi = xi

    def normal(self, like):
        return self.xi.to(like.dtype).expand(like.shape)


def unit(fn="hard-tanh", noise="nan", alpha=1.15, c=0.5, sigma=0.05, p=None, units=1, dtype=torch.float64):
    module = noisy(HARD[fn], units, noise=noise, alpha=alpha, c=c, sigma=sigma).to(dtype)
    if p is not None and hasattr(module, "p"):
        with torch.no_grad():
            module.p.copy_(torch.as_tensor(p, dtype=torch.float64))
    return module


def drawn(module, x, seed=0):
    module.train()
    attach_noise(module, NoiseSource([torch.Generator().manual_seed(seed)]))
    return module(x)


def value_and_slopes(module, x):
    x = x.requires_grad_()
    phi = module(x)
    wanted = [x, *module.parameters()]
    slopes = torch.autograd.grad(phi.sum(), wanted, allow_unused=True)
    return phi.item(), *(0.0 if g is None else g.item() for g in slopes)


def from_row(row, dtype):
    kind, _, test = row["mode"].partition("_")
    number = {key: float(row[key]) if row[key] else None for key in row if key not in ("fn", "mode")}
    module = unit(row["fn"], kind.lower(), number["alpha"] or 0.0, number["c"], number["c"], number["p"], 1, dtype)
    if not test:
        module.noise = Given(torch.tensor([number["xi"]], dtype=torch.float64))
    module.train(not test)
    return number, value_and_slopes(module, torch.tensor([number["x"]], dtype=dtype))


@pytest.mark.parametrize(
    ("dtype", "rtol", "atol"), [(torch.float64, 0, 1e-10), (torch.float32, 2e-5, 1e-6)], ids=["float64", "float32"]
)
@pytest.mark.parametrize("row", GOLDEN, ids=[f"{r['id']}-{r['fn']}-{r['mode']}" for r in GOLDEN])
def test_golden(row, dtype, rtol, atol):
    want, (phi, dx, *dp) = from_row(row, dtype)
    assert phi == pytest.approx(want["phi"], rel=rtol, abs=atol)
    assert dx == pytest.approx(want["dphi_dx"], rel=rtol, abs=atol)
    assert dp == ([] if want["dphi_dp"] is None else [pytest.approx(want["dphi_dp"], rel=rtol, abs=atol)])


def test_the_golden_file_is_whole():
    assert len(GOLDEN) == 95
    assert {r["mode"] for r in GOLDEN} == {"NAN", "NAH", "NAN_test", "NAH_test", "NANI", "NANIL", "NANIS"}


def sigma_of(fn, p, x, c):
    """The size of the noise, read off the unit: phi at xi = 1 minus phi at xi = 0."""
    module = unit(fn, "nah", 2.0, c, p=[p])  # alpha > 1: d = +sgn(x)
    phi = []
    for xi in (1.0, 0.0):
        module.noise = Given(torch.tensor([xi], dtype=torch.float64))
        phi.append(module(torch.tensor([x], dtype=torch.float64)).item())
    return math.copysign(1, x) * (phi[0] - phi[1])


moderate = st.floats(-20, 20)


@hypothesis.given(st.sampled_from(sorted(HARD)), moderate, moderate, st.floats(0, 30))
def test_sigma_is_even_in_p_and_below_a_quarter_of_c(fn, p, x, c):
    sigma = sigma_of(fn, p, x, c)
    assert sigma == sigma_of(fn, -p, x, c)
    rounding = 1e-12 * (1 + abs(x))
    assert -rounding <= sigma <= c / 4 + rounding
    hard = HARD[fn]()
    delta = hard(torch.tensor(x, dtype=torch.float64)).item() - hard.scaled(x)
    logistic = torch.sigmoid(torch.tensor(p * delta, dtype=torch.float64)).item()
    assert sigma == pytest.approx(c * (logistic - 0.5) ** 2, abs=1e-12 + rounding)


@hypothesis.given(st.sampled_from(sorted(HARD)), moderate, moderate, st.floats(0, 5), st.floats(-3, 3))
def test_the_stochastic_slope_is_bounded(fn, p, x, c, xi):
    hard = HARD[fn]()
    hypothesis.assume(abs(abs(x) - hard.knee) > 1e-9)
    module = unit(fn, "nan", 1.0, c, p=[p])
    module.noise = Given(torch.tensor([xi], dtype=torch.float64))
    _, dx, _ = value_and_slopes(module, torch.tensor([x], dtype=torch.float64))
    inside = hard.slope if abs(x) < hard.knee else 0.0
    assert abs(dx - inside) <= 0.096226 * c * abs(p) * hard.slope * abs(xi) + 1e-12


def test_the_slope_bound_is_reached_where_it_should_be():
    p = 0.7
    module = unit(alpha=1.0, c=0.5, p=[p])
    module.noise = Given(torch.tensor([1.0]))
    _, dx, _ = value_and_slopes(module, torch.tensor([1 + 1.3169578969 / p], dtype=torch.float64))
    assert abs(dx) == pytest.approx(0.09622504486 * 0.5 * p, rel=1e-8)


@pytest.mark.parametrize("noise", ["nan", "nah"])
@pytest.mark.parametrize("alpha", [0.9, 1.0, 1.15])
@pytest.mark.parametrize("fn", sorted(HARD))
def test_the_mean_of_the_noise_is_the_test_value(fn, alpha, noise):
    n = 200_000
    x = torch.tensor([-9.0, -3.0, 0.3, 3.0, 9.0], dtype=torch.float64)
    module = unit(fn, noise, alpha, c=2.0, p=[0.8] * 5, units=5)
    draws = drawn(module, x.expand(n, 5)).detach()
    error = draws.std(0) / math.sqrt(n)
    assert torch.all((draws.mean(0) - module.eval()(x)).abs() <= 5 * error + 1e-12)
    # Half-normal noise is one-sided, normal noise is not: the smallest deviation tells them apart.
    line = alpha * HARD[fn]()(x) + (1 - alpha) * HARD[fn]().scaled(x)
    saturated = module.saturated(x)
    side = (draws - line)[:, saturated].sign().mean(0)
    inwards = torch.sign(x[saturated]) * (1 if alpha > 1 else -1)
    torch.testing.assert_close(side, inwards if noise == "nah" else torch.zeros_like(side), rtol=0, atol=0.02)


def test_alpha_one_is_centred_on_the_hard_function():
    x = torch.tensor([[-1e9, -4.0, -1.0, 0.2, 1.0, 4.0, 1e9]], dtype=torch.float32)
    module = unit(alpha=1.0, p=[0.9] * 7, units=7, dtype=torch.float32).eval()
    assert torch.equal(module(x), x.clamp(-1, 1))


def test_half_normal_mean():
    draws = torch.randn(2_000_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64).abs()
    assert draws.mean().item() == pytest.approx(HALF_NORMAL_MEAN, abs=3e-3)
    assert pytest.approx(0.7978845608028654, rel=1e-15) == HALF_NORMAL_MEAN


@pytest.mark.parametrize("noise", VARIANTS)
@pytest.mark.parametrize("fn", sorted(HARD))
def test_gradients_are_derivatives_away_from_the_knees(fn, noise):
    x = torch.tensor([-5.3, -2.6, -0.7, 0.0, 0.6, 2.7, 5.1], dtype=torch.float64, requires_grad=True)
    xi = torch.tensor([0.3, -1.1, 0.4, 0.9, -0.6, -0.2, 1.3], dtype=torch.float64)
    module = unit(fn, noise, p=torch.linspace(-1, 1, 7) + 0.05, units=7)
    module.noise = Given(xi)

    def phi(x, *parameters):
        values = dict(zip(dict(module.named_parameters()), parameters, strict=True))
        return functional_call(module, values, (x,))

    assert torch.autograd.gradcheck(phi, (x, *module.parameters()))
    module.eval()
    assert torch.autograd.gradcheck(phi, (x, *module.parameters()))


@pytest.mark.parametrize("noise", ["nan", "nah", "nanil"])
def test_p_learns_only_where_the_unit_is_saturated(noise):
    x = torch.tensor([0.5, 0.99, 1.01, 3.0], dtype=torch.float64)
    module = unit(noise=noise, p=[0.5] * 4, units=4, c=2.0)
    # Large enough to bring the inputs back between the knees, where noise on the input has a slope.
    module.noise = Given(torch.tensor([-1.0, -1.0, -1e4, -20.0]))
    module(x).sum().backward()
    assert module.saturated(x).tolist() == [False, False, True, True]
    assert (module.p.grad != 0).tolist() == module.saturated(x).tolist()


@pytest.mark.parametrize("noise", ["nani", "nanil", "nanil_softplus", "nanis"])
@pytest.mark.parametrize("fn", sorted(HARD))
def test_input_noise_is_off_at_test_time(fn, noise):
    x = torch.linspace(-5, 5, 41, dtype=torch.float64)[:, None]
    module = unit(fn, noise, p=[1.0]).eval()
    assert torch.equal(module(x), HARD[fn]()(x))


def test_the_authors_form_is_noisy_inside_the_knees_and_eq_9_is_not():
    x = torch.full((10_000, 1), 0.2, dtype=torch.float64)
    assert torch.equal(drawn(unit(noise="nanil", p=[0.5]), x), x)
    spread = drawn(unit(noise="nanil_softplus", p=[0.5], c=0.1), x).std().item()
    assert spread == pytest.approx(0.1 * math.log(2), rel=0.03)


@pytest.mark.parametrize("noise", VARIANTS)
def test_vmap_over_replicas_equals_the_loop(noise):
    pair = noisy_tanh(noise, 1.15, 1.1, 0.5, 0.3)
    singles = [torch.nn.Sequential(make(pair.unit, 4), make(pair.gate, 4)) for _ in range(3)]
    for seed, single in enumerate(singles):
        for module in single:
            if hasattr(module, "reset"):
                module.reset(torch.Generator().manual_seed(seed))
    parameters, buffers = stack_module_state(singles)
    x = 3 * torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(9))
    source = NoiseSource([torch.Generator().manual_seed(100 + r) for r in range(3)])
    stacked_model = torch.nn.Sequential(make(pair.unit, 4), make(pair.gate, 4))
    attach_noise(stacked_model, source)

    def loss(parameters, buffers, x):
        out = functional_call(stacked_model, (parameters, buffers), (x,))
        return out.square().sum(), out

    (slopes, dx), stacked_out = vmap(grad(loss, argnums=(0, 2), has_aux=True))(parameters, buffers, x)
    for r, single in enumerate(singles):
        attach_noise(single, NoiseSource([torch.Generator().manual_seed(100 + r)]))
        mine = x[r].clone().requires_grad_()
        out = single(mine)
        out.square().sum().backward()
        assert torch.equal(stacked_out[r], out)
        torch.testing.assert_close(dx[r], mine.grad)
        for name, parameter in single.named_parameters():
            torch.testing.assert_close(slopes[name][r], parameter.grad)


@pytest.mark.parametrize("noise", VARIANTS)
def test_images_have_one_p_for_each_channel(noise):
    flat = 2 * torch.randn(30, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    images = flat.view(2, 3, 5, 3).movedim(3, 1).contiguous()  # (n, channels, height, width)
    module = unit(noise=noise, p=[0.2, -0.9, 0.6], units=3, c=5.0)
    xi = torch.randn(30, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    module.noise = Given(xi)
    want = module(flat)
    module.noise = Given(xi.view(2, 3, 5, 3).movedim(3, 1))
    torch.testing.assert_close(module(images).movedim(1, 3).reshape(30, 3), want)


@pytest.mark.parametrize("noise", VARIANTS)
def test_noise_is_the_generators_and_only_while_training(noise):
    x = torch.full((8, 2), 3.0)
    module = unit(noise=noise, p=[0.7, 0.7], units=2, dtype=torch.float32)
    with pytest.raises(RuntimeError, match="attach_noise"):
        module(x)
    assert torch.equal(drawn(module, x, seed=1), drawn(module, x, seed=1))
    rng = torch.Generator().manual_seed(1)
    attach_noise(module, NoiseSource([rng]))
    before = rng.get_state()
    module.eval()(x)
    assert torch.equal(rng.get_state(), before)


def test_reset_draws_p_uniformly_and_construction_draws_nothing():
    before = torch.get_rng_state()
    module = unit(units=20_000, dtype=torch.float32)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.count_nonzero(module.p) == 0
    module.reset(torch.Generator().manual_seed(0))
    assert -1 <= module.p.min() < -0.99
    assert 0.99 < module.p.max() <= 1
    assert module.p.std().item() == pytest.approx(1 / math.sqrt(3), rel=0.02)


@pytest.mark.parametrize("name", [float("nan"), "nan", "NAN", "NaN"])
def test_nan_is_a_name(name):
    assert variant(name) == "nan"


@pytest.mark.parametrize(
    "arguments",
    [
        {"noise": "nahn"},
        {"noise": 1.0},
        {"alpha": math.inf},
        {"alpha": math.nan},
        {"gate_alpha": "x"},
        {"c": -0.1},
        {"sigma": -1},
        {"sigma": math.nan},
        {"c": True},
    ],
    ids=str,
)
def test_wrong_settings_are_named(arguments):
    good = {"noise": "nan", "alpha": 1.15, "gate_alpha": 1.1, "c": 0.5, "sigma": 0.05}
    noisy_tanh(**good)
    with pytest.raises(UserError, match=f"activation.{next(iter(arguments))}"):
        noisy_tanh(**(good | arguments))


def test_a_near_miss_is_offered():
    with pytest.raises(UserError, match=r"unknown noise .*'nahi'.*did you mean"):
        noisy_sigmoid("NAHI", 1.1, 0.5, 0.05)


def test_a_layer_has_units():
    with pytest.raises(UserError, match="units"):
        make(noisy_sigmoid("nan", 1.1, 0.5, 0.05).unit, 0)


@pytest.mark.parametrize("std", [0.3, 2.0])
def test_input_noise_has_its_deviation_and_no_mean_and_none_in_evaluation(std):
    module, x = GaussianNoise(std), torch.linspace(-3, 3, 40_000, dtype=torch.float64)
    noise = (drawn(module, x) - x) / std
    # 4.4 standard errors of a mean and of a standard deviation
    assert abs(float(noise.mean())) < 0.022
    assert abs(float(noise.std()) - 1) < 0.016
    assert abs(float(torch.corrcoef(torch.stack([noise, x]))[0, 1])) < 0.022
    assert torch.equal(module.eval()(x), x)
    assert torch.equal(drawn(GaussianNoise(0), x), x)
