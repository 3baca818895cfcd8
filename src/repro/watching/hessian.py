"""The spectrum of the Hessian of anybody's net and loss."""

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from repro.datasets.protocol import Batch
from repro.diagnostics.objective import Objective
from repro.diagnostics.spectrum import TOLERANCES, Exact, Lanczos, Method, Quadrature
from repro.errors import UserError, pair, unknown
from repro.tasks import Task

METHODS: dict[str, Callable[[], Method]] = {
    "exact": lambda: Exact(TOLERANCES, None, False),
    "lanczos": lambda: Lanczos(10),
    "slq": lambda: Quadrature(10, 100, (1e-4,)),
}


class _Loss(Task):
    """Somebody's loss, as a task."""

    def __init__(self, loss_fn: Callable[[Any, Any], Tensor]) -> None:
        self.loss_fn = copy.deepcopy(loss_fn).double() if isinstance(loss_fn, nn.Module) else loss_fn

    def measure(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The loss, a mean over the batch."""
        loss = self.loss_fn(output, target)
        if not isinstance(loss, Tensor) or loss.dim():
            got = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            raise UserError(f"loss_fn must give a batch's mean loss, a tensor of one number without a shape, not {got}")
        return {"loss": loss}


class _Unpacked(nn.Module):
    """A net of several inputs, as one of a tuple."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, inputs: tuple[Any, ...]) -> Any:
        return self.net(*inputs)


def hessian(
    model: nn.Module,
    loss_fn: Callable[[Any, Any], Tensor],
    data: Sequence[Any] | Iterable[Sequence[Any]],
    method: str = "exact",
    seed: int = 0,
) -> pd.DataFrame:
    """What there is to say of the Hessian of the mean loss over all data, in double precision.

    The net is copied, taken in evaluation mode and differentiated exactly, whatever its backward rule.

    Args:
        model: a net without a state, whose activations have derivatives; inputs that are a tuple are unpacked for it.
        loss_fn: from outputs and targets to the mean loss of a batch.
        data: one batch (inputs, targets), or several, a `DataLoader` for example.
        method: exact (all eigenvalues, to some thousand parameters), lanczos (ten at each end) or slq (the density,
            with standard errors).
        seed: of random probes.

    Returns:
        A row a number: quantity, index (of an eigenvalue, smallest first), value, error (docs/quantities.md).

    Raises:
        UserError: an unknown method, no data or no pairs, a loss that is no single number, or a net whose
            Hessian cannot be had this way.
    """
    if method not in METHODS:
        raise unknown("method of a Hessian", method, METHODS)
    whole = isinstance(data, tuple | Tensor) or (isinstance(data, list) and isinstance(next(iter(data), None), Tensor))
    batches = [Batch(*pair("a batch of data", one)) for one in ([data] if whole else list(data))]
    if not batches:
        raise UserError("there are no data whose loss could be looked at")
    net = copy.deepcopy(model)
    if isinstance(net, nn.DataParallel | nn.parallel.DistributedDataParallel):
        net = net.module
    for part in net.modules():
        if getattr(part, "inplace", False):
            setattr(part, "inplace", False)  # noqa: B010  # what is transformed must not be overwritten
    if isinstance(batches[0].x, tuple):
        net = _Unpacked(net)
    objective = Objective(net, _Loss(loss_fn), batches)
    chosen = METHODS[method]()
    chosen.check(objective)
    with sdpa_kernel(SDPBackend.MATH):  # the other kernels of attention have no second derivatives
        found = [tuple(one) for one in chosen.measure(objective, seed, True)]
    return pd.DataFrame(found, columns=["quantity", "index", "value", "error"]).astype({"index": "Int64"})
