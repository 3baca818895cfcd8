"""VGG and residual nets: counted and worked by hand, and held against slow twins in float64."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn import functional as f

from repro.config.build import build
from repro.config.compose import compose
from repro.config.run import resolve
from repro.datasets.memory import Data, Split
from repro.datasets.protocol import Batch
from repro.diagnostics.probe import layers_of
from repro.model import backward, normalization
from repro.model.activations import Activation, Nonlinearity
from repro.model.architectures.cnn import CNN
from repro.model.architectures.resnet import Block, Pad
from repro.model.architectures.vgg import VGG
from repro.model.layer_factory import LayerFactory
from repro.model.layers import BinaryConvolution, BinaryLinear
from repro.paths import conf_dir
from repro.tasks import Task
from repro.training import replicas as learning
from repro.training.prepare import components, models
from repro.training.replicas import learner
from repro.training.run import train

# The nets as the literature writes them: channels of each convolution, M for a pooling.
PLANS = {
    11: "64 M 128 M 256 256 M 512 512 M 512 512 M",
    13: "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
    16: "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
    19: "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M",
}
TINY_VGG = ("architecture=vgg", "architecture.depth=11", "architecture.width=2")
RESNET = ("architecture=resnet", "architecture.blocks=[1,2]", "architecture.width=3")
PROJECTED = (*RESNET, "architecture.shortcut=projection")
NETS = {"vgg": TINY_VGG, "pad": RESNET, "projection": PROJECTED}
CLASSES = 3


def nets(
    *words: str, shape: tuple[int, ...] = (2, 8, 8), seeds: int = 1
) -> tuple[list[nn.Module], Task, Tensor, Tensor]:
    """Nets as a run has them, in float64, with a batch."""
    run = resolve(compose(words))
    run = replace(run, settings=run.settings | {"replicas": seeds})
    parts = components(run)
    rng = torch.Generator().manual_seed(1)
    x, y = torch.randn(5, *shape, generator=rng, dtype=torch.float64), torch.arange(5) % CLASSES
    made = models(run, parts, Data(*[Split(x, y)] * 3, outputs=CLASSES, name="random"))
    return [module.double() for module in made], parts.task, x, y


def randomize(module: nn.Module) -> nn.Module:
    """Biases, scales and shifts that matter."""
    rng = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if value.dim() == 1:
                value.normal_(1.0 if "normalization.weight" in name else 0.0, 0.3, generator=rng)
    return module


# Sizes


def empty(option: str, **changes: object) -> nn.Module:
    """The net of a YAML file with batch norm for CIFAR-10, its parameters without values."""
    make = LayerFactory(
        Activation(nn.ReLU, nn.Sigmoid), backward.exact, partial(normalization.batch, momentum=0.1, eps=1e-5)
    )
    settings = OmegaConf.to_container(OmegaConf.load(conf_dir() / "architecture" / f"{option}.yaml"))
    with torch.device("meta"):
        made: nn.Module = build(settings | changes, "architecture", shape=(3, 32, 32), outputs=10, make=make)
    return made


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("depth", "published"), [(11, 9231114), (13, 9416010), (16, 14728266), (19, 20040522)])
def test_vgg_has_as_many_parameters_as_published(depth: int, published: int) -> None:
    expected, inputs = 512 * 10 + 10, 3
    for word in PLANS[depth].replace("M", "").split():
        channels = int(word)
        expected += channels * inputs * 9 + channels + 2 * channels  # weights, biases, scales and shifts
        inputs = channels
    assert count(empty("vgg", depth=depth)) == expected == published


@pytest.mark.parametrize(("n", "published"), [(3, 0.27), (5, 0.46), (7, 0.66), (9, 0.85), (18, 1.7)])
def test_resnet_has_as_many_parameters_as_published(n: int, published: float) -> None:
    """In millions; the paper's table 6."""
    expected = 3 * 16 * 9 + 2 * 16 + 64 * 10 + 10
    for inputs, channels in ((16, 16), (16, 32), (32, 64)):
        expected += inputs * channels * 9 + (2 * n - 1) * channels * channels * 9 + 2 * n * 2 * channels
    assert count(empty("resnet", blocks=[n, n, n])) == expected
    assert expected / 1e6 == pytest.approx(published, abs=0.03)


