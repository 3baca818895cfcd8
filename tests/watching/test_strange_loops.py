"""What `repro.watch` says of nets and loops that are not the usual ones."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, rnn
from torch.utils.checkpoint import checkpoint

from looking import Numbers, X, looked, mlp, numbers
from repro.watching import Watch


def test_of_one_unit_nobody_asks_whether_all_are_alike() -> None:
    net = mlp(out=1)
    with Watch(net) as watch:
        net(X).sum().backward()
        watch.step()
    assert ("2", "unit_spread") not in numbers(watch, "unit_spread")
    assert "all units do the same" not in watch.report()


class Checkpointed(nn.Module):
    def __init__(self, reentrant: bool | None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(5, 5), nn.Sigmoid()) for _ in range(6))
        self.head, self.reentrant = nn.Linear(5, 2), reentrant

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x) if self.reentrant is None else checkpoint(block, x, use_reentrant=self.reentrant)
        return self.head(x)


def test_depths_are_those_of_the_first_call_under_checkpointing() -> None:
    tables = []
    for reentrant in (None, False, True):
        net = Checkpointed(reentrant)
        with Watch(net, bins=0) as watch:
            net(X.clone().requires_grad_()).square().mean().backward()
            watch.step()
        rows = watch.table.set_index(["layer", "depth", "quantity"])["value"].sort_index()
        assert "the gradient is" in watch.report()
        assert "times the last layer's" not in watch.report()
        tables.append(rows)
    for other in tables[1:]:
        assert other.index.equals(tables[0].index)
        assert other.to_numpy() == pytest.approx(tables[0].to_numpy(), rel=1e-5)


@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.LBFGS])
def test_gradients_that_a_closure_computes(make: type[torch.optim.Optimizer]) -> None:
    net = mlp()
    optimizer = make(net.parameters(), lr=0.1)  # type: ignore[call-arg]

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = net(X).square().mean()
        loss.backward()
        return loss

    with Watch(net, every=1, bins=0) as watch:
        for _ in range(2):
            optimizer.step(closure)
            norm = net[0].weight.grad.norm().item()
            watch.step()
            assert numbers(watch, "weight_gradient_norm")["0", "weight_gradient_norm"] == pytest.approx(norm)


@pytest.mark.parametrize("fused", [False, True])
def test_a_scaler_does_not_scale_the_gradients_of_weights(fused: bool) -> None:
    net = mlp()
    net(X).square().mean().backward()
    expected = net[0].weight.grad.norm().item()
    optimizer = torch.optim.SGD(net.parameters(), 0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)

    def loop() -> None:
        optimizer.zero_grad()
        scaler.scale(net(X).square().mean()).backward()
        scaler.step(optimizer)
        scaler.update()

    found = looked(net, loop, "weight_gradient_norm")
    assert found["0", "weight_gradient_norm"] == pytest.approx(expected)


def test_steps_of_time_are_means_over_the_calls_that_have_them() -> None:
    net = nn.LSTM(5, 4, batch_first=True)
    long = torch.randn(3, 6, 5)

    def passed(x: Tensor, scale: float) -> None:
        (scale * net(x)[0].square().mean()).backward()

    names = [f"gradient_through_time_{t:02d}" for t in range(6)]
    alone = [looked(net, lambda one=one: passed(*one), *names) for one in ((long, 1.0), (long[:, :3], 1e-3))]
    both = looked(net, lambda: (passed(long, 1.0), passed(long[:, :3], 1e-3)), *names)
    for key, value in both.items():
        assert value == pytest.approx(sum(one[key] for one in alone if key in one) / sum(key in one for one in alone))


class Reader(nn.Module):
    def __init__(self, batch_first: bool, packed: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.recurrent, self.hidden = nn.GRU(5, 4, batch_first=batch_first), nn.Linear(4, 4)
        self.act, self.head = nn.Tanh(), nn.Linear(4, 2)
        self.batch_first, self.packed = batch_first, packed

    def forward(self, x: Tensor) -> Tensor:
        steps: Any = x if self.batch_first else x.transpose(0, 1)
        if self.packed:
            lengths = torch.full((len(x),), x.shape[1])
            steps = rnn.pack_padded_sequence(steps, lengths, batch_first=self.batch_first)
        out = self.recurrent(steps)[0]
        if self.packed:
            out, _ = rnn.pad_packed_sequence(out, batch_first=self.batch_first)
        return self.head(self.act(self.hidden(out)))


def attention(batch_first: bool) -> nn.Module:
    torch.manual_seed(0)
    return nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=batch_first)


def test_samples_are_found_wherever_time_is() -> None:
    x = torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(1))
    wanted = ("gradient_norm", "gradient_through_time_03")
    found = {}
    for batch_first, packed in ((True, False), (False, False), (True, True), (False, True)):
        net = Reader(batch_first, packed)
        found[batch_first, packed] = looked(net, lambda net=net: net(x).square().mean().backward(), *wanted)
    expected = found.pop((True, False))
    assert ("recurrent", "gradient_through_time_03") in expected
    assert all(other == pytest.approx(expected) for other in found.values())
    first, second = (
        looked(net, lambda net=net, x=x: net(x).square().mean().backward(), "gradient_norm")
        for net, x in ((attention(True), x[..., :4]), (attention(False), x[..., :4].transpose(0, 1)))
    )
    assert first == pytest.approx(second, rel=1e-4)


def test_a_packed_sequence_of_several_lengths_is_padded_with_zeros() -> None:
    net, x = nn.GRU(5, 4, batch_first=True), torch.randn(3, 7, 5)
    lengths = torch.tensor([2, 7, 4])
    kept = (torch.arange(7) < lengths[:, None])[..., None]

    def padded() -> None:
        (net(x)[0] * kept).square().mean().backward()

    def packed() -> None:
        out, _ = net(rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        rnn.pad_packed_sequence(out, batch_first=True)[0].square().mean().backward()

    names = ("gradient_norm", "gradient_through_time_01", "gradient_through_time_06")
    slow = []
    out, _ = net(x)
    out.retain_grad()
    (out * kept).square().mean().backward()
    assert out.grad is not None
    slow = [3 * out.grad.flatten(1).norm(dim=1).mean(), *(3 * out.grad[:, t].norm(dim=1).mean() for t in (1, 6))]
    assert list(looked(net, packed, *names).values()) == pytest.approx([float(one) for one in slow])
    assert looked(net, padded, *names) == pytest.approx(looked(net, packed, *names))


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_weights_of_a_parametrized_layer_are_those_it_uses(wrap: Callable[[nn.Module], nn.Module]) -> None:
    def trained(watched: bool) -> tuple[list[Tensor], Numbers, float, float]:
        torch.manual_seed(0)
        net = nn.Sequential(wrap(nn.Linear(5, 8)), nn.Tanh(), nn.Linear(8, 2))
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        watch = Watch(net, every=1, bins=0) if watched else None
        for _ in range(3):
            optimizer.zero_grad()
            net(X).square().mean().backward()
            net.eval()
            before = net[0].weight.detach().clone()
            optimizer.step()
            moved = (net[0].weight.detach() - before).norm() / before.norm()
            net.train()
            if watch is not None:
                watch.step()
        found = numbers(watch, "weight_norm", "update_ratio") if watch is not None else {}
        return [*net.parameters(), *net.buffers()], found, before.norm().item(), moved.item()

    with_watch, found, norm, moved = trained(True)
    assert all(torch.equal(a, b) for a, b in zip(with_watch, trained(False)[0], strict=True))
    assert found["0", "weight_norm"] == pytest.approx(norm)
    assert found["0", "update_ratio"] == pytest.approx(moved, rel=1e-4)


class LowRank(nn.Linear):
    """A frozen weight, and two small layers beside it."""

    def __init__(self) -> None:
        super().__init__(5, 8)
        self.weight.requires_grad_(False)
        self.a, self.b = nn.Linear(5, 2, bias=False), nn.Linear(2, 8, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + self.b(self.a(input))


def test_the_weights_of_a_layer_are_its_own() -> None:
    net = nn.Sequential(LowRank(), nn.Tanh(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], 0.1)

    def loop() -> None:
        net(X).square().mean().backward()
        optimizer.step()

    norm = net[0].weight.norm().item()
    found = looked(net, loop, "weight_norm", "weight_gradient_norm", "update_ratio")
    assert found["0", "weight_norm"] == pytest.approx(norm)
    assert ("0", "update_ratio") not in found
    assert ("0.a", "update_ratio") in found


@pytest.mark.parametrize("last_frees", [True, False])
def test_two_passes_back_are_as_one_of_the_sum(last_frees: bool) -> None:
    net = mlp()

    def loop(two: bool) -> None:
        net.zero_grad()
        out = net(X)
        one, other = out[:, 0].square().mean(), out[:, 1].square().mean()
        if two:
            one.backward(retain_graph=True)
            other.backward(retain_graph=not last_frees)
        else:
            (one + other).backward()

    summed = looked(net, lambda: loop(False), "gradient_norm")
    assert looked(net, lambda: loop(True), "gradient_norm") == pytest.approx(summed)


def test_a_gradient_that_is_penalized_is_no_loss() -> None:
    net = mlp(out=1)
    x = X.clone().requires_grad_()
    seen: list[Tensor] = []

    def loop() -> None:
        out = net(x)
        (own,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        out.register_hook(seen.append)
        (1e-3 * (own.norm(dim=1) - 1).square().mean() + 1e-3 * out.mean()).backward()

    found = looked(net, loop, "gradient_norm")
    assert found["2", "gradient_norm"] == pytest.approx(seen[-1].abs().mean().item() * len(X))


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_cells_are_watched(kind: type[nn.RNNCellBase]) -> None:
    cell = kind(5, 4)  # type: ignore[call-arg]
    optimizer = torch.optim.SGD(cell.parameters(), 0.1)

    def loop() -> None:
        out = cell(X)
        (out[0] if isinstance(out, tuple) else out).square().mean().backward()
        optimizer.step()

    wanted = ("activation_std", "unit_spread", "gradient_norm", "weight_norm", "update_ratio")
    assert {quantity for _, quantity in looked(cell, loop, *wanted)} == set(wanted)
