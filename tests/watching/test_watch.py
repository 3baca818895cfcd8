"""`repro.watch` on nets of strangers: nothing of their training changes, and the numbers are right."""

import copy
import io
from typing import Any

import numpy as np
import pytest
import torch
from strangers_nets import BATCH, CLASSES, NETS, SIDE, batches, train
from torch import Tensor, nn
from torch.nn import functional

import repro
from repro.errors import UserError
from repro.watching import Watch


def build(name: str) -> nn.Module:
    torch.manual_seed(3)
    torch.compiler.reset()
    net = NETS[name]()
    net(batches()[0][0])
    return net


def watched(name: str, probe: bool = False, **loop: Any) -> tuple[list[Tensor], Watch]:
    net = build(name)
    torch.manual_seed(4)
    how: dict[str, Any] = {"probe": batches()[1], "loss_fn": functional.cross_entropy} if probe else {}
    with Watch(net, every=2, **how) as watch:
        return list(train(net, watch.step, **loop)), watch


def alone(name: str, **loop: Any) -> list[Tensor]:
    net = build(name)
    torch.manual_seed(4)
    return list(train(net, **loop))


LOOPS: dict[str, dict[str, Any]] = {"plain": {}, "accumulated": {"accumulate": 2}, "mixed": {"mixed": True}}
CASES = [(name, "plain") for name in NETS] + [
    ("mlp", "accumulated"),
    ("cnn", "accumulated"),
    ("mlp", "mixed"),
    ("cnn", "mixed"),
]


@pytest.mark.parametrize(("name", "loop"), CASES)
@pytest.mark.parametrize("probe", [False, True], ids=["batches", "probe"])
def test_training_does_not_change_in_a_bit(name: str, loop: str, probe: bool) -> None:
    with_watch, watch = watched(name, probe, **LOOPS[loop])
    without = alone(name, **LOOPS[loop])
    assert all(torch.equal(a, b) for a, b in zip(with_watch, without, strict=True))
    table = watch.table
    assert set(table["step"]) == {0, 1, 2}
    seen = {"weight_norm", "weight_gradient_norm", "update_ratio"}
    if name != "compiled" or probe:
        seen |= {"activation_mean", "activation_std", "gradient_norm", "unit_spread"}
    assert seen <= set(table["quantity"])
    assert np.isfinite(table["value"]).all()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in watch.model.modules())


def numbers(watch: Watch, step: int = 0) -> dict[tuple[str, str], float]:
    rows = watch.table[watch.table["step"] == step]
    return {
        (layer, quantity): value for layer, quantity, value in rows[["layer", "quantity", "value"]].itertuples(False)
    }


def test_numbers_are_those_of_a_slow_twin() -> None:
    net = nn.Sequential(nn.Linear(SIDE, 5), nn.Sigmoid(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, CLASSES)).double()
    with torch.no_grad():
        net[0].weight.mul_(30.0)
        net[2].weight[0] = 0.0
        net[2].bias[0] = -1.0
    x, y = batches()[0][0].double(), batches()[0][1]
    old = [p.detach().clone() for p in net.parameters()]
    values = [x]
    for module in net:
        values.append(module(values[-1]))
        values[-1].retain_grad()
    functional.cross_entropy(values[-1], y).backward()
    expected: dict[tuple[str, str], float] = {}
    for i in range(5):
        out = values[i + 1].detach()
        expected[str(i), "activation_mean"] = out.mean().item()
        expected[str(i), "activation_std"] = float(np.std(out.numpy()))
        expected[str(i), "unit_spread"] = np.mean([np.std(row) for row in out.numpy()])
        arrives = values[i + 1 if i % 2 == 0 else i].grad
        assert arrives is not None
        expected[str(i), "gradient_norm"] = np.mean([BATCH * np.linalg.norm(row) for row in arrives.numpy()])
    for i, flat in (("1", (values[2] * (1 - values[2])).abs() < 0.02), ("3", values[3] <= 0)):
        expected[i, "saturated_share"] = flat.double().mean().item()
    expected["1", "dead_share"], expected["3", "dead_share"] = 0.0, (values[4] == 0).all(0).double().mean().item()
    assert 0.25 <= expected["3", "dead_share"] < 1
    for i in (0, 2, 4):
        weight = net[i].weight
        expected[str(i), "weight_norm"] = np.linalg.norm(old[i].numpy())
        expected[str(i), "weight_gradient_norm"] = np.linalg.norm(weight.grad.numpy())
        expected[str(i), "update_ratio"] = 0.1 * np.linalg.norm(weight.grad.numpy()) / np.linalg.norm(old[i].numpy())
    expected["model", "vanishing_ratio"] = expected["0", "gradient_norm"] / expected["2", "gradient_norm"]
    net.zero_grad()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with Watch(net, bins=0) as watch:
        functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        watch.step()
    got = numbers(watch)
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        assert got[key] == pytest.approx(value, rel=1e-9), key
    assert dict(watch.table[["layer", "depth"]].itertuples(index=False)) == {
        "0": 1,
        "1": 1,
        "2": 2,
        "3": 2,
        "4": 3,
        "model": 0,
    }


