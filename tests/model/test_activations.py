"""Elementwise functions, pairs, nonlinearities, and the noise source."""

import copy
import csv
import math
from functools import partial
from pathlib import Path

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

from repro.config.build import build
from repro.config.groups import option_files
from repro.errors import UserError
from repro.model import backward
from repro.model.activations import Activation, Dropout, NoiseSource, Nonlinearity, attach_noise, make
from repro.model.activations.elementwise import Esp, Swish, esp, hard_sigmoid, hard_tanh, swish
from repro.paths import conf_dir

ACTIVATIONS = list(option_files("activation").values())
SIGMOIDS = {"sigmoid", "hard_sigmoid", "noisy_sigmoid"}
with (Path(__file__).parents[1] / "data" / "esp-golden.csv").open() as file:
    ESP_GOLDEN = list(csv.DictReader(file))


def name_of(path):
    return f"activation/{path.stem}"


def load(path, **settings):
    return build(OmegaConf.to_container(OmegaConf.merge(OmegaConf.load(path), settings)), "activation")


def ready(factory, units, dtype=torch.float64):
    """A module with drawn parameters, in evaluation mode."""
    module = make(factory, units).to(dtype)
    if hasattr(module, "reset"):
        module.reset(torch.Generator().manual_seed(0))
    return module.eval()


# Chosen so that no point meets a knee or a kink.
GRID = torch.tensor([-5.03, -2.41, -1.3, -0.77, -0.2, 0.11, 0.6, 1.21, 2.3, 4.9], dtype=torch.float64)


@pytest.mark.parametrize("path", ACTIVATIONS, ids=name_of)
def test_builds(path):
    pair = load(path)
    assert isinstance(pair, Activation)
    for factory in (pair.unit, pair.gate):
        first, second = ready(factory, 10), ready(factory, 10)
        assert first is not second
        assert torch.isfinite(first(GRID)).all()
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert lines[0].endswith(".")


@pytest.mark.parametrize("path", ACTIVATIONS, ids=name_of)
def test_gradient_is_the_derivative(path):
    pair = load(path)
    for factory in (pair.unit, pair.gate):
        assert torch.autograd.gradcheck(ready(factory, 10), (GRID.clone().requires_grad_(),))


@pytest.mark.parametrize("path", [path for path in ACTIVATIONS if path.stem != "sign"], ids=name_of)
def test_gates_are_sigmoids(path):
    pair = load(path)
    gate = ready(pair.gate, 1)
    zero = torch.zeros(1, dtype=torch.float64)
    assert gate(zero).item() == 0.5
    assert grad(lambda x: gate(x).sum())(zero).item() == 0.25
    unit, ends = ready(pair.unit, 2), torch.tensor([-2.0, 2.0], dtype=torch.float64)
    assert torch.equal(gate(ends[:1]), unit(ends)[:1]) == (path.stem in SIGMOIDS)


def test_signs_and_steps_count_zero_as_positive():
    pair = load(conf_dir() / "activation" / "sign.yaml")
    x = torch.tensor([-3.0, -1e-30, -0.0, 0.0, 1e-30, 2.0], requires_grad=True)
    assert pair.unit()(x).tolist() == [-1, -1, 1, 1, 1, 1]
    assert pair.gate()(x).tolist() == [0, 0, 1, 1, 1, 1]
    pair.unit()(x).sum().backward()
    assert x.grad.tolist() == [0] * 6


def test_the_hard_functions_are_the_papers():
    x = torch.linspace(-4, 4, 33, dtype=torch.float64)
    assert torch.equal(hard_tanh()(x), x.clamp(-1, 1))
    assert torch.equal(hard_sigmoid()(x), (x / 4 + 0.5).clamp(0, 1))
    assert not torch.allclose(hard_sigmoid()(x), nn.functional.hardsigmoid(x), atol=0.02)
    assert torch.equal(hard_sigmoid().saturated(x), x.abs() >= 2)
    assert torch.equal(hard_tanh().saturated(x), x.abs() >= 1)


@pytest.mark.parametrize("kind", ["swish", "esp"])
def test_esp_golden(kind):
    for row in ESP_GOLDEN:
        x, beta = (torch.tensor(float(row[key]), dtype=torch.float64) for key in ("x", "beta"))
        module = Esp(1, None, 0.0).double() if kind == "esp" else Swish(beta.item())

        def a(x, beta, module=module):
            parameters = {"beta": beta[None]} if dict(module.named_parameters()) else {}
            return functional_call(module, parameters, (x[None],))[0]

        found = {"a": a(x, beta), "da_dx": grad(a)(x, beta), "d2a_dx2": grad(grad(a))(x, beta)}
        if kind == "esp":
            found |= {
                "da_dbeta": grad(a, 1)(x, beta),
                "d2a_dxdbeta": grad(grad(a), 1)(x, beta),
                "d2a_dbeta2": grad(grad(a, 1), 1)(x, beta),
            }
        for name, value in found.items():
            assert value.item() == pytest.approx(float(row[name]), rel=1e-9, abs=2e-11), (name, row)
    assert len(ESP_GOLDEN) == 144


