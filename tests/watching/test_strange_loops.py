"""What `repro.watch` says of nets and loops that are not the usual ones, and that it leaves them alone."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from repro.errors import UserError
from repro.watching import Watch

X = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))


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


def test_a_loss_is_one_number() -> None:
    net = nn.Linear(5, 2)
    with pytest.raises(UserError, match=r"loss_fn must give a batch's mean loss.*not a tensor of shape \(6, 2\)"):
        Watch(net, nn.MSELoss(reduction="none"), probe=(X, torch.zeros(6, 2)))
    for loss, says in ((torch.ones(3), r"a tensor of shape \(3,\)"), ({"loss": 1}, "dict"), ("low", "str")):
        with Watch(net) as watch, pytest.raises(UserError, match=f"the batch's loss as one number, not {says}"):
            watch.step(loss)  # type: ignore[arg-type]
