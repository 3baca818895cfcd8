"""What one step of a loop shows of a net that is watched."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from repro.watching import Watch

X = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
Numbers = dict[tuple[str, str], float]


def numbers(watch: Watch, *quantities: str) -> Numbers:
    """Of the last look, by layer and quantity."""
    table = watch.table
    rows = table[(table["step"] == table["step"].max()) & table["quantity"].isin(quantities)]
    return {
        (layer, quantity): value for layer, quantity, value in rows[["layer", "quantity", "value"]].itertuples(False)
    }


def looked(net: nn.Module, loop: Callable[[], Any], *quantities: str, **options: Any) -> Numbers:
    """What one step of a loop shows of a net."""
    with Watch(net, bins=0, **options) as watch:
        loop()
        watch.step()
    return numbers(watch, *quantities)


def mlp(out: int = 2) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, out))


def trained(net: nn.Module, lr: float = 0.1) -> tuple[list[Tensor], Watch]:
    optimizer = torch.optim.SGD(net.parameters(), lr)
    with Watch(net, every=1) as watch:
        for _ in range(2):
            optimizer.zero_grad()
            loss = net(X).square().mean()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    return list(net.parameters()), watch
