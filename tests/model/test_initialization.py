"""Initialization rules by their laws, `initialize` by what it touches, and normalization."""

import copy
import math
from functools import partial

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
from repro.model import initialization, normalization
from repro.model.activations import make
from repro.model.activations.elementwise import esp
from repro.model.activations.noisy import noisy_tanh
from repro.model.initialization import initialize

INITIALIZATIONS = list(option_files("initialization").values())
NORMALIZATIONS = list(option_files("normalization").values())


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def weight(rule, *shape, seed=0, **options):
    w = torch.full(shape, math.nan)
    getattr(initialization, rule)(w, rng(seed), **options)
    return w


@pytest.mark.parametrize("path", INITIALIZATIONS, ids=lambda p: f"initialization/{p.stem}")
@pytest.mark.parametrize("shape", [(40, 30), (8, 6, 3, 3)], ids=str)
def test_builds_and_depends_on_its_generator_alone(path, shape):
    rule = build(OmegaConf.to_container(OmegaConf.load(path)), "initialization")
    before = torch.get_rng_state()
    weights = [torch.full(shape, math.nan) for _ in range(3)]
    for w, seed in zip(weights, (0, 0, 1), strict=True):
        rule(w, rng(seed))
    assert torch.equal(weights[0], weights[1])
    assert torch.equal(weights[0], weights[2]) == (path.stem in ("zeros", "constant"))
    assert torch.isfinite(weights[0]).all()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize(
    ("rule", "options", "variance"),
    [
        ("lecun", {}, lambda fans: 1 / fans[0]),
        ("he", {}, lambda fans: 2 / fans[0]),
        ("xavier", {"fan": "in"}, lambda fans: 1 / fans[0]),
        ("xavier", {"fan": "average"}, lambda fans: 2 / sum(fans)),
    ],
    ids=["lecun", "he", "xavier-in", "xavier-average"],
)
@pytest.mark.parametrize(
    ("shape", "fans"), [((400, 250), (250, 400)), ((64, 32, 5, 3), (480, 960))], ids=["linear", "conv"]
)
def test_variance(rule, options, variance, shape, fans, distribution):
    w = weight(rule, *shape, distribution=distribution, **options)
    want = variance(fans)
    assert w.var().item() == pytest.approx(want, rel=0.03)
    assert w.mean().item() == pytest.approx(0, abs=5 * math.sqrt(want / w.numel()))
    if distribution == "uniform":
        assert w.abs().max() <= math.sqrt(3 * want)
    else:
        assert w.abs().max() > 3 * math.sqrt(want)


@hypothesis.settings(max_examples=20, deadline=None)
@hypothesis.given(
    st.integers(20, 600), st.integers(20, 600), st.sampled_from(["normal", "uniform"]), st.integers(0, 99)
)
def test_fan_in_scaling_keeps_variance(inputs, outputs, distribution, seed):
    x = torch.randn(400, inputs, generator=rng(seed + 1000))
    w = weight("lecun", outputs, inputs, seed=seed, distribution=distribution)
    assert (x @ w.T).var().item() == pytest.approx(x.var().item(), rel=0.4)
    w = weight("he", outputs, inputs, seed=seed, distribution=distribution)
    assert (x @ w.T).relu().square().mean().item() == pytest.approx(x.square().mean().item(), rel=0.5)


@pytest.mark.parametrize(
    ("rule", "options", "std"),
    [("normal", {"std": 0.01}, 0.01), ("normal", {"std": 1}, 1.0), ("uniform", {"bound": 0.3}, 0.3 / math.sqrt(3))],
)
def test_fixed_scales_ignore_the_size_of_the_layer(rule, options, std):
    for shape in ((500, 20), (20, 500)):
        w = weight(rule, *shape, **options)
        assert w.std().item() == pytest.approx(std, rel=0.03)
    assert rule == "normal" or w.abs().max() <= 0.3


