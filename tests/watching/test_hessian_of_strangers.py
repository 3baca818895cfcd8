"""`repro.hessian` of nets that repro did not build."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import remove_parametrizations
from torch.utils.data import DataLoader, TensorDataset

import repro
from repro.errors import UserError

RNG = torch.Generator().manual_seed(0)
X, Y = torch.randn(24, 3, generator=RNG), torch.randint(2, (24,), generator=RNG)


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ELU(inplace=True), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))


def eigenvalues(model: nn.Module) -> np.ndarray:
    """Of the loss's second derivative by autograd, entry by entry."""
    model = model.double().eval()
    names, values = zip(*model.named_parameters(), strict=True)
    theta = torch.cat([v.detach().flatten() for v in values])

    def loss(flat: torch.Tensor) -> torch.Tensor:
        parts = torch.split(flat, [v.numel() for v in values])
        own = {n: p.view(v.shape) for n, p, v in zip(names, parts, values, strict=True)}
        return functional.cross_entropy(functional_call(model, own, (X.double(),)), Y)

    for part in model.modules():
        part.inplace = False
    return np.linalg.eigvalsh(torch.autograd.functional.hessian(loss, theta).numpy())


def test_eigenvalues_are_those_of_autograd() -> None:
    model = net()
    before = [p.clone() for p in model.parameters()]
    found = repro.hessian(model, functional.cross_entropy, (X, Y))
    own = found.loc[found["quantity"] == "eigenvalue"].sort_values("index")["value"].to_numpy(float)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert model.training
    np.testing.assert_allclose(own, eigenvalues(model), rtol=1e-9, atol=1e-12)
    loader = DataLoader(TensorDataset(X, Y), batch_size=8)
    by_batches = repro.hessian(net(), functional.cross_entropy, loader)
    again = by_batches.loc[by_batches["quantity"] == "eigenvalue"].sort_values("index")["value"].to_numpy(float)
    np.testing.assert_allclose(again, own, rtol=1e-9, atol=1e-12)


class TiedAutoencoder(nn.Module):
    """Its decoder is the encoder's weight, which no call of a layer shows."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.other = nn.Linear(3, 2), nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(torch.tanh(self.other(torch.tanh(self.encoder(x)))), self.encoder.weight.t())[:, :2]


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.two(torch.tanh(self.one(x))) * self.one.weight.norm()


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.TransformerEncoderLayer(4, 2, 4, dropout=0, batch_first=True)
        self.into, self.head = nn.Linear(1, 4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.into(x[:, :, None])).mean(1))


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.LSTM(1, 3, batch_first=True), nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x[:, :, None])[0][:, -1])


STRANGE = {
    "tied": TiedAutoencoder,
    "a weight used beside its layer": Scaled,
    "samples meet": lambda: nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.Tanh(), nn.Linear(4, 2)
    ),
    "attention": Attention,
    "recurrent": Cell,
}


@pytest.mark.parametrize("build", STRANGE.values(), ids=STRANGE)
def test_what_blocks_of_layers_cannot_see(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model = build()
    found = repro.hessian(model, functional.cross_entropy, (X, Y))
    own = found.loc[found["quantity"] == "eigenvalue"].sort_values("index")["value"].to_numpy(float)
    with sdpa_kernel(SDPBackend.MATH):
        np.testing.assert_allclose(own, eigenvalues(model), rtol=1e-7, atol=1e-10)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("method", ["exact", "lanczos", "slq"])
def test_second_derivatives_that_are_wrong_are_refused(method: str) -> None:
    model = nn.Sequential(weight_norm(nn.Linear(3, 12)), nn.Tanh(), nn.Linear(12, 2))
    with pytest.raises(UserError, match=r"depend on the order in which they are taken, as torch's of weight norm do"):
        repro.hessian(model, functional.cross_entropy, (X, Y), method)
    remove_parametrizations(model[0], "weight")
    repro.hessian(model, functional.cross_entropy, (X, Y), method)


def test_layers_called_by_keyword() -> None:
    class Keywords(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for module in self:
                x = module(input=x)
            return x

    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    one, two = (repro.hessian(net, functional.cross_entropy, (X, Y))["value"] for net in (model, Keywords(*model)))
    np.testing.assert_array_equal(one.to_numpy(float), two.to_numpy(float))


def test_data_and_losses_as_people_have_them() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net()

        def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
            return self.net(torch.cat([left, right], 1))

    weighted = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 1.0]))
    wanted = repro.hessian(net(), functional.cross_entropy, (X, Y))["value"]
    torch.manual_seed(0)
    for model, data in ((net(), [X, Y]), (nn.DataParallel(net()), (X, Y)), (Two(), ((X[:, :1], X[:, 1:]), Y))):
        found = repro.hessian(model, weighted, data)["value"]
        np.testing.assert_allclose(found.to_numpy(float), wanted.to_numpy(float), rtol=1e-7, atol=1e-10)
    assert weighted.weight.dtype == torch.float32


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="unknown method of a Hessian 'power'; known: exact, lanczos, slq"):
        repro.hessian(net(), functional.cross_entropy, (X, Y), method="power")
    with pytest.raises(UserError, match="there are no data"):
        repro.hessian(net(), functional.cross_entropy, [])
    for data in (X, X[0, 0], [X, Y, X], DataLoader(X)):
        with pytest.raises(UserError, match="a batch of data must be a pair"):
            repro.hessian(net(), functional.cross_entropy, data)
    for method in ("exact", "lanczos", "slq"):
        with pytest.raises(UserError, match=r"loss_fn must give .*, not a tensor of shape \(24, 2\)"):
            repro.hessian(net(), lambda out, _: out, (X, Y), method)
    with pytest.raises(UserError, match=r"loss_fn must give .*, not float"):
        repro.hessian(net(), lambda *_: 1.0, (X, Y))


def test_arguments_of_other_kinds_are_named() -> None:
    loss, weight = functional.cross_entropy, torch.tensor([1.0, 3.0])
    for told, arguments in {
        "hessian takes a torch.nn.Module, not str": ("x", loss, (X, Y)),
        "no parameters": (nn.Tanh(), loss, (X, Y)),
        "loss_fn must be a function, .*, not 'mse'": (net(), "mse", (X, Y)),
        "unknown method of a Hessian 'None'": (net(), loss, (X, Y), None),
        "data must be batches, .*, not int": (net(), loss, 3),
        "data must be batches, .*, not a Dataset of single samples": (net(), loss, TensorDataset(X, Y)),
        "must hold tensors of samples, .*, not NoneType": (net(), loss, (X, None)),
        "must hold tensors of samples, .*, not str": (net(), loss, ({"x": X, "name": "a"}, Y)),
        "must hold tensors of samples, .*, not a tensor of one": (net(), loss, list(TensorDataset(X, Y))),
        "all is computed in float64": (net(), lambda out, y: loss(out, y, weight=weight), (X, Y)),
    }.items():
        with pytest.raises(UserError, match=told):
            repro.hessian(*arguments)  # type: ignore[arg-type]
    repro.hessian(net(), lambda out, y: loss(out, y, weight=weight.to(out)), (X, Y))
