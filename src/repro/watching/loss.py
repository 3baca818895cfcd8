"""What somebody's loss is to be."""

from typing import Any

from torch import Tensor

from repro.errors import UserError


def check_mean(loss: Any) -> None:
    """Make sure that a loss function gives one number a batch.

    Raises:
        UserError: it gives something else, such as one for every sample.
    """
    if not isinstance(loss, Tensor) or loss.dim():
        raise UserError(
            f"loss_fn must give a batch's mean loss, a tensor of one number without a shape, not {_said(loss)}"
        )


def one_number(loss: Any) -> float:
    """A batch's loss, a number or a tensor of one.

    Raises:
        UserError: it is something else.
    """
    try:
        if not isinstance(loss, Tensor) or loss.numel() == 1:
            return float(loss.item() if isinstance(loss, Tensor) else loss)
    except (TypeError, ValueError):
        pass
    raise UserError(f"step takes the batch's loss as one number, not {_said(loss)}")


def _said(loss: Any) -> str:
    return f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
