"""Activations and backward rules put into nets that exist."""

import copy

import pytest
import torch
from torch import Tensor, nn

import repro
from repro.activations import ESP, NoisySigmoid, NoisyTanh
from repro.errors import UserError
from repro.model.activations.noise import NoiseSource, attach_noise
from repro.model.activations.noisy import noisy_tanh

X = torch.randn(6, 8, generator=torch.Generator().manual_seed(0)) * 3


def net(*functions: nn.Module) -> nn.Sequential:
    one, two = functions
    return nn.Sequential(nn.Linear(8, 5), one, nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), two), nn.Linear(4, 3))


def test_every_place_gets_a_copy_for_its_units() -> None:
    model = net(nn.Tanh(), nn.Tanh())
    assert repro.replace(model, {"tanh": NoisyTanh(noise="nah", c=0.3)}) is model
    first, second = model[1], model[2][2]
    assert [m.units for m in (first, second)] == [5, 4]
    assert first.function.p.shape == (5,)
    assert second.function.p.shape == (4,)
    assert (first.function.p.abs() > 0).all()
    assert (first.function.half_normal, first.function.c) == (True, 0.3)
    assert {"1.function.p", "2.2.function.p"} <= {name for name, _ in model.named_parameters()}
    model(X).sum().backward()
    assert torch.equal(model.eval()(X), model(X))  # at its expectation
    assert not torch.equal(model.train()(X), model(X))


def test_units_of_pictures_and_by_example() -> None:
    class Odd(nn.Module):
        """Holds its parts in another order than it calls them."""

        def __init__(self) -> None:
            super().__init__()
            self.act, self.last, self.conv = nn.ReLU(), nn.Linear(7, 2), nn.Conv2d(1, 3, 2)
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.act(self.norm(self.conv(x))))

    model = Odd()
    example = torch.randn(2, 1, 8, 8)
    before = copy.deepcopy(model.state_dict())
    repro.replace(model, {"relu": ESP()}, example=example)
    assert model.act.units == 3
    assert model.training
    assert all(torch.equal(model.state_dict()[key], value) for key, value in before.items())
    model(example)
    with pytest.raises(UserError, match="how many units act has cannot be seen; give replace an example= batch"):
        repro.replace(Odd(), {"relu": ESP()})


def test_functions_that_make_one_and_ordinary_modules() -> None:
    model = repro.replace(net(nn.ReLU(), nn.Tanh()), {"relu": nn.SiLU, "tanh": nn.Sigmoid()})
    assert [type(m) for m in (model[1], model[2][2])] == [nn.SiLU, nn.Sigmoid]


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="the net has no tanh module; its activation modules: relu"):
        repro.replace(net(nn.ReLU(), nn.ReLU()), {"tanh": nn.ReLU()})
    with pytest.raises(UserError, match="no activation module that could have a backward rule"):
        repro.backward.linear(nn.Linear(1, 1))
    with pytest.raises(UserError, match="'loud'"):
        NoisyTanh(noise="loud")
    with pytest.raises(UserError, match="units"):
        NoisyTanh(0)
    with pytest.raises(UserError, match="does not know how many units it has"):
        NoisyTanh()(X)


@pytest.mark.parametrize("noise", ["nan", "nah", "nani", "nanil", "nanis"])
def test_modules_are_what_the_command_trains(noise: str) -> None:
    own = NoisyTanh(8, noise=noise, alpha=1.15, c=0.5, sigma=0.05)
    house = noisy_tanh(noise, 1.15, 1.1, 0.5, 0.05).unit(units=8)
    house.load_state_dict(own.function.state_dict())
    attach_noise(house, NoiseSource([torch.Generator().manual_seed(5)]))
    torch.manual_seed(5)
    assert torch.equal(own(X), house(X))
    assert torch.equal(own.saturated(X), X.abs() >= 1)
    assert torch.equal(NoisySigmoid(8, noise=noise).saturated(X), X.abs() >= 2)


def test_the_sharpness_of_esp() -> None:
    torch.testing.assert_close(ESP(8, beta=1.0)(X), nn.functional.silu(X))


def test_linear_backward_leaves_the_forward_pass_alone() -> None:
    model = net(nn.ReLU(inplace=True), nn.Sigmoid()).eval()
    plain = copy.deepcopy(model)
    repro.backward.linear(model)
    x = X.clone().requires_grad_()
    out = model(x)
    assert torch.equal(out, plain(X))
    out.sum().backward()
    norm = model[2][1]
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    expected = torch.ones(6, 3) @ model[3].weight * scale @ model[2][0].weight @ model[0].weight
    torch.testing.assert_close(x.grad, expected)


def test_rules_can_be_changed_and_taken_back() -> None:
    def gradient(model: nn.Module) -> Tensor:
        x = X.clone().requires_grad_()
        model(x).sum().backward()
        assert x.grad is not None
        return x.grad

    model = net(nn.Tanh(), nn.Tanh()).eval()
    exact = gradient(model)
    assert not torch.allclose(gradient(repro.backward.scaled(model, 0.5)), exact)
    assert not torch.allclose(gradient(repro.backward.clipped(model, 0.5)), exact)
    assert torch.equal(gradient(repro.backward.exact(model)), exact)
    assert sum(isinstance(m, nn.Tanh) for m in model.modules()) == 2
