"""What `repro.watch` leaves alone, and says that it has not seen."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, vmap
from torch.nn import functional

import repro
from looking import X, looked, mlp, numbers, trained
from repro.errors import UserError
from repro.watching import Watch


def test_only_what_was_seen_was_looked_for() -> None:
    _, watch = trained(mlp().eval())
    assert "looked for (numbers that are not finite, weights that stand still, weights that leap)" in watch.report()
    assert "No call of the net itself, in training mode and with gradients, was seen" in watch.report()
    _, watch = trained(mlp())
    assert "vanishing gradients" in watch.report()
    assert "No call" not in watch.report()


@pytest.mark.parametrize("warm", [True, False])
def test_a_compiled_copy_that_trains_is_said_not_to_be_seen(warm: bool) -> None:
    torch.compiler.reset()
    net = mlp()
    fast = torch.compile(net, backend="eager")
    if warm:
        fast(X)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with Watch(net) as watch:
        fast(X).square().mean().backward()
        optimizer.step()
        watch.step()
    assert "No call of the net itself" in watch.report()
    assert "vanishing" not in watch.report()


class Noisy(nn.ReLU):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, input: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(input + 0.1 * torch.randn_like(input))


class Pair(nn.ReLU):
    def forward(self, input: Tensor, scale: float) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        out = super().forward(input) * scale
        return out, out > 0


class WithPair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.act, self.head = nn.Linear(5, 4), Pair(), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.layer(x), 2.0)[0])


@pytest.mark.parametrize("ruled", [False, True])
def test_functions_of_somebody_elses_run_once_only(ruled: bool) -> None:
    def stepped(watched: bool) -> list[Tensor]:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(5, 4), Noisy(), nn.Linear(4, 2))
        net = repro.backward.scaled(net, 0.5) if ruled else net  # type: ignore[assignment]
        watch = Watch(net) if watched else None
        net(X).sum().backward()
        if watch is not None:
            watch.step()
            assert ("1", "activation_std") in numbers(watch, "activation_std")
            assert not numbers(watch, "saturated_share")
        return [*net.buffers(), *(p.grad for p in net.parameters() if p.grad is not None), torch.get_rng_state()]

    assert all(torch.equal(a, b) for a, b in zip(stepped(True), stepped(False), strict=True))


def test_functions_of_several_tensors_are_left_alone() -> None:
    net = WithPair()
    assert ("act", "dead_share") in looked(net, lambda: net(X).sum().backward(), "dead_share", "saturated_share")


def test_hooks_of_a_function_under_a_rule_fire_once() -> None:
    net, fired = mlp(), []
    net[1].register_forward_hook(lambda *_: fired.append(1))
    repro.backward.linear(net)
    net(X)
    count = len(fired)
    assert ("1", "saturated_share") in looked(net, lambda: net(X).sum().backward(), "saturated_share")
    assert len(fired) == 2 * count


class Stateful(nn.Module):
    """A buffer that comes with the first call, a plain attribute beside it, and a generator of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.started, self.rng = nn.Linear(5, 2), False, torch.Generator().manual_seed(0)
        self.register_buffer("mean", None)
        self.register_buffer("last", torch.zeros(0, 5))

    def forward(self, x: Tensor) -> Tensor:
        now = x.mean(0).detach()
        self.mean = 0.9 * self.mean + 0.1 * now if self.started else now
        self.started = True
        self.last = torch.cat([self.last, x.detach()])[-10:]
        return self.layer((x - self.mean) * torch.rand(x.shape, generator=self.rng))


def test_a_probe_leaves_no_state_behind() -> None:
    def stepped(watched: bool) -> list[Tensor]:
        torch.manual_seed(0)
        net = Stateful()
        how: dict[str, Any] = {"loss_fn": functional.mse_loss, "probe": (torch.ones(4, 5), torch.zeros(4, 2))}
        watch = Watch(net, every=1, **how) if watched else None
        for _ in range(3):
            net(X).sum().backward()
            if watch is not None:
                watch.step()
        return [*net.buffers(), net.layer.weight.grad]

    assert all(torch.equal(a, b) for a, b in zip(stepped(True), stepped(False), strict=True))


def per_sample(net: nn.Module) -> Any:
    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(net, parameters, (x[None],)).square().mean()

    return vmap(grad(loss), in_dims=(None, 0))(dict(net.named_parameters()), X)


TRANSFORMED: dict[str, Callable[[nn.Module], Any]] = {
    "vmap": per_sample,
    "jacrev": lambda net: jacrev(net)(X[0]),
    "vectorized": lambda net: torch.autograd.functional.jacobian(net, X[:1], vectorize=True),
    "batched": lambda net: torch.autograd.grad(
        net(X), list(net.parameters()), torch.ones(3, len(X), 2), is_grads_batched=True
    ),
}


@pytest.mark.parametrize("how", TRANSFORMED)
def test_what_torch_transforms_is_passed_over(how: str) -> None:
    net = mlp()
    with Watch(net) as watch:
        TRANSFORMED[how](net)
        net(X).sum().backward()
        watch.step()
    plain = looked(mlp(), lambda: None, "weight_norm")
    assert numbers(watch, "weight_norm") == plain
    assert numbers(watch, "gradient_norm")["2", "gradient_norm"] == pytest.approx(2**0.5 * len(X))


class Positive(nn.Module):
    """A function of a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.log, self.softplus = nn.Linear(5, 2), nn.Parameter(torch.zeros(2)), nn.Softplus()

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) * self.softplus(self.log)


def test_no_hook_stays_on_a_parameter() -> None:
    net = Positive()
    _, watch = trained(net)
    assert ("softplus", "gradient_norm") in numbers(watch, "gradient_norm")
    assert not any(p._backward_hooks for p in net.parameters())


def test_a_loss_is_one_number() -> None:
    net = nn.Linear(5, 2)
    with pytest.raises(UserError, match=r"loss_fn must give a batch's mean loss.*not a tensor of shape \(6, 2\)"):
        Watch(net, nn.MSELoss(reduction="none"), probe=(X, torch.zeros(6, 2)))
    for loss, says in ((torch.ones(3), r"a tensor of shape \(3,\)"), ({"loss": 1}, "dict"), ("low", "str")):
        with Watch(net) as watch, pytest.raises(UserError, match=f"the batch's loss as one number, not {says}"):
            watch.step(loss)  # type: ignore[arg-type]
