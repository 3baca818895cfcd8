"""Backward rules against the golden gradients and against a slow twin."""

import csv
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

from repro import backward
from repro.activations import Nonlinearity
from repro.activations.elementwise import Esp, hard_tanh, sign
from repro.architectures.layers import FeedbackConvolution
from repro.composition import compose
from repro.config import resolve
from repro.datasets.data import Batch, Data, Split
from repro.diagnostics.quantities import gradient_cosine, gradient_norm_ratio, of_backward
from repro.errors import UserError
from repro.paths import conf_dir
from repro.training.assemble import components, models, settle
from repro.training.learner import learner
from repro.training.run import train

DATA = Path(__file__).parent / "data"
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
    sites = [Nonlinearity(function(), rule) for _ in range(3)]
    last = [sites[2]] if output == "act" else []
    return nn.Sequential(layers[0], sites[0], layers[1], sites[1], layers[2], *last), layers


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
    site = Nonlinearity(nn.Tanh(), backward.linear)
    x = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    assert not torch.autograd.gradcheck(site, (x,), raise_exception=False)
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


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ["backward=linear_above", "backward.depth=3"],
            "leaves no activation above it to be linear; the deepest one of",
        ),
        (["architecture.exact_output=true"], r"it needs architecture\.activate_output=true"),
    ],
    ids=str,
)
def test_options_that_would_do_nothing_are_refused(words, error):
    with pytest.raises(UserError, match=error):
        modules_of(*words)


def modules_of(*words, seeds=1):
    """Nets as a run has them, in float64, with a batch."""
    run = resolve(compose(["architecture.width=5", "architecture.depth=3", *words]))
    run = replace(run, settings=run.settings | {"replicas": seeds})
    parts = components(run)
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    y = torch.arange(7) % 3
    made = models(run, parts, Data(*[Split(x, y)] * 3, outputs=3, name="random"))
    return [module.double() for module in made], parts.task, x, y


def test_linear_above_goes_by_depth():
    (module,), *_ = modules_of("backward=linear_above", "backward.depth=2", "architecture.activate_output=true")
    rules = [site.rule for site in module.modules() if isinstance(site, Nonlinearity)]
    assert rules == [backward.exact, backward.exact, backward.linear, backward.linear]


def test_the_output_can_be_differentiated_exactly():
    words = ["backward=linear", "architecture.activate_output=true", "architecture.exact_output=true"]
    (module,), *_ = modules_of(*words)
    rules = [s.rule for s in module.modules() if isinstance(s, Nonlinearity)]
    assert [backward.is_exact(rule) for rule in rules] == [False, False, False, True]


def by_hand(module, x, y):
    """Gradients of feedback alignment written out: g ← (g B) f', with the random matrices in place of the weights."""
    layers = [hidden.linear for hidden in module.hidden] + [module.output]
    h, a = [x], []
    for layer in layers:
        a.append(h[-1] @ layer.weight.T + layer.bias)
        h.append(torch.tanh(a[-1]))
    g = (torch.softmax(a[-1], 1) - nn.functional.one_hot(y, 3)) / len(x)
    found = []
    for k in reversed(range(len(layers))):
        found = [g.T @ h[k], *found]
        if k:
            g = (g @ layers[k].feedback) * (1 - h[k] ** 2)
    return found


def test_feedback_alignment_by_hand():
    (module,), task, x, y = modules_of("backward=feedback_alignment")
    task.measure(module(x), y)["loss"].backward()
    for layer, expected in zip([*(h.linear for h in module.hidden), module.output], by_hand(module, x, y), strict=True):
        torch.testing.assert_close(layer.weight.grad, expected, rtol=1e-12, atol=1e-15)


def test_feedback_leaves_weights_and_values_alone():
    (plain,), _, x, _ = modules_of()
    (fed,), *_ = modules_of("backward=feedback_alignment")
    assert all(torch.equal(value, fed.state_dict()[name]) for name, value in plain.state_dict().items())
    torch.testing.assert_close(fed(x), plain(x), rtol=0, atol=1e-15)
    matrices = torch.cat([b.flatten() for name, b in fed.named_buffers() if name.endswith("feedback")])
    assert matrices.std() > 0.1


