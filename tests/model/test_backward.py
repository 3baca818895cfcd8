"""Backward rules against the golden gradients and against a slow twin."""

import csv
from functools import partial
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

from repro.config.build import build
from repro.config.compose import compose
from repro.config.groups import option_files
from repro.config.run import resolve
from repro.diagnostics.quantities import gradient_cosine, gradient_norm_ratio
from repro.errors import UserError
from repro.model import backward
from repro.model.activations import Nonlinearity
from repro.model.activations.elementwise import Esp, hard_tanh, sign
from repro.training.prepare import components

DATA = Path(__file__).parents[1] / "data"
FUNCTIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}
with (DATA / "linear-backprop-golden.csv").open() as file:
    GRADIENTS = list(csv.DictReader(file))
with (DATA / "linear-backprop-golden-data.csv").open() as file:
    SAMPLES = list(csv.DictReader(file))
with (DATA / "linear-backprop-golden-summary.csv").open() as file:
    SUMMARY = list(csv.DictReader(file))


class Twin(torch.autograd.Function):
    """The linear rule written as its definition: tanh forward, the identity backward."""

    @staticmethod
    def forward(ctx, a):  # noqa: ARG004
        return torch.tanh(a)

    @staticmethod
    def backward(ctx, gradient):  # noqa: ARG004
        return gradient


def column(name):
    return torch.tensor([float(row[name]) for row in SAMPLES], dtype=torch.float64)


def net(activation, output, rule):
    """The 2-3-3-1 net of the golden file, output activated ("act") or linear ("lin")."""
    function = FUNCTIONS[activation]
    layers = [nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 1)]
    for row in GRADIENTS:
        if (row["activation"], row["output_layer"]) == (activation, output):
            layer = layers[int(row["layer"]) - 1].double()
            with torch.no_grad():
                if row["tensor"] == "W":
                    layer.weight[int(row["row"]), int(row["col"])] = float(row["value"])
                else:
                    layer.bias[int(row["row"])] = float(row["value"])
    nonlinearities = [Nonlinearity(function(), rule) for _ in range(3)]
    last = [nonlinearities[2]] if output == "act" else []
    return nn.Sequential(layers[0], nonlinearities[0], layers[1], nonlinearities[1], layers[2], *last), layers


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (backward.exact, "backprop"),
        (backward.linear, "linear_backprop"),
        (backward.linear_literal, "literal_g_times_preactivation"),
    ],
    ids=["exact", "linear", "literal"],
)
@pytest.mark.parametrize("output", ["lin", "act"])
@pytest.mark.parametrize("activation", FUNCTIONS)
def test_golden(activation, output, rule, name):
    model, layers = net(activation, output, rule)
    out = model(torch.stack([column("x1"), column("x2")], 1))[:, 0]
    torch.testing.assert_close(out, column(f"out_{activation}_{output}"), rtol=0, atol=1e-14)
    (0.5 * (out - column("target")).square().mean()).backward()
    rows = [r for r in GRADIENTS if (r["activation"], r["output_layer"]) == (activation, output)]
    assert len(rows) == 25
    for row in rows:
        layer = layers[int(row["layer"]) - 1]
        weight, bias = layer.weight.grad, layer.bias.grad
        found = weight[int(row["row"]), int(row["col"])] if row["tensor"] == "W" else bias[int(row["row"])]
        assert found.item() == pytest.approx(float(row[f"grad_{name}"]), rel=1e-12, abs=1e-14)


def test_linear_equals_its_twin():
    a = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = torch.arange(20, dtype=torch.float64).view(4, 5)
    gradients = []
    for function in (Twin.apply, lambda a: backward.linear(nn.Tanh(), a)):
        leaf = a.clone().requires_grad_()
        (function(leaf) * weights).sum().backward()
        gradients.append(leaf.grad)
    assert torch.equal(gradients[0], gradients[1])
    assert torch.equal(gradients[1], weights)