def test_gradients_through_time_are_those_of_every_step() -> None:
    for options in ({"batch_first": True}, {}):
        net = nn.GRU(3, 4, **options).double()
        x = torch.randn(5, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        x = x if options else x.transpose(0, 1)
        with Watch(net, bins=0) as watch:
            out, _ = net(x)
            out.retain_grad()
            (out**2).mean().backward()
            watch.step()
        assert out.grad is not None
        steps = (out.grad if options else out.grad.transpose(0, 1)).norm(dim=2).mean(0) * 5
        got = numbers(watch)
        assert [got["model", f"gradient_through_time_{t:02d}"] for t in range(7)] == pytest.approx(steps.tolist())


class Rows(nn.Module):
    """A linear layer over the last of four dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.act = nn.Linear(1, 3), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.layer(x))


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (nn.Sequential(nn.Conv1d(1, 3, 1), nn.ReLU()), (2, 1, 5)),
        (nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3), nn.ReLU()).eval(), (2, 1, 4, 4)),
        (nn.Sequential(nn.Conv3d(1, 3, 1), nn.ReLU()), (2, 1, 4, 4, 4)),
        (Rows(), (2, 4, 5, 1)),
    ],
    ids=["1", "2", "3", "rows"],
)
def test_units_are_channels_behind_a_convolution_and_columns_elsewhere(net: nn.Module, shape: tuple[int, ...]) -> None:
    layer = next(m for m in net.modules() if hasattr(m, "weight"))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, -1.0, 0.0]).view_as(layer.weight))
        layer.bias.copy_(torch.tensor([0.0, 0.0, -1.0]))
    net.train()
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eval()
    with Watch(net) as watch:
        net(torch.rand(shape)).sum().backward()
        watch.step()
    shares = watch.table.set_index("quantity")["value"]
    assert shares["dead_share"] == pytest.approx(2 / 3)


def test_a_histogram_has_every_unit() -> None:
    net = nn.Linear(1, 2)
    with torch.no_grad():
        net.weight.zero_()
        net.bias.copy_(torch.tensor([0.0, 5.0]))
    with Watch(net, bins=2) as watch:
        net(torch.zeros(9000, 1)).sum().backward()
        watch.step()
    got = {quantity: value for (_, quantity), value in numbers(watch).items() if quantity.startswith("histogram_")}
    assert list(got.values()) == [0.0, 5.0, 0.5, 0.5]


def test_every_so_often_and_early() -> None:
    net = nn.Linear(2, 1)
    with Watch(net, every=20) as watch:
        for _ in range(45):
            net(torch.ones(1, 2)).sum().backward()
            watch.step(torch.tensor(1.5))
    assert sorted(set(watch.table["step"])) == [0, 1, 3, 10, 20, 40]
    assert watch.losses["step"].tolist() == [0, 1, 3, 10, 20, 40]
    assert set(watch.losses["value"]) == {1.5}


def test_calls_in_evaluation_do_not_count() -> None:
    net = nn.Sequential(nn.Linear(1, 1), nn.Tanh())
    with Watch(net) as watch:
        net(torch.zeros(3, 1)).sum().backward()
        with torch.no_grad():
            net(torch.full((3, 1), 1e3))
        net.eval()
        net(torch.full((3, 1), 1e3))
        watch.step()
    assert numbers(watch)["1", "saturated_share"] == 0.0


class Routed(nn.Module):
    """An expert that no sample goes to, a buffer that comes with the first call, and one that is a view."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused, self.act = nn.Linear(SIDE, CLASSES), nn.Linear(SIDE, CLASSES), nn.Tanh()
        self.register_buffer("view", torch.ones(1).expand(3))

    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "late"):
            self.register_buffer("late", torch.ones(CLASSES))
        return self.used(x) * self.late + self.act(self.unused(x[:0])).sum()


@pytest.mark.parametrize("probe", [False, True], ids=["batches", "probe"])
@pytest.mark.parametrize(
    "net",
    [
        Routed(),
        nn.Sequential(nn.Linear(SIDE, CLASSES), nn.PReLU()).bfloat16(),
        nn.Sequential(nn.Linear(SIDE, CLASSES), nn.Tanh()).requires_grad_(False),
    ],
    ids=["routed", "bfloat16", "frozen"],
)
def test_what_does_not_stop_training_does_not_stop_the_watch(net: nn.Module, probe: bool) -> None:
    net = copy.deepcopy(net)
    x, y = batches()[0]
    x = x.to(next(net.parameters()).dtype)
    how: dict[str, Any] = {"probe": (x, y), "loss_fn": functional.cross_entropy} if probe else {}
    with Watch(net, **how) as watch:
        loss = functional.cross_entropy(net(x), y)
        if loss.requires_grad:
            loss.backward()
        watch.step(loss)
    assert "activation_mean" in set(watch.table["quantity"])