def test_resnet18_has_as_many_parameters_as_published() -> None:
    expected = 3 * 64 * 9 + 2 * 64 + 512 * 10 + 10
    for inputs, channels in ((64, 64), (64, 128), (128, 256), (256, 512)):
        expected += inputs * channels * 9 + 3 * channels * channels * 9 + 4 * 2 * channels
        expected += inputs * channels + 2 * channels if inputs != channels else 0  # the projection
    assert count(empty("resnet18")) == expected == 11173962


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (2, 5, 9), (1, 1, 1)])
def test_images_of_any_size(net: str, shape: tuple[int, ...]) -> None:
    (module,), _, x, _ = nets(*NETS[net], shape=shape)
    assert module(x).shape == (5, CLASSES)


@pytest.mark.parametrize(("side", "places"), [(1, 1), (8, 1), (28, 1), (32, 1), (63, 1), (64, 4)])
def test_poolings_that_leave_no_pixel_are_left_out(side: int, places: int) -> None:
    (module,), *_ = nets(*TINY_VGG, shape=(1, side, side))
    assert module.output.in_features == 16 * places
    poolings = [i for i, layer in enumerate(module.hidden) if isinstance(layer.pool, nn.MaxPool2d)]
    assert poolings == [0, 1, 3, 5, 7][: side.bit_length() - 1]


# Slow twins


def vgg_twin(module: nn.Module, x: Tensor) -> Tensor:
    """Depth 11 with swish and batch norm, read off the plan."""
    layers = iter(module.hidden)
    h = x
    words = PLANS[11].split()
    for i, word in enumerate(words):
        if word == "M":
            continue
        layer = next(layers)
        a = f.conv2d(h, layer.convolution.weight, layer.convolution.bias, padding=1)
        a = f.batch_norm(a, None, None, layer.normalization.weight, layer.normalization.bias, training=True)
        h = a * torch.sigmoid(a)
        if words[i + 1] == "M" and min(h.shape[2:]) > 1:
            h = f.max_pool2d(h, 2)
    return h.flatten(1) @ module.output.weight.T + module.output.bias


@pytest.mark.parametrize("shape", [(2, 8, 8), (3, 32, 32), (1, 5, 9)])
def test_vgg_equals_a_slow_twin(shape: tuple[int, ...]) -> None:
    (module,), _, x, _ = nets(*TINY_VGG, "activation=swish", "normalization=batch", shape=shape)
    torch.testing.assert_close(randomize(module)(x), vgg_twin(module, x), rtol=1e-10, atol=1e-12)


class Minus(nn.Module):
    def forward(self, a: Tensor) -> Tensor:
        return -a


@pytest.mark.parametrize(("first", "found"), [(None, -1), (True, -4)], ids=["by default", "asked for"])
def test_the_pooling_comes_after_the_activation_or_before(first: bool | None, found: int) -> None:
    make = LayerFactory(Activation(Minus, nn.Sigmoid), backward.exact, normalization.none)
    vgg = VGG((1, 2, 2), 3, make, depth=11, width=1, bias=False, pool_first=first)
    cnn = CNN((1, 2, 2), 3, make, [1], 3, None, [], False, 0.0, first)
    for layer in (vgg.hidden[0], cnn.blocks[0]):
        nn.init.dirac_(layer.convolution.weight)
        assert layer(torch.tensor([[[[1.0, 2], [3, 4]]]])).item() == found


def resnet_twin(module: nn.Module, x: Tensor, projected: bool) -> Tensor:
    """Blocks [1, 2] with tanh and batch norm."""

    def conv_norm(layer: nn.Module, h: Tensor, stride: int, padding: int = 1) -> Tensor:
        a = f.conv2d(h, layer.convolution.weight, layer.convolution.bias, stride, padding)
        return f.batch_norm(a, None, None, layer.normalization.weight, layer.normalization.bias, training=True)

    h = torch.tanh(conv_norm(module.hidden[0], x, 1))
    for block, stride in zip(module.hidden[1:], (1, 2, 1), strict=True):
        a = conv_norm(block.second, torch.tanh(conv_norm(block.first, h, stride)), 1)
        if stride == 2 and projected:
            h = conv_norm(block.shortcut, h, 2, 0)
        elif stride == 2:
            padded = torch.zeros_like(a)
            for row in range(a.shape[2]):
                for column in range(a.shape[3]):
                    padded[:, :3, row, column] = h[:, :, 2 * row, 2 * column]
            h = padded
        h = torch.tanh(a + h)
    return h.mean((2, 3)) @ module.output.weight.T + module.output.bias


@pytest.mark.parametrize("shape", [(2, 8, 8), (3, 32, 32), (1, 5, 9)])
@pytest.mark.parametrize("net", ["pad", "projection"])
def test_resnet_equals_a_slow_twin(net: str, shape: tuple[int, ...]) -> None:
    (module,), _, x, _ = nets(*NETS[net], "normalization=batch", "architecture.bias=true", shape=shape)
    torch.testing.assert_close(
        randomize(module)(x), resnet_twin(module, x, net == "projection"), rtol=1e-10, atol=1e-12
    )


