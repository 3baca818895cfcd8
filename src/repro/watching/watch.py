"""Anybody's net in anybody's training loop, looked at now and then: `repro.watch`."""

from collections.abc import Callable
from contextlib import nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

from repro.errors import UserError, pair, whole
from repro.model.architectures.recurrence import unfused
from repro.watching.hooks import Hooks, undisturbed
from repro.watching.loss import check_mean, one_number
from repro.watching.parts import Part, is_compiled, parts_of
from repro.watching.seen import Seen

if TYPE_CHECKING:
    import pandas as pd

    from repro.plots.picture import Picture

EARLY = (1, 3, 10, 30)  # a net that fails mostly fails at once


class Watch:
    """What `repro.watch` gives; a context manager as well.

    Args:
        model: any module. It is looked at while it is in training mode and gradients are on, never changed.
        loss_fn: from the net's output and the probe's targets to a loss; needed with `probe` only.
        every: optimizer steps between two looks, 1 or more; there are early ones after 1, 3, 10 and 30 steps as well.
        probe: a batch (inputs, targets) to look at instead of the batches that are trained on. It costs a pass of its
            own, shows the same samples each time, and is what a compiled net needs for more than its weights, and a
            recurrent layer that was given other activations for what its gates do.
        bins: of every layer's histogram, of about 10,000 of its activations; 0 = none.

    Gradients are those of the loss that is differentiated: a loss that was scaled, by a `GradScaler` or as one of
    several that are accumulated, scales `gradient_norm` with it, and leaves every ratio as it is. Several passes back
    through one forward count as one of the summed loss; one with `create_graph=True` counts in none.

    Raises:
        UserError: an argument is out of range, the net has no layer that could be looked at, or the probe's loss is no
            single number.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Callable[[Any, Any], Tensor] | None = None,
        every: int = 200,
        probe: tuple[Any, Any] | None = None,
        bins: int = 20,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise UserError(f"watch takes a torch.nn.Module, not {type(model).__name__}")
        if (probe is None) != (loss_fn is None):
            raise UserError("loss_fn and probe=(inputs, targets) go together: a loss of the probe's batch is measured")
        self.every, self.bins = whole("every", every, 1), whole("bins", bins, 0)
        self.probe = None if probe is None else pair("probe", probe)
        if not parts_of(model):
            raise UserError("the net has no linear, convolutional, recurrent, attention or activation module to watch")
        self.model, self.loss_fn = model, loss_fn
        self.steps = 0
        self.closed = False
        self._hooks = Hooks(model)
        self._parts: list[Part] = []
        self._seen: Seen | None = None
        self._rows: list[tuple[int, str, int, str, float]] = []
        self._losses: list[tuple[int, float]] = []
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def step(self, loss: Tensor | float | None = None) -> None:
        """One step of training is over: gradients were computed and the optimizer has moved the weights.

        Args:
            loss: of the batch, if it is to be kept; read at the steps looked at only, so that no GPU is waited for.

        Raises:
            UserError: the watch was closed, or the loss is no single number.
        """
        if self.closed:
            raise UserError("this watch is closed; call step() inside its with block, or make another")
        if self._seen is not None:
            if loss is not None:
                self._losses.append((self.steps, one_number(loss)))
            self._end(self._seen)
        self.steps += 1
        self._begin()

    def close(self) -> None:
        """Take down all hooks. What was measured stays."""
        self._hooks.take_down()
        self._seen = None
        self.closed = True

    @property
    def table(self) -> "pd.DataFrame":
        """A row a number: step, layer, depth, quantity, value, as in a run's `layers.csv` (docs/quantities.md)."""
        import pandas as pd

        return pd.DataFrame(self._rows, columns=["step", "layer", "depth", "quantity", "value"]).astype(
            {"value": float}
        )

    @property
    def losses(self) -> "pd.DataFrame":
        """The losses that `step` was told at the steps looked at: step, value."""
        import pandas as pd

        return pd.DataFrame(self._losses, columns=["step", "value"]).astype({"value": float})

    def report(self) -> str:
        """What is found at the last look, in plain words, each with its rule and the experiment that shows it."""
        from repro.text.diagnosis import report

        said = report(self.table, self.losses)
        why = ""
        if self.probe is None and is_compiled(self.model):
            why = "The net is compiled"
        elif self._rows and not any(row[0] == self._rows[-1][0] and row[3] == "activation_mean" for row in self._rows):
            why = "No call of the net itself, in training mode and with gradients, was seen"
        if not why:
            return said
        return f"{said}\n{why}: only weights, their gradients and updates are seen; give probe=(inputs, targets)."

    def overview(self) -> "Picture":
        """Losses, activations and gradients by layer in one figure; `save(path)` writes it, a notebook shows it.

        Raises:
            UserError: nothing was measured yet.
        """
        from repro.plots.overview import watched

        return watched(self.table, self.losses)

    def to_tensorboard(self, writer: Any) -> None:
        """Every number but the histograms' as a scalar `layer/quantity`.

        Args:
            writer: a `torch.utils.tensorboard.SummaryWriter`, or anything with its `add_scalar(tag, value, step)`.
        """
        for step, layer, _, quantity, value in self._rows:
            if not quantity.startswith("histogram_"):
                writer.add_scalar(f"{layer}/{quantity}", value, step)

    def _due(self) -> bool:
        return self.steps % self.every == 0 or (self.steps in EARLY and self.steps < self.every)

    def _begin(self) -> None:
        """Before a step that is to be looked at, hang the hooks up."""
        if not self._due():
            return
        seen = self._seen = Seen(self.bins)
        self._parts = parts_of(self.model)
        if self.probe is not None:
            self._pass(seen)
        elif not is_compiled(self.model):
            self._hooks.hang(self._parts, seen)
        self._hooks.hang_on_optimizers(self._parts, seen)

    def _pass(self, seen: Seen) -> None:
        """The probe's batch through the net as it is, with gradients that nobody else sees."""
        assert self.probe is not None
        assert self.loss_fn is not None
        x, y = self.probe
        eager = torch.compiler.set_stance("force_eager") if is_compiled(self.model) else nullcontext()
        self._hooks.hang(self._parts, seen, in_evaluation=True)
        try:
            with unfused(self.model), undisturbed(self.model), torch.enable_grad(), eager:
                loss = self.loss_fn(self.model(*x) if isinstance(x, tuple) else self.model(x), y)
                check_mean(loss)
                trained = [p for p in self.model.parameters() if p.requires_grad]
                if trained and loss.requires_grad:
                    torch.autograd.grad(loss, trained, allow_unused=True)
        finally:
            self._hooks.take_down()

    def _end(self, seen: Seen) -> None:
        self._hooks.take_down()
        for part in self._parts:
            if part.weights and not seen.updated(part):  # by an optimizer that is none of torch's, or by none
                seen.stands(part, part.matrices())
                seen.pulls(part)
        self._rows += [(self.steps, *row) for row in seen.rows()]
        self._seen = None
