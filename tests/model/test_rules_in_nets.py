"""Backward rules and binary weights in whole nets: by depth, with random feedback, stacked, recurrent."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from torch import nn

from repro.config.compose import compose
from repro.config.run import resolve
from repro.datasets.memory import Data, Split
from repro.datasets.protocol import Batch
from repro.diagnostics.measure import of_backward
from repro.errors import UserError
from repro.model import backward
from repro.model.activations import Nonlinearity
from repro.model.layers import FeedbackConvolution
from repro.training.prepare import components, models, settle
from repro.training.replicas import learner
from repro.training.run import train


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
    rules = [nonlinearity.rule for nonlinearity in module.modules() if isinstance(nonlinearity, Nonlinearity)]
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
        settle(Own(), components(run).layer_factory)


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


@pytest.mark.parametrize("seeds", [1, 2], ids=["single", "stacked"])
def test_what_a_binary_net_puts_out_can_be_normalized(seeds):
    words = ("weight=binary", "activation=sign", "backward=clipped", "normalization=batch", "architecture.depth=1")
    plain, *_ = modules_of(*words, seeds=seeds)
    normalized, task, x, y = modules_of(*words, "weight.normalize_output=true", seeds=seeds)
    stacked = learner(normalized, tuple(range(seeds)), task, torch.device("cpu"))
    losses = stacked.gradients(Batch(x.expand(seeds, *x.shape), y.expand(seeds, *y.shape)))["loss"]
    for before, loss in zip(plain, losses, strict=True):
        out = before(x)  # the same weights: sums of so many signs, whole numbers
        assert torch.equal(out, out.round())
        out = (out - out.mean(0)) / (out.var(0, unbiased=False) + 1e-5).sqrt()
        torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(out, y))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["dataset=digits"], "weight.normalize_output=true needs normalization=batch or another"),
        (["dataset=digits", "architecture=kan", "normalization=batch"], "is for architecture=mlp, cnn, vgg and resnet"),
    ],
    ids=["without normalization", "another output layer"],
)
def test_where_outputs_cannot_be_normalized(words, error, tmp_path):
    run = resolve(compose([*words, "weight=binary", "weight.normalize_output=true", f"results_dir={tmp_path}"]))
    with pytest.raises(UserError, match=error):
        train(run)


@pytest.mark.parametrize("architecture", ["lstm", "ntm"])
@pytest.mark.parametrize("words", [["backward=linear"], ["backward=feedback_alignment"]], ids=str)
def test_recurrent_nets_take_every_rule(architecture, words, tmp_path):
    """Two updates run, and the gradient differs from the exact one below the output layer."""
    size = {
        "lstm": ["architecture.width=6"],
        "ntm": ["architecture.width=6", "architecture.rows=4", "architecture.features=3"],
    }
    net = [f"architecture={architecture}", *size[architecture]]
    run = resolve(
        compose(
            [
                "dataset=associative_recall",
                "task=recall",
                *net,
                "trainer.steps=2",
                "trainer.batch_size=4",
                "diagnostics=backward",
                *words,
                "dataset.test_size=8",
                f"results_dir={tmp_path}",
            ]
        )
    )
    train(run)
    layers = pd.read_csv(run.folder / "layers.csv")
    cosines = layers[(layers["quantity"] == "gradient_cosine") & (layers["step"] == 0)]
    assert cosines["value"].between(-1, 1 + 1e-9).all()
    assert cosines["value"].min() < 0.999
    assert cosines["value"].iloc[-1] == pytest.approx(1)


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
    expected = [
        torch.nn.functional.cosine_similarity(
            own.weight_gradient["hidden.0.linear.weight"][i].flatten(),
            twin.weight_gradient["hidden.0.linear.weight"][i].flatten(),
            dim=0,
        ).item()
        for i in range(seeds)
    ]
    assert first["gradient_cosine"].tolist() == pytest.approx(expected)
    assert (rule == "exact") == (first["gradient_cosine"].tolist() == pytest.approx([1.0] * seeds))