# Shortcuts by hand


def test_the_parameterless_shortcut_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]]])
    assert Pad(2, 2)(x).tolist() == [[[[1, 3], [7, 9]], [[0, 0], [0, 0]], [[0, 0], [0, 0]]]]


def block(rule: backward.Rule) -> Block:
    make = LayerFactory(Activation(nn.Tanh, nn.Sigmoid), rule, normalization.none)
    torch.manual_seed(0)
    return Block(3, 3, 1, "pad", False, make).double()


def test_the_activation_comes_after_the_addition() -> None:
    made, x = block(backward.exact), torch.linspace(-2, 2, 12, dtype=torch.float64).view(1, 3, 2, 2)
    nn.init.zeros_(made.second.convolution.weight)
    assert torch.equal(made(x), torch.tanh(x))


def test_linear_passes_the_identity_path_unscaled() -> None:
    made, rng = block(backward.linear), torch.Generator().manual_seed(3)
    x, g = (torch.randn(2, 3, 4, 4, generator=rng, dtype=torch.float64) for _ in range(2))
    x.requires_grad_()
    made(x).backward(g)
    through = f.conv_transpose2d(g, made.second.convolution.weight, padding=1)
    expected = g + f.conv_transpose2d(through, made.first.convolution.weight, padding=1)
    torch.testing.assert_close(x.grad, expected)


# What the rest of the house sees


def test_layers_of_vgg() -> None:
    (module,), *_ = nets(*TINY_VGG)
    found = [(layer.name, layer.depth, layer.weight, layer.nonlinearity) for layer in layers_of(module)]
    names = [f"hidden.{i}" for i in range(8)]
    expected = [(n, i, f"{n}.convolution.weight", f"{n}.activation") for i, n in enumerate(names, 1)]
    assert found == [*expected, ("output", 9, "output.weight", None)]


@pytest.mark.parametrize("net", ["pad", "projection"])
def test_layers_of_resnet(net: str) -> None:
    (module,), *_ = nets(*NETS[net])
    names = [
        "hidden.0",
        "hidden.1.first",
        "hidden.1.second",
        "hidden.2.shortcut",
        "hidden.2.first",
        "hidden.2.second",
        "hidden.3.first",
        "hidden.3.second",
        "output",
    ]
    if net == "pad":
        names.remove("hidden.2.shortcut")
    layers = layers_of(module)
    assert [layer.name for layer in layers] == names
    assert [layer.depth for layer in layers] == list(range(1, len(names) + 1))
    nonlinearities = [f"{name}.activation" for name in names if name != "output" and "shortcut" not in name]
    assert [layer.nonlinearity for layer in layers if layer.nonlinearity] == nonlinearities


@pytest.mark.parametrize("net", NETS)
def test_linear_above_goes_by_depth(net: str) -> None:
    (module,), *_ = nets(*NETS[net], "backward=linear_above", "backward.depth=3")
    rules = [part.rule for part in module.modules() if isinstance(part, Nonlinearity)]
    assert rules == [backward.exact] * 3 + [backward.linear] * (len(rules) - 3)
    assert len(rules) in (7, 8)


STACKED = [
    "backward=linear normalization=batch",
    "backward=linear_above normalization=layer",
    "backward=feedback_alignment normalization=batch",
    "activation=relu",
    # Signs of five samples are often all alike; a small eps would blow up the rounding of their variance.
    "weight=binary activation=sign backward=clipped normalization=batch normalization.eps=1",
]


