"""What `repro.watch` says of nets and loops that are not the usual ones, and that it leaves them alone."""

import pytest
import torch
from torch import nn

from repro.errors import UserError
from repro.watching import Watch

X = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))


def test_a_loss_is_one_number() -> None:
    net = nn.Linear(5, 2)
    with pytest.raises(UserError, match=r"loss_fn must give a batch's mean loss.*not a tensor of shape \(6, 2\)"):
        Watch(net, nn.MSELoss(reduction="none"), probe=(X, torch.zeros(6, 2)))
    for loss, says in ((torch.ones(3), r"a tensor of shape \(3,\)"), ({"loss": 1}, "dict"), ("low", "str")):
        with Watch(net) as watch, pytest.raises(UserError, match=f"the batch's loss as one number, not {says}"):
            watch.step(loss)  # type: ignore[arg-type]
