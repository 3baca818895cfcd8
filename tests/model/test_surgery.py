"""Activations and backward rules put into nets that exist."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

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


class Rows(nn.Module):
    """A linear layer over the last of four dimensions, which no batch norm has to follow."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.act = nn.Linear(6, 6), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.layer(x))


@pytest.mark.parametrize("shown", [False, True], ids=["unseen", "example"])
@pytest.mark.parametrize(
    ("model", "shape", "axis"),
    [
        (nn.Sequential(nn.Conv1d(3, 6, 1), nn.BatchNorm1d(6), nn.ReLU()), (2, 3, 6), 1),
        (nn.Sequential(nn.Conv2d(3, 6, 1), nn.ReLU()), (2, 3, 6, 6), 1),
        (nn.Sequential(nn.Conv3d(3, 6, 1), nn.ReLU()), (2, 3, 6, 6, 6), 1),
        (Rows(), (2, 6, 6, 6), -1),
        (Rows(), (2, 6, 6), -1),
    ],
    ids=["1", "2", "3", "rows of 4", "rows of 3"],
)
def test_parameters_lie_along_the_units(model: nn.Module, shape: tuple[int, ...], axis: int, shown: bool) -> None:
    x = torch.randn(shape)
    model = copy.deepcopy(model).eval()
    places = [name for name, m in model.named_modules() if isinstance(m, nn.ReLU)]
    before = nn.Sequential(*list(model.children())[:-1])(x)
    repro.replace(model, {"relu": ESP()}, example=x if shown else None)
    act = model.get_submodule(places[0])
    with torch.no_grad():
        act.function.beta.copy_(torch.arange(6.0))
    beta = torch.arange(6.0).view([6 if i == axis % len(shape) else 1 for i in range(len(shape))])
    torch.testing.assert_close(model(x), before * torch.sigmoid(beta * before))


def test_a_module_at_several_places_is_exchanged_at_each() -> None:
    def shared() -> nn.Sequential:
        act = nn.PReLU()
        return nn.Sequential(nn.Linear(8, 5), act, nn.Linear(5, 4), act)

    for example in (None, X):
        model = repro.replace(shared(), {"prelu": ESP()}, example=example)
        assert [model[i].units for i in (1, 3)] == [5, 4]
    ruled = repro.backward.linear(shared())
    assert ruled[1] is ruled[3]
    assert sum(p.numel() for p in ruled.parameters()) == sum(p.numel() for p in shared().parameters())
    x = X.clone().requires_grad_()
    ruled(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.ones(6, 4) @ ruled[2].weight @ ruled[0].weight)
    layer = nn.LSTM(5, 5)
    pair = repro.replace(nn.ModuleList([layer, layer]), {"tanh": nn.Hardtanh()})
    assert pair[0] is pair[1]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_it_goes_where_the_net_is_and_into_its_mode(dtype: torch.dtype) -> None:
    model = repro.replace(net(nn.Tanh(), nn.Tanh()).to(dtype).eval(), {"tanh": NoisyTanh()})
    assert {p.dtype for p in model.parameters()} == {dtype}
    assert torch.equal(model(X.to(dtype)), model(X.to(dtype)))
    assert not any(m.training for m in model.modules())
    meta = repro.replace(net(nn.Tanh(), nn.Tanh()).to("meta"), {"tanh": ESP()})
    assert {p.device.type for p in meta.parameters()} == {"meta"}


def test_nothing_changes_where_there_is_an_error() -> None:
    model = nn.ModuleDict({"act": nn.Tanh(), "layer": nn.LSTM(4, 5, proj_size=2)})
    with pytest.raises(UserError, match="proj_size"):
        repro.replace(model, {"tanh": nn.ReLU()})
    assert type(model["act"]) is nn.Tanh
    frozen = net(nn.ReLU(), nn.ReLU())
    frozen[2][1].eval()
    repro.replace(frozen, {"relu": ESP()}, example=X)
    assert [m.training for m in (frozen, frozen[2], frozen[2][1])] == [True, True, False]


def test_functions_that_make_one_and_ordinary_modules() -> None:
    model = repro.replace(net(nn.ReLU(), nn.Tanh()), {"relu": nn.SiLU, "tanh": nn.Sigmoid()})
    assert [type(m) for m in (model[1], model[2][2])] == [nn.SiLU, nn.Sigmoid]


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="the net has no tanh module; its activation modules: relu"):
        repro.replace(net(nn.ReLU(), nn.ReLU()), {"tanh": nn.ReLU()})
    for wrong in ("gelu", lambda: "gelu"):
        with pytest.raises(UserError, match=r"a module or a function that makes one, .* not str"):
            repro.replace(net(nn.ReLU(), nn.ReLU()), {"relu": wrong})  # type: ignore[dict-item]
    with pytest.raises(UserError, match="no activation module that could have a backward rule"):
        repro.backward.linear(nn.Linear(1, 1))
    with pytest.raises(
        UserError, match=r"no rule reaches the functions within 0 \(GRU\); first open it with repro.repl"
    ):
        repro.backward.linear(nn.Sequential(nn.GRU(2, 2), nn.Tanh()))
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