@pytest.mark.parametrize("words", STACKED)
@pytest.mark.parametrize("net", NETS)
def test_a_stacked_replica_has_the_gradients_of_its_seed_alone(
    net: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Recording a step takes long: one setting of each net.
    monkeypatch.setattr(learning, "WARM_UP", 0 if words == STACKED[0] else 1)
    modules, task, x, y = nets(*NETS[net], *words.split(), seeds=2)
    stacked = learner([*map(randomize, modules)], (0, 1), task, torch.device("cpu"))
    stacked.gradients(Batch(x.expand(2, *x.shape), y.expand(2, *y.shape)))
    for r, module in enumerate(nets(*NETS[net], *words.split(), seeds=2)[0]):
        task.measure(randomize(module)(x), y)["loss"].backward()
        for name, parameter in module.named_parameters():
            found = stacked.parameters[name].grad[r]
            torch.testing.assert_close(found, parameter.grad, rtol=1e-7, atol=1e-12)
        assert module.hidden[0].convolution.weight.grad.abs().max() > 0


@pytest.mark.parametrize(
    "words",
    [
        "backward=exact",
        "backward=linear",
        "backward=feedback_alignment",
        "activation=noisy_tanh",
        "normalization=none architecture.bias=true",
    ],
)
@pytest.mark.parametrize("net", NETS)
def test_steps_lower_the_loss(net: str, words: str) -> None:
    (module,), task, x, y = nets(*NETS[net], "normalization=batch", *words.split(), shape=(3, 32, 32))
    taught = learner([module], (0,), task, torch.device("cpu"))
    optimizer = torch.optim.Adam(taught.parameters.values(), lr=0.01)
    losses = []
    for _ in range(20):
        losses.append(taught.gradients(Batch(x[None], y[None]))["loss"].item())
        optimizer.step()
    assert losses[-1] < 0.9 * losses[0]


# Binary nets


def test_a_binary_residual_net_by_hand() -> None:
    """On an image of one pixel a 3×3 convolution is its middle weight."""
    (module,), *_ = nets(
        "architecture=resnet",
        "architecture.blocks=[1]",
        "architecture.width=1",
        "weight=binary",
        "activation=sign",
        "backward=clipped",
        "architecture.bias=true",
        shape=(1, 1, 1),
    )
    units = module.hidden[0], module.hidden[1].first, module.hidden[1].second
    with torch.no_grad():
        for unit, value in zip(units, (0.3, 0.2, 0.7), strict=True):
            unit.convolution.weight.fill_(-value)
            unit.convolution.weight[0, 0, 1, 1] = value
        units[2].convolution.bias.fill_(1.5)
        module.output.weight.copy_(torch.tensor([[0.1], [-0.4], [0.0]]))
        module.output.bias.copy_(torch.tensor([0.0, 0.0, 5.0]))
    # The input stays real: a = -0.5, h = -1; then a = -1, h = -1; then a = -1 + 1.5 - 1 (the shortcut) = -0.5, h = -1.
    out = module(torch.full((1, 1, 1, 1), -0.5, dtype=torch.float64))
    assert out.tolist() == [[-1, 1, 4]]
    # No |a| is above 1, so the error of 1 comes back to every unit, and to the first one twice.
    out[0, 0].backward()
    assert [unit.convolution.weight.grad[0, 0, 1, 1].item() for unit in units] == [2 * -0.5, -1, -1]
    assert [unit.convolution.bias.grad.item() for unit in units] == [2, 1, 1]
    assert module.output.weight.grad.tolist() == [[-1], [0], [0]]
    # A bias of 3.5 makes the last a 1.5: its sign is another, and nothing passes it.
    with torch.no_grad():
        units[2].convolution.bias.fill_(3.5)
    module.zero_grad()
    out = module(torch.full((1, 1, 1, 1), -0.5, dtype=torch.float64))
    assert out.tolist() == [[1, -1, 6]]
    out[0, 0].backward()
    assert all(unit.convolution.weight.grad.abs().max() == 0 for unit in units)


def test_the_binary_reference(tmp_path) -> None:
    """Every layer's weights are signs, the first input is real, and learnt weights stay within 1."""
    words = [*TINY_VGG, "activation=sign", "backward=clipped", "weight=binary", "normalization=batch"]
    (module,), _, x, _ = nets(*words)
    weighted = [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    assert [type(part) for part in weighted] == [*[BinaryConvolution] * 8, BinaryLinear]
    seen: list[Tensor] = []
    for part in weighted:
        part.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    out = module(x)
    assert torch.equal(seen[0], x)
    assert all(set(h.unique().tolist()) <= {-1, 1} for h in seen[1:])
    signs = torch.where(module.output.weight >= 0, 1.0, -1.0).double()
    torch.testing.assert_close(out, seen[-1] @ signs.T + module.output.bias)
    run = resolve(
        compose(
            [
                *words,
                "trainer.clip_weights=1",
                "optimizer=adam",
                "optimizer.lr=0.3",
                "dataset.subset=64",
                "trainer.steps=4",
                f"results_dir={tmp_path}",
            ]
        )
    )
    train(run)
    learnt = torch.load(run.folder / "checkpoint.pt", weights_only=True)["state"]["parameters"]
    greatest = {name: value.abs().max().item() for name, value in learnt.items() if value.dim() > 1}
    assert len(greatest) == 9
    assert set(greatest.values()) == {1.0}