def a(x, beta):
    return Swish(beta)(torch.tensor(x, dtype=torch.float64)).item()


@hypothesis.given(st.floats(-50, 50), st.floats(-20, 20))
def test_laws_of_esp(x, beta):
    assert a(x, -beta) == pytest.approx(x - a(x, beta), abs=1e-12)
    assert a(x, beta) * beta == pytest.approx(a(beta * x, 1.0), abs=1e-12)
    assert a(x, 0.0) == x / 2
    assert a(x, 1e6) == pytest.approx(max(x, 0.0), abs=1e-6)


def test_constants_of_esp():
    x = torch.linspace(-3, 3, 600_001, dtype=torch.float64)
    value = Swish(1.0)(x)
    slope = vmap(grad(Swish(1.0)))(x)
    assert value.min().item() == pytest.approx(-0.278464542761074, abs=1e-10)
    assert x[value.argmin()].item() == pytest.approx(-1.278464542761074, abs=1e-5)
    assert slope.max().item() == pytest.approx(1.099839320128867, abs=1e-10)


def test_esp_starts_where_it_is_told():
    module = make(esp(None, 0.004, None, None).unit, 50_000)
    module.reset(torch.Generator().manual_seed(0))
    assert module.beta.mean().item() == pytest.approx(0, abs=1e-4)
    assert module.beta.std().item() == pytest.approx(0.004, rel=0.02)
    module = make(esp(1.5, 0.004, None, None).unit, 3)
    module.reset(torch.Generator())
    assert module.beta.tolist() == [1.5] * 3


def test_esp_has_one_beta_for_each_channel():
    module = Esp(2, None, 0.0)
    with torch.no_grad():
        module.beta.copy_(torch.tensor([0.0, 2.0]))
    images = torch.randn(3, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    out = module(images)
    assert torch.equal(out[:, 0], images[:, 0] / 2)
    torch.testing.assert_close(out[:, 1], Swish(2.0)(images[:, 1]))


@pytest.mark.parametrize(
    ("make_it", "name"),
    [
        (lambda: swish(math.nan), "beta"),
        (lambda: esp("x", 0.1, None, None), "beta"),
        (lambda: esp(None, -1, None, None), "beta_std"),
        (lambda: make(esp(1.0, 0.1, None, None).unit, 0), "units"),
        (lambda: Dropout(1.0), "dropout"),
        (lambda: Dropout(-0.1), "dropout"),
    ],
)
def test_wrong_settings_are_named(make_it, name):
    with pytest.raises(UserError, match=name):
        make_it()


def test_a_module_is_no_factory():
    with pytest.raises(UserError, match="_partial_: true"):
        Activation(unit=nn.Tanh(), gate=nn.Sigmoid)


def test_units_are_passed_only_where_they_are_asked_for():
    assert make(partial(Esp, beta=None, beta_std=0.0), 7).beta.shape == (7,)
    assert isinstance(make(partial(nn.LeakyReLU, negative_slope=0.2), 7), nn.LeakyReLU)


@pytest.mark.parametrize("path", ACTIVATIONS, ids=name_of)
def test_saturated_is_a_small_slope(path):
    x = torch.linspace(-9, 9, 181, dtype=torch.float64)[:, None] + 0.003
    # The hard function of the noisy units: theirs by definition, where their own slope is 1 - alpha.
    function = ready(load(path, **({"noise": "nani"} if "noisy" in path.stem else {})).unit, 1)
    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(function(leaf).sum(), leaf)
    for rule in (backward.exact, backward.linear):
        nonlinearity = Nonlinearity(function, rule)
        assert torch.equal(nonlinearity.saturated(x), slope.abs() < 0.02)
        with torch.no_grad():
            assert torch.equal(nonlinearity.saturated(x), slope.abs() < 0.02)


def test_noisy_units_are_saturated_beyond_the_knee_whatever_their_slope():
    pair = load(conf_dir() / "activation" / "noisy_tanh.yaml")
    x = torch.tensor([-2.0, -1.0, -0.99, 0.5, 1.0, 1.5])
    nonlinearity = Nonlinearity(ready(pair.unit, 6, torch.float32), backward.exact)
    assert nonlinearity.saturated(x).tolist() == [True, True, False, False, True, True]
    nonlinearity = Nonlinearity(ready(pair.gate, 6, torch.float32), backward.exact)
    assert nonlinearity.saturated(2 * x).tolist() == [True, True, False, False, True, True]


@pytest.mark.parametrize("path", ACTIVATIONS, ids=name_of)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_vmap_over_replicas_equals_the_loop(path, dtype):
    factory = load(path).unit
    nonlinearities = [Nonlinearity(make(factory, 4).to(dtype), backward.exact) for _ in range(3)]
    for seed, nonlinearity in enumerate(nonlinearities):
        if hasattr(nonlinearity.function, "reset"):
            nonlinearity.function.reset(torch.Generator().manual_seed(seed))
        attach_noise(nonlinearity, NoiseSource([torch.Generator().manual_seed(50 + seed)]))
    base = Nonlinearity(make(factory, 4).to(dtype), backward.exact)
    attach_noise(base, NoiseSource([torch.Generator().manual_seed(50 + r) for r in range(3)]))
    x = 2 * torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(1), dtype=dtype)

    def run(parameters, x):
        seen = []
        handle = base.register_forward_hook(lambda nonlinearity, args, _: seen.append(nonlinearity.saturated(args[0])))
        out = functional_call(base, parameters, (x,))
        handle.remove()
        return out, seen[0]

    out, saturated = vmap(run)(stack_module_state(nonlinearities)[0], x)
    for r, nonlinearity in enumerate(nonlinearities):
        torch.testing.assert_close(out[r], nonlinearity(x[r]))
        assert torch.equal(saturated[r], nonlinearity.saturated(x[r]))