def test_feedback_in_a_convolution():
    torch.manual_seed(0)
    layer = FeedbackConvolution(backward.FeedbackAlignment(2.0), 2, 3, 3, padding=1).double()
    layer.reset_feedback(torch.Generator().manual_seed(1))
    x = torch.randn(4, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    g = torch.randn(4, 3, 5, 5, dtype=torch.float64)
    layer(x).backward(g)
    expected = torch.nn.grad.conv2d_input(x.shape, layer.feedback, g, padding=1)
    torch.testing.assert_close(x.grad, expected)
    torch.testing.assert_close(layer.weight.grad, torch.nn.grad.conv2d_weight(x, layer.weight.shape, g, padding=1))


def test_the_matrices_have_the_size_that_is_said():
    rule = backward.FeedbackAlignment(3.0)
    for shape, fans in (((300, 500), 800), ((40, 60, 3, 3), 900)):
        matrix = torch.empty(shape, dtype=torch.float64)
        rule.matrix(matrix, torch.Generator().manual_seed(0))
        assert matrix.std().item() == pytest.approx(3 * (2 / fans) ** 0.5, rel=0.02)


@pytest.mark.parametrize("words", [["backward=linear"], ["backward=feedback_alignment"], ["weight=binary"]], ids=str)
@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_every_rule_stacks(words, normalization):
    words = [*words, f"normalization={normalization}"]
    modules, task, x, y = modules_of(*words, seeds=3)
    stacked = learner(modules, (0, 1, 2), task, torch.device("cpu"))
    stacked.gradients(Batch(x.expand(3, *x.shape), y.expand(3, *y.shape)))
    for r, module in enumerate(modules_of(*words, seeds=3)[0]):
        task.measure(module(x), y)["loss"].backward()
        for name, parameter in module.named_parameters():
            torch.testing.assert_close(stacked.parameters[name].grad[r], parameter.grad)


def test_a_net_of_torch_layers_is_refused():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.output = nn.Linear(4, 3)

    run = resolve(compose(["backward=feedback_alignment"]))
    with pytest.raises(UserError, match="makes a Linear by itself"):
        settle(Own(), components(run).kit)


def test_binary_weights_are_signs_and_learn_as_if_they_were_not():
    (module,), _, x, _ = modules_of("weight=binary", "activation=sign", "backward=clipped", "architecture.depth=1")
    hidden, output = module.hidden[0].linear, module.output
    with torch.no_grad():
        hidden.weight[0, 0] = 0.0
    a = x @ torch.where(hidden.weight >= 0, 1.0, -1.0).double().T + hidden.bias
    h = torch.where(a >= 0, 1.0, -1.0).double()
    signs = torch.where(output.weight >= 0, 1.0, -1.0).double()
    torch.testing.assert_close(module(x), h @ signs.T + output.bias)
    g = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    module(x).backward(g)
    torch.testing.assert_close(output.weight.grad, g.T @ h)
    torch.testing.assert_close(hidden.weight.grad, ((g @ signs) * (a.abs() <= 1)).T @ x)


@pytest.mark.parametrize("architecture", ["lstm", "ntm"])
@pytest.mark.parametrize("words", [["backward=linear"], ["backward=feedback_alignment"]], ids=str)
def test_recurrent_nets_take_every_rule(architecture, words, tmp_path):
    """Two updates run, and the gradient differs from the exact one below the output layer."""
    size = {
        "lstm": ["architecture.width=6"],
        "ntm": ["architecture.width=6", "architecture.rows=4", "architecture.features=3"],
    }
    net = [f"architecture={architecture}", *size[architecture]]
    run = resolve(compose(["dataset=associative_recall", "task=recall", *net,
                           "trainer.steps=2", "trainer.batch_size=4", "diagnostics=backward", *words,
                           "dataset.test_size=8", f"results_dir={tmp_path}"]))  # fmt: skip
    train(run)
    layers = pd.read_csv(run.folder / "layers.csv")
    cosines = layers[(layers["quantity"] == "gradient_cosine") & (layers["step"] == 0)]
    assert cosines["value"].between(-1, 1 + 1e-9).all()
    assert cosines["value"].min() < 0.999
    assert cosines["value"].iloc[-1] == pytest.approx(1)


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


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("rule", ["linear", "feedback_alignment", "exact"])
def test_the_diagnostic_compares_with_exact_gradients(rule, seeds):
    modules, task, x, y = modules_of(f"backward={rule}", "activation=noisy_tanh", seeds=seeds)
    taught = learner(modules, tuple(range(seeds)), task, torch.device("cpu"))
    own = taught.probe(x, y)
    with taught.exactly():
        exact = taught.probe(x, y)
    again = taught.probe(x, y)
    rows = list(of_backward(taught.layers, own, exact, ("gradient_cosine", "gradient_norm_ratio")))
    assert len(rows) == 2 * 4
    assert all(torch.equal(own.weight_gradient[k], again.weight_gradient[k]) for k in own.weight_gradient)
    # The same net under the exact rule finds what the diagnostic compares with: same weights, same noise.
    twins, *_ = modules_of("activation=noisy_tanh", seeds=seeds)
    twin = learner(twins, tuple(range(seeds)), task, torch.device("cpu")).probe(x, y)
    for name, gradient in twin.weight_gradient.items():
        torch.testing.assert_close(exact.weight_gradient[name], gradient)
    first = {quantity: values for layer, _, quantity, values in rows if layer == "hidden.0"}
    expected = [torch.nn.functional.cosine_similarity(
        own.weight_gradient["hidden.0.linear.weight"][i].flatten(),
        twin.weight_gradient["hidden.0.linear.weight"][i].flatten(), dim=0).item() for i in range(seeds)]  # fmt: skip
    assert first["gradient_cosine"].tolist() == pytest.approx(expected)
    assert (rule == "exact") == (first["gradient_cosine"].tolist() == pytest.approx([1.0] * seeds))


@pytest.mark.parametrize("rule", [backward.exact, backward.linear], ids=lambda r: r.__name__)
def test_rules_stack(rule):
    sites = [nn.Sequential(nn.Linear(3, 4), Nonlinearity(nn.Tanh(), rule), nn.Linear(4, 1)) for _ in range(3)]
    x = torch.randn(3, 6, 3, generator=torch.Generator().manual_seed(2))

    def loss(parameters, x):
        return functional_call(sites[0], parameters, (x,)).square().mean()

    stacked = vmap(grad(loss))({k: v.detach() for k, v in stack_module_state(sites)[0].items()}, x)
    for r, site in enumerate(sites):
        site(x[r]).square().mean().backward()
        for name, parameter in site.named_parameters():
            torch.testing.assert_close(stacked[name][r], parameter.grad)


@pytest.mark.parametrize("path", sorted((conf_dir() / "backward").glob("*.yaml")), ids=lambda p: f"backward/{p.stem}")
def test_builds(path):
    rule = instantiate(OmegaConf.load(path))
    assert path.read_text().splitlines()[0].endswith(".")
    assert torch.equal(Nonlinearity(nn.ReLU(), rule)(torch.tensor([-1.0, 2.0])), torch.tensor([0.0, 2.0]))