@pytest.mark.parametrize("gain", [1.0, 1.7])
@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (30, 30), (8, 3, 3, 3)], ids=str)
def test_orthogonal(shape, gain):
    w = weight("orthogonal", *shape, gain=gain).flatten(1).double()
    small = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    torch.testing.assert_close(small, gain**2 * torch.eye(len(small), dtype=torch.float64), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "inputs", "want"), [((300, 100), 15, 15), ((300, 10), 15, 10), ((50, 4, 3, 3), 7, 7)]
)
def test_sparse(shape, inputs, want):
    w = weight("sparse", *shape, inputs=inputs, std=2.0).flatten(1)
    assert ((w != 0).sum(1) == want).all()
    assert w[w != 0].std().item() == pytest.approx(2.0, rel=0.1)
    if want < w.shape[1]:  # every input is chosen by somebody, and not by the same ones
        assert (w != 0).any(0).all()
        assert not torch.equal(w[0] != 0, w[1] != 0)


def test_zeros_and_constant():
    assert torch.equal(weight("zeros", 3, 4), torch.zeros(3, 4))
    assert torch.equal(weight("constant", 3, 4, value=-0.5), torch.full((3, 4), -0.5))


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        ("normal", {"std": 0}, "initialization.std"),
        ("normal", {"std": math.nan}, "initialization.std"),
        ("uniform", {"bound": -1}, "initialization.bound"),
        ("constant", {"value": math.inf}, "initialization.value"),
        ("orthogonal", {"gain": 0.0}, "initialization.gain"),
        ("sparse", {"inputs": 0, "std": 1.0}, "initialization.inputs"),
        ("sparse", {"inputs": 2.5, "std": 1.0}, "initialization.inputs"),
        ("sparse", {"inputs": 3, "std": 0}, "std"),
        ("he", {"distribution": "norml"}, "did you mean normal"),
        ("lecun", {"distribution": "x"}, "normal, uniform"),
        ("xavier", {"distribution": "normal", "fan": "inn"}, "did you mean in"),
    ],
    ids=str,
)
def test_wrong_settings_are_named(rule, options, message):
    with pytest.raises(UserError, match=message):
        weight(rule, 4, 4, **options)


def model(unit):
    return nn.Sequential(
        nn.Linear(5, 4),
        nn.BatchNorm1d(4),
        unit,
        nn.Unflatten(1, (4, 1, 1)),
        nn.Conv2d(4, 3, 1),
        nn.GroupNorm(1, 3),
        nn.Flatten(),
        nn.LayerNorm(3),
        nn.Linear(3, 2, bias=False),
    )


def test_initialize_reaches_every_parameter():
    net = model(make(noisy_tanh("nan", 1.15, 1.1, 0.5, 0.05).unit, 4))
    with torch.no_grad():
        for p in net.parameters():
            p.fill_(math.nan)
    initialize(net, partial(initialization.normal, std=1.0), rng())
    assert all(torch.isfinite(p).all() for p in net.parameters())
    for layer in (net[0], net[4]):
        assert torch.count_nonzero(layer.bias) == 0
        assert torch.count_nonzero(layer.weight) == layer.weight.numel()
    for layer in (net[1], net[5], net[7]):
        assert torch.equal(layer.weight, torch.ones_like(layer.weight))
        assert torch.equal(layer.bias, torch.zeros_like(layer.bias))
    assert torch.count_nonzero(net[2].p) == 4
    assert all(p.requires_grad and p.grad_fn is None for p in net.parameters())


def test_initialize_depends_on_its_generator_alone():
    nets = [model(make(esp(None, 0.004, None, None).unit, 4)) for _ in range(2)]
    before = torch.get_rng_state()
    for net in nets:
        initialize(net, partial(initialization.he, distribution="uniform"), rng(3))
    assert torch.equal(torch.get_rng_state(), before)
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_activation_does_not_move_the_weights():
    nets = [model(nn.Tanh()), model(make(noisy_tanh("nan", 1.15, 1.1, 0.5, 0.05).unit, 4))]
    for net in nets:
        initialize(net, partial(initialization.normal, std=1.0), rng(3))
    for i in (0, 4, 8):
        assert torch.equal(nets[0][i].weight, nets[1][i].weight)


