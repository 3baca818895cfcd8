"""`repro.hessian` of nets that repro did not build."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional
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


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="unknown method of a Hessian 'power'; known: exact, lanczos, slq"):
        repro.hessian(net(), functional.cross_entropy, (X, Y), method="power")
    with pytest.raises(UserError, match="there are no data"):
        repro.hessian(net(), functional.cross_entropy, [])