def test_functions_are_called_by_keyword_as_torch_s_are() -> None:
    class Keywords(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            for module in self:
                x = module(input=x)
            return x

    plain = Keywords(*net(nn.Tanh(), nn.ReLU()))
    ruled = repro.backward.linear(copy.deepcopy(plain))
    assert torch.equal(ruled(X), plain(X))
    noisy = repro.replace(plain, {"tanh": NoisyTanh()}).eval()
    assert noisy(X).shape == (6, 3)


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
    assert [type(m) for m in (model[1], model[2][2])] == [nn.Tanh, nn.Tanh]


def test_after_exact_the_net_is_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(8, 5), nn.PReLU(), nn.ReLU(inplace=True))
    before = copy.deepcopy(model.state_dict())
    ruled = repro.backward.linear(model)
    assert list(ruled.state_dict()) == ["0.weight", "0.bias", "1.function.weight"]
    assert not ruled[2].function.inplace
    repro.backward.exact(repro.backward.scaled(ruled, 0.5))
    model.load_state_dict(before)
    assert [type(m) for m in model] == [nn.Linear, nn.PReLU, nn.ReLU]
    assert model[2].inplace


def test_without_gradients_a_rule_computes_the_function_of_infinity_too() -> None:
    a = torch.tensor([-torch.inf, 0.0, torch.inf])
    gate = nn.Sequential(nn.Sigmoid())
    for rule in (repro.backward.linear, repro.backward.clipped):
        with torch.no_grad():
            assert torch.equal(rule(gate)(a), torch.tensor([0.0, 0.5, 1.0]))
    half = torch.full((1,), 6e4, dtype=torch.float16)
    with torch.no_grad():
        assert repro.backward.scaled(gate, 4.0)(half) == 1


@pytest.mark.parametrize("ruled", [False, True], ids=["bare", "ruled"])
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("kind", [nn.ReLU, nn.GELU])
def test_encoders_do_not_take_their_fast_path(kind: type[nn.Module], padded: bool, ruled: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, activation=kind(), batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 2)).eval()
    if ruled:
        repro.backward.linear(model)
    repro.replace(model, {kind.__name__.lower(): NoisyTanh(units=16)})
    x, mask = torch.randn(4, 5, 8), torch.arange(5).expand(4, 5) > 2 if padded else None
    wanted = model[0](x, src_key_padding_mask=mask)
    with torch.no_grad():
        torch.testing.assert_close(model[0](x, src_key_padding_mask=mask), wanted)


SEALED = {
    "RNN": lambda: nn.RNN(3, 3, nonlinearity="relu"),
    "RNNCell": lambda: nn.RNNCell(3, 3, nonlinearity="relu"),
    "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(4, 2),
    "TransformerDecoderLayer": lambda: nn.TransformerDecoderLayer(4, 2, activation=functional.relu),
}


@pytest.mark.parametrize("name", SEALED)
def test_functions_that_nothing_reaches_are_named(name: str) -> None:
    model = nn.Sequential(SEALED[name](), nn.ReLU(), nn.SiLU())
    with pytest.raises(UserError, match=rf"no rule reaches the functions within 0 \({name}\); "):
        repro.backward.linear(model)
    with pytest.raises(UserError, match=rf"replace cannot reach the functions within 0 \({name}\); "):
        repro.replace(model, {"relu": nn.Tanh})
    assert isinstance(model[1], nn.ReLU)
    repro.replace(repro.backward.exact(model), {"silu": nn.Tanh})
    for cell in (nn.LSTMCell(3, 3), nn.GRUCell(3, 3)):
        with pytest.raises(UserError, match=r"take an nn.LSTM or nn.GRU, or write the step with modules"):
            repro.backward.linear(nn.Sequential(cell, nn.ReLU()))


def test_a_transformer_layer_given_a_module_is_reached() -> None:
    model = nn.Sequential(nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0))
    model[0].activation = nn.ReLU()
    x = torch.randn(3, 2, 4)
    plain = model(x)
    assert torch.equal(repro.backward.linear(model)(x), plain)
    assert not torch.allclose(repro.replace(model, {"relu": nn.Tanh})(x), plain)


def test_mistakes_in_arguments_are_named() -> None:
    for wrong in (torch.tanh, functional.relu):
        with pytest.raises(UserError, match=rf"without being given anything, .*; {wrong.__name__} says: "):
            repro.replace(net(nn.Tanh(), nn.Tanh()), {"tanh": wrong})
    with pytest.raises(UserError, match=r"replace takes a torch.nn.Module, not str"):
        repro.replace("x", {"tanh": nn.ReLU})  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"replace takes a mapping, .*, not str"):
        repro.replace(net(nn.Tanh(), nn.Tanh()), "tanh")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"a backward rule takes a torch.nn.Module, not str"):
        repro.backward.linear("x")  # type: ignore[arg-type]
    for whole in (nn.Tanh(), nn.LSTM(2, 3)):
        with pytest.raises(UserError, match=rf"the net itself is .* \({type(whole).__name__}\); give it a module"):
            repro.replace(whole, {"tanh": nn.ReLU})
    with pytest.raises(UserError, match=r"the net itself is an activation .* \(Tanh\); give it a module"):
        repro.backward.linear(nn.Tanh())

    class Two(nn.ReLU):
        def forward(self, input: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
            return super().forward(input), input

    with pytest.raises(UserError, match="for a function that gives one tensor, not a tuple"):
        repro.backward.linear(nn.Sequential(nn.Linear(8, 3), Two()))(X)