def stacked_source(replicas):
    return NoiseSource([torch.Generator().manual_seed(r) for r in range(replicas)])


@pytest.mark.parametrize("method", ["normal", "uniform"])
@pytest.mark.parametrize("dims", [0, 1, -1])
def test_a_stacked_draw_is_the_single_draws(method, dims):
    like = torch.zeros(5, 2, 3, dtype=torch.float64).movedim(0, dims)
    source = stacked_source(5)
    drawn = vmap(getattr(source, method), in_dims=dims)(like)
    again = vmap(getattr(source, method), in_dims=dims)(like)
    for r in range(5):
        single = NoiseSource([torch.Generator().manual_seed(r)])
        assert torch.equal(drawn[r], getattr(single, method)(torch.zeros(2, 3, dtype=torch.float64)))
        assert torch.equal(again[r], getattr(single, method)(torch.zeros(2, 3, dtype=torch.float64)))
    assert drawn.dtype == torch.float64
    assert not torch.equal(drawn[0], drawn[1])


def test_draws_depend_on_the_shape_alone():
    like = torch.zeros(4, 3, 6, 5)
    one = NoiseSource([torch.Generator().manual_seed(0)]).normal(like)
    other = NoiseSource([torch.Generator().manual_seed(0)]).normal(like.to(memory_format=torch.channels_last) + 7)
    assert torch.equal(one, other)


def test_draws_are_not_differentiated():
    source = stacked_source(2)
    x = torch.ones(2, 3)
    slope = vmap(grad(lambda x: (x * source.normal(x)).sum()))(x)
    again = stacked_source(2)
    assert torch.equal(slope, vmap(again.normal)(x))
    assert not NoiseSource([torch.Generator()]).normal(x.requires_grad_()).requires_grad


def test_a_stacked_source_refuses_what_it_cannot_stack():
    with pytest.raises(RuntimeError, match="outside vmap"):
        stacked_source(2).normal(torch.zeros(3))
    with pytest.raises(RuntimeError, match=r"3 entries .* 2 replicas"):
        vmap(stacked_source(2).normal)(torch.zeros(3, 4))


def test_attach_noise_reaches_every_module_that_draws_and_no_other():
    class Loud(nn.Module):
        noise = 0.3

    model = nn.Sequential(Dropout(0.5), nn.Sequential(Dropout(0.1)), Loud())
    source = stacked_source(1)
    attach_noise(model, source)
    assert model[0].noise is source
    assert model[1][0].noise is source
    assert model[2].noise == 0.3
    assert copy.deepcopy(model)[0].noise is not None
    attach_noise(model, None)
    assert model[0].noise is None


@pytest.mark.parametrize("p", [0.2, 0.5, 0.7])
def test_dropout_keeps_the_mean(p):
    drop = Dropout(p)
    attach_noise(drop, stacked_source(1))
    mask = drop(torch.ones(100_000))
    assert set(mask.unique().tolist()) == {0.0, torch.tensor(1 / (1 - p)).item()}
    assert (mask == 0).float().mean().item() == pytest.approx(p, abs=0.008)
    assert mask.mean().item() == pytest.approx(1, abs=0.02)


def test_dropout_uses_the_mask_again_in_the_backward_pass():
    drop = Dropout(0.5)
    attach_noise(drop, stacked_source(1))
    x = torch.ones(64, requires_grad=True)
    out = drop(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


def test_dropout_is_the_identity_at_test_time_and_at_zero():
    x = torch.randn(5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Dropout(0.9).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
    with pytest.raises(RuntimeError, match="attach_noise"):
        Dropout(0.5)(x)
