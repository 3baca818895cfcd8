"""The spectrum of the Hessian of anybody's net and loss."""

import copy
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import Dataset, IterableDataset

from repro.datasets.protocol import Batch
from repro.diagnostics.objective import Objective
from repro.diagnostics.spectrum import TOLERANCES, Exact, Lanczos, Method, Quadrature
from repro.errors import UserError, pair, unknown
from repro.model.trees import leaves
from repro.tasks import Task
from repro.watching.loss import check_mean

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
        check_mean(loss)
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

    The net is copied, taken in evaluation mode and differentiated exactly, whatever its backward rule. Activations of
    the copy do not work in place: what they give has to be used.

    Args:
        model: a net without a state, whose activations have derivatives; inputs that are a tuple are unpacked for it.
        loss_fn: from outputs and targets to the mean loss of a batch; outputs and targets that are numbers are float64,
            and what it brings along has to be, too: `weight=w.to(outputs)`.
        data: one batch (inputs, targets), or several, a `DataLoader` for example; tensors of samples, alone or in
            tuples, lists and dicts.
        method: exact (all eigenvalues, to some thousand parameters), lanczos (ten at each end) or slq (the density,
            with standard errors).
        seed: of random probes.

    Returns:
        A row a number: quantity, index (of an eigenvalue, smallest first), value, error (docs/quantities.md); NaN of a
        diverged net.

    Raises:
        UserError: an argument of another kind, an unknown method, no data or no pairs of tensors, a loss that is no
            single number, or a net whose Hessian cannot be had this way.
    """
    if not isinstance(model, nn.Module):
        raise UserError(f"hessian takes a torch.nn.Module, not {type(model).__name__}")
    if not any(p.numel() for p in model.parameters()):
        raise UserError("the net has no parameters that a loss could be differentiated by")
    if not callable(loss_fn):
        raise UserError(f"loss_fn must be a function, e.g. torch.nn.functional.mse_loss, not {loss_fn!r}")
    if not isinstance(method, str) or method not in METHODS:
        raise unknown("method of a Hessian", str(method), METHODS)
    kind = type(data)
    single = issubclass(kind, Dataset) and not issubclass(kind, IterableDataset)
    if single or not issubclass(kind, Iterable):
        what = "a Dataset of single samples" if single else kind.__name__
        raise UserError(f"data must be batches, e.g. (inputs, targets) or torch.utils.data.DataLoader(...), not {what}")
    whole = isinstance(data, tuple | Tensor) or (isinstance(data, list) and isinstance(next(iter(data), None), Tensor))
    batches = [Batch(*pair("a batch of data", one)) for one in ([data] if whole else list(data))]
    if not batches:
        raise UserError("there are no data whose loss could be looked at")
    for value in (value for batch in batches for tree in (batch.x, batch.y) for value in leaves(tree) or [tree]):
        if not isinstance(value, Tensor) or not value.dim():
            got = "a tensor of one number" if isinstance(value, Tensor) else type(value).__name__
            raise UserError(
                f"a batch of data must hold tensors of samples, alone or in tuples, lists and dicts, not {got}"
            )
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
    try:
        with sdpa_kernel(SDPBackend.MATH):  # the other kernels of attention have no second derivatives
            found = [tuple(one) for one in chosen.measure(objective, seed, True)]
    except RuntimeError as error:
        if not {"double", "float"} <= set(re.findall(r"\w+", str(error).lower())):
            raise
        raise UserError(
            "all is computed in float64, so what the net or loss_fn make or bring along must be too, e.g. "
            f"weight=w.to(outputs); torch says: {str(error).partition(chr(10))[0]}"
        ) from error
    return pd.DataFrame(found, columns=["quantity", "index", "value", "error"]).astype({"index": "Int64"})