def test_a_function_that_draws_its_slope_is_left_alone_under_a_rule() -> None:
    def trained(looked_at: bool) -> list[Tensor]:
        torch.manual_seed(0)
        net = repro.backward.linear(nn.Sequential(nn.Linear(SIDE, 4), nn.RReLU(), nn.Linear(4, CLASSES)))
        watch = Watch(net, every=1) if looked_at else None
        return list(train(net, watch.step if watch else Tensor.detach))

    assert all(torch.equal(a, b) for a, b in zip(trained(True), trained(False), strict=True))


def test_copies_made_meanwhile_are_free_of_hooks() -> None:
    net = build("mlp")
    with Watch(net) as watch:
        copied = copy.deepcopy(net)
        buffer = io.BytesIO()
        torch.save(net, buffer)
        net(batches()[0][0]).sum().backward()
        copied(batches()[0][0]).sum().backward()
        watch.step()
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, weights_only=False)[0].weight, net[0].weight)
    with Watch(net) as alone:
        net(batches()[0][0]).sum().backward()
        alone.step()
    assert list(numbers(watch)) == list(numbers(alone))
    assert numbers(watch)["0", "activation_mean"] == numbers(alone)["0", "activation_mean"]


@pytest.mark.parametrize(("kind", "places"), [(nn.LSTM, 5), (nn.GRU, 3)])
def test_gates_that_were_exchanged_are_seen_on_a_probe(kind: type[nn.RNNBase], places: int) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = kind(SIDE, 4, batch_first=True), nn.Linear(4, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.layer(x)[0][:, -1])

    net = Net()
    x = torch.randn(BATCH, 7, SIDE)
    plain, exchanged = copy.deepcopy(net), repro.replace(net, {"tanh": nn.Tanh})
    found = {}
    for name, one in (("plain", plain), ("exchanged", exchanged)):
        with Watch(one, functional.cross_entropy, probe=(x, batches()[0][1])) as watch:
            watch.step()
        found[name] = numbers(watch)
    for (layer, quantity), value in found["plain"].items():
        if quantity != "weight_norm" and not quantity.startswith(("update", "weight_gradient")):
            assert found["exchanged"][layer, quantity] == pytest.approx(value, rel=1e-4), (layer, quantity)
    seen = {layer: value for (layer, quantity), value in found["exchanged"].items() if quantity == "saturated_share"}
    assert len(seen) == places
    assert all(layer.startswith("layer.layers.0.") for layer in seen)
    assert set(watch.table.set_index("layer").loc[list(seen), "depth"]) == {1}
    assert all(part.fused for part in exchanged.modules() if hasattr(part, "fused"))


def test_a_part_of_somebody_else_s_may_be_called_fused() -> None:
    net = nn.Sequential()
    net.fused = nn.Linear(SIDE, CLASSES)
    with Watch(net, functional.cross_entropy, probe=batches()[0]) as watch:
        watch.step()
    assert isinstance(net.fused, nn.Linear)
    assert ("fused", "gradient_norm") in numbers(watch)


class Scalars:
    def __init__(self) -> None:
        self.added: list[tuple[str, float, int]] = []

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        self.added.append((tag, value, step))


def test_scalars_and_a_picture() -> None:
    _, watch = watched("lstm")
    writer = Scalars()
    watch.to_tensorboard(writer)
    rows = watch.table[~watch.table["quantity"].str.startswith("histogram_")]
    expected = [(f"{r.layer}/{r.quantity}", r.value, r.step) for r in rows.itertuples()]
    assert writer.added == expected
    assert watch.overview()._repr_png_().startswith(b"\x89PNG")


def test_mistakes_are_named() -> None:
    net = nn.Linear(1, 1)
    for says, make in {
        "takes a torch.nn.Module, not int": lambda: Watch(3),  # type: ignore[arg-type]
        "every must be a whole number of 1 or more, not 0": lambda: Watch(net, every=0),
        "every must be a whole number of 1 or more, not True": lambda: Watch(net, every=True),
        "bins must be a whole number of 0 or more, not -3": lambda: Watch(net, bins=-3),
        r"bins must be a whole number of 0 or more, not 2\.5": lambda: Watch(net, bins=2.5),  # type: ignore[arg-type]
        "go together": lambda: Watch(net, probe=(1, 2)),
        r"probe must be a pair \(inputs, targets\), not Tensor": lambda: Watch(
            net, functional.mse_loss, probe=torch.ones(2, 1)
        ),
        r"probe must be a pair \(inputs, targets\), not a tuple of 3": lambda: Watch(
            net, functional.mse_loss, probe=(1, 2, 3)
        ),
        "no linear, convolutional, recurrent, attention or activation module": lambda: Watch(nn.Flatten()),
        "nothing was measured that could be drawn": lambda: Watch(net).overview(),
    }.items():
        with pytest.raises(UserError, match=says):
            make()
    assert "call step()" in Watch(net).report()


def test_a_compiled_net_says_what_is_not_seen() -> None:
    _, watch = watched("compiled")
    assert "give probe=(inputs, targets)" in watch.report()


def test_a_closed_watch_hangs_nothing_up_again() -> None:
    _, watch = watched("mlp")
    with pytest.raises(UserError, match="this watch is closed"):
        watch.step()
    assert not any(module._forward_hooks for module in watch.model.modules())