@pytest.mark.parametrize("path", NORMALIZATIONS, ids=lambda p: f"normalization/{p.stem}")
@pytest.mark.parametrize("dims", [1, 2])
def test_normalization_builds_and_normalizes(path, dims):
    module = build(OmegaConf.to_container(OmegaConf.load(path)), "normalization")(6, dims)
    x = 3 + 5 * torch.randn(*((32, 6) if dims == 1 else (16, 6, 4, 4)), generator=rng(), dtype=torch.float64)
    out = module.double()(x)
    assert out.shape == x.shape
    over = {"none": None, "batch": (0, 2, 3)[: 2 * dims - 1], "layer": (1, 2, 3)[: 2 * dims - 1]}[path.stem]
    if over is None:
        assert torch.equal(out, x)
    else:
        torch.testing.assert_close(out.mean(over), torch.zeros_like(out.mean(over)), rtol=0, atol=1e-9)
        torch.testing.assert_close(out.var(over, correction=0), torch.ones_like(out.mean(over)), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: normalization.batch(3, 1, 0.0, 1e-5), "momentum"),
        (lambda: normalization.batch(3, 1, None, 1e-5), "momentum"),
        (lambda: normalization.batch(3, 1, 0.1, 0.0), "eps"),
        (lambda: normalization.layer(3, 1, -1.0), "eps"),
        (lambda: normalization.layer(3, 3, 1e-5), "3-dimensional"),
        (lambda: normalization.batch(0, 1, 0.1, 1e-5), "features"),
    ],
)
def test_wrong_normalization_is_named(call, message):
    with pytest.raises(UserError, match=message):
        call()


@pytest.mark.parametrize("kind", ["batch", "layer"])
@pytest.mark.parametrize("dims", [1, 2])
def test_stacked_normalization_equals_the_loop(kind, dims):
    options = {"momentum": 0.3, "eps": 1e-5} if kind == "batch" else {"eps": 1e-5}
    singles = [getattr(normalization, kind)(3, dims, **options).double() for _ in range(4)]
    for r, single in enumerate(singles):
        with torch.no_grad():
            single.weight.uniform_(0.5, 2, generator=rng(r))
            single.bias.normal_(generator=rng(r))
    base = copy.deepcopy(singles[0])
    parameters, buffers = stack_module_state(singles)
    parameters = {name: p.detach() for name, p in parameters.items()}

    def loss(parameters, buffers, x):
        out = functional_call(base, (parameters, buffers), (x,))
        return out.pow(3).sum(), out

    for step in range(3):
        shape = (4, 10, 3) if dims == 1 else (4, 5, 3, 2, 2)
        x = (1 + step) * torch.randn(*shape, generator=rng(step), dtype=torch.float64) + step
        slopes, out = vmap(grad(loss, has_aux=True))(parameters, buffers, x)
        for r, single in enumerate(singles):
            single.zero_grad()
            mine = single(x[r])
            mine.pow(3).sum().backward()
            torch.testing.assert_close(out[r], mine)
            for name, p in single.named_parameters():
                torch.testing.assert_close(slopes[name][r], p.grad)
            for name, b in single.named_buffers():
                torch.testing.assert_close(buffers[name][r], b)
    base.eval()
    out = vmap(lambda p, b, x: functional_call(base, (p, b), (x,)))(parameters, buffers, x)
    for r, single in enumerate(singles):
        torch.testing.assert_close(out[r], single.eval()(x[r]))


def test_torch_default_is_torch_s() -> None:
    """Bounds of weights and biases are those that torch draws its own layers from."""
    for layer in (nn.Linear(50, 4000), nn.Conv2d(3, 900, 5)):
        bound = 1 / math.sqrt(layer.weight[0].numel())
        torch.manual_seed(0)
        layer.reset_parameters()
        theirs = [p.detach().abs().max().item() for p in layer.parameters()]
        initialize(layer, initialization.TorchDefault(), rng())
        for own, other in zip(layer.parameters(), theirs, strict=True):
            assert other == pytest.approx(bound, rel=0.01)
            assert own.abs().max().item() == pytest.approx(bound, rel=0.01)
            assert own.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_normal_everywhere_fills_biases_too() -> None:
    layer = nn.Linear(3, 5000)
    initialize(layer, initialization.NormalEverywhere(3.0), rng())
    assert layer.weight.std().item() == pytest.approx(3, rel=0.03)
    assert layer.bias.std().item() == pytest.approx(3, rel=0.03)