@pytest.mark.parametrize("function", [nn.Tanh(), nn.Sigmoid(), nn.ReLU(), nn.GELU(), hard_tanh()], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_linear_leaves_the_value_alone_and_has_slope_one(function, dtype):
    a = 100 * torch.randn(2000, generator=torch.Generator().manual_seed(1), dtype=dtype)
    a[:500] /= 1e4
    a.requires_grad_()
    out = backward.linear(function, a)
    assert torch.equal(out, function(a))
    out.sum().backward()
    assert torch.equal(a.grad, torch.ones_like(a))


def test_linear_is_no_gradient_of_its_function():
    nonlinearity = Nonlinearity(nn.Tanh(), backward.linear)
    x = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    assert not torch.autograd.gradcheck(nonlinearity, (x,), raise_exception=False)
    assert torch.autograd.gradcheck(Nonlinearity(nn.Tanh(), backward.exact), (x,))


def test_parameters_of_the_function_keep_their_gradient():
    x = torch.tensor([[0.5, -2.0, 3.0]], dtype=torch.float64)
    gradients = []
    for rule in (backward.exact, backward.linear):
        function = Esp(3, 1.0, 0.0).double()
        function.reset(torch.Generator())
        Nonlinearity(function, rule)(x).sum().backward()
        gradients.append(function.beta.grad)
    torch.testing.assert_close(gradients[0], gradients[1])
    assert gradients[0].abs().min() > 0


RULES = {
    "exact": (backward.exact, lambda a: 1 - torch.tanh(a) ** 2),
    "linear": (backward.linear, torch.ones_like),
    "literal": (backward.linear_literal, lambda a: a),
    "scaled": (partial(backward.scaled, slope=-0.3), lambda a: torch.full_like(a, -0.3)),
    "surrogate": (partial(backward.surrogate, sharpness=5.0), lambda a: (1 + 5 * a.abs()) ** -2),
    "clipped": (partial(backward.clipped, bound=0.8), lambda a: (a.abs() <= 0.8).to(a.dtype)),
    "above": (backward.LinearAbove(2).at(3), torch.ones_like),
    "up to": (backward.LinearAbove(2).at(2), lambda a: 1 - torch.tanh(a) ** 2),
}


@pytest.mark.parametrize("name", RULES)
def test_the_slope_is_what_the_rule_says(name):
    rule, slope = RULES[name]
    a = torch.linspace(-2, 2, 21, dtype=torch.float64, requires_grad=True)
    out = Nonlinearity(nn.Tanh(), rule)(a)
    assert torch.equal(out, torch.tanh(a))
    out.sum().backward()
    torch.testing.assert_close(a.grad, slope(a.detach()), rtol=0, atol=1e-15)


def test_clipped_lets_the_bound_itself_through():
    a = torch.tensor([-1.5, -1.0, 0.0, 1.0, 1.5], requires_grad=True)
    out = backward.clipped(sign, a, 1.0)
    assert out.tolist() == [-1, -1, 1, 1, 1]
    out.sum().backward()
    assert a.grad.tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["backward=surrogate", "backward.sharpness=0"], "backward.sharpness must be a finite number above 0, not 0"),
        (["backward=clipped", "backward.bound=0"], "backward.bound must be a finite number above 0, not 0"),
        (["backward=linear_above", "backward.depth=-1"], "backward.depth must be a whole number of 0 or more, not -1"),
        (["backward=feedback_alignment", "backward.scale=0"], "backward.scale must be a finite number above 0, not 0"),
        (["backward=feedback_alignment", "weight=binary"], "both want to make the layers"),
    ],
    ids=str,
)
def test_bad_options_are_named(words, error):
    with pytest.raises(UserError, match=error):
        components(resolve(compose(words)))


@pytest.mark.parametrize("rule", [backward.linear, backward.linear_literal], ids=lambda r: r.__name__)
@pytest.mark.parametrize("output", ["lin", "act"])
@pytest.mark.parametrize("activation", FUNCTIONS)
def test_golden_cosines_and_norms(activation, output, rule):
    """Of weights and biases together, as the file has them."""
    found = []
    for own in (rule, backward.exact):
        model, layers = net(activation, output, own)
        out = model(torch.stack([column("x1"), column("x2")], 1))[:, 0]
        (0.5 * (out - column("target")).square().mean()).backward()
        found.append([torch.cat([p.grad.flatten() for p in layer.parameters()]) for layer in layers])
    name = {"linear": "lbp", "linear_literal": "literal"}[rule.__name__]
    rows = [r for r in SUMMARY if (r["activation"], r["output_layer"]) == (activation, output)]
    for row, one, two in zip(rows, *found, strict=True):
        cosine, ratio = gradient_cosine(one[None], two[None]).item(), gradient_norm_ratio(one[None], two[None]).item()
        assert cosine == pytest.approx(float(row["cosine" if name == "lbp" else "cosine_literal"]), abs=1e-12)
        assert ratio == pytest.approx(float(row[f"norm_{name}"]) / float(row["norm_bp"]), rel=1e-12)


def test_without_a_gradient_there_is_no_direction():
    zero, one = torch.zeros(1, 4), torch.ones(1, 4)
    assert gradient_cosine(one, zero).item() == 0
    assert gradient_norm_ratio(one, zero).item() == float("inf")
    assert gradient_norm_ratio(zero, one).item() == 0
    assert gradient_norm_ratio(zero, zero).isnan().item()


@pytest.mark.parametrize("rule", [backward.exact, backward.linear], ids=lambda r: r.__name__)
def test_rules_stack(rule):
    nonlinearities = [nn.Sequential(nn.Linear(3, 4), Nonlinearity(nn.Tanh(), rule), nn.Linear(4, 1)) for _ in range(3)]
    x = torch.randn(3, 6, 3, generator=torch.Generator().manual_seed(2))

    def loss(parameters, x):
        return functional_call(nonlinearities[0], parameters, (x,)).square().mean()

    stacked = vmap(grad(loss))({k: v.detach() for k, v in stack_module_state(nonlinearities)[0].items()}, x)
    for r, nonlinearity in enumerate(nonlinearities):
        nonlinearity(x[r]).square().mean().backward()
        for name, parameter in nonlinearity.named_parameters():
            torch.testing.assert_close(stacked[name][r], parameter.grad)


@pytest.mark.parametrize("path", option_files("backward").values(), ids=lambda p: f"backward/{p.stem}")
def test_builds(path):
    rule = build(OmegaConf.to_container(OmegaConf.load(path)), "backward")
    assert path.read_text().splitlines()[0].endswith(".")
    assert torch.equal(Nonlinearity(nn.ReLU(), rule)(torch.tensor([-1.0, 2.0])), torch.tensor([0.0, 2.0]))
