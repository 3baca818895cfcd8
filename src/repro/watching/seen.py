"""What one step of somebody's training loop shows of every layer.

Numbers are taken at once, as tensors without a graph on the device where they were computed: no activations are kept,
and a GPU is not waited for before the step is over.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from repro.diagnostics.quantities import (
    activation_mean,
    activation_std,
    dead_share,
    gradient_norm,
    gradient_through_time,
    histogram,
    unit_spread,
    update_ratio,
    weight_gradient_norm,
    weight_norm,
)
from repro.watching.parts import RECURRENT, SEQUENTIAL, Part, saturated, units_last

BINNED = 10_000  # activations of a histogram, about: more take time and look the same
MODEL = "model"


@dataclass
class Seen:
    """The quantities of `layers.csv` by part, one number for every call; parts in the order of their first calls.

    Attributes:
        bins: of the histograms; 0 = none.
    """

    bins: int = 0
    values: dict[tuple[str, tuple[str, ...]], dict[Any, Tensor]] = field(default_factory=lambda: defaultdict(dict))
    depths: dict[str, int] = field(default_factory=dict)
    last: nn.Module | None = None  # the layer with weights that was called last
    timed: tuple[int, ...] | None = None  # steps and samples of the last sequence, where time is the first axis

    def place(self, part: Part) -> None:
        """Depth 1 is what is called first; an activation stands at the depth of the layer that is called before it."""
        if part.name not in self.depths:
            last = max(self.depths.values(), default=0)
            self.depths[part.name] = max(last, 1) if part.acts else last + 1

    def enters(self, part: Part, a: Tensor) -> None:
        """A pre-activation on its way into an activation."""
        if a.numel() and (flat := saturated(part.module, a.detach())) is not None:
            self._note(part, "saturated_share", flat.double().mean())

    def leaves(self, part: Part, out: Tensor, packed: PackedSequence | None = None) -> None:
        """What a part puts out, any shape; the entries of a packed sequence."""
        if not part.acts:
            self.last = part.module
        if isinstance(part.module, SEQUENTIAL):
            shape = out.shape[:2] if packed is None else (len(packed.batch_sizes), int(packed.batch_sizes[0]))
            self.timed = None if part.module.batch_first else tuple(shape)
        if not out.numel():  # no sample came this way
            return
        units = units_last(self.last, out.detach()).double()  # once for all that need it
        self._note(part, "activation_mean", activation_mean(units[None]))
        self._note(part, "activation_std", activation_std(units[None]))
        if units.shape[1] > 1:
            self._note(part, "unit_spread", unit_spread(units[None]))
        if part.acts:
            self._note(part, "dead_share", dead_share(units[None]))
        if self.bins and not part.feeds_activation:
            low, high, shares = histogram(_some(units)[None], self.bins)
            self._note(part, histogram_names(self.bins), torch.cat([low[:, None], high[:, None], shares], 1))

    def samples_first(
        self, part: Part, shape: Sequence[int], packed: PackedSequence | None = None
    ) -> Callable[[Tensor], Tensor]:
        """How to turn a gradient of that shape to (samples, ...); packed ones are padded with zeros.

        The first axis counts as samples. Where a recurrent or attention layer has time there, it is the second, and so
        it is in what comes behind with the same two axes in front.
        """
        if packed is not None:
            return lambda gradient: pad_packed_sequence(_with(packed, gradient), batch_first=True)[0]
        if isinstance(part.module, SEQUENTIAL) and len(shape) == 2:  # one sample alone
            return lambda gradient: gradient[None]
        if len(shape) == 3 and tuple(shape[:2]) == self.timed:
            return lambda gradient: gradient.transpose(0, 1)
        return lambda gradient: gradient

    def flows(self, part: Part, gradient: Tensor, call: str) -> None:
        """The gradient of the loss with respect to a pre-activation: into an activation, or out of a layer.

        Args:
            gradient: (samples, ...).
            call: its name; of several gradients of one call the last counts.
        """
        if not gradient.numel():
            return
        samples = gradient.detach()[None]
        samples = samples if samples.dim() > 2 else samples[..., None]
        self._note(part, "gradient_norm", gradient_norm(samples), call)
        if isinstance(part.module, RECURRENT) and samples.dim() == 4:
            for t, norm in enumerate(gradient_through_time(samples)[0]):  # of which other calls may have fewer
                self._note(part, f"gradient_through_time_{t:02d}", norm, call)

    def stands(self, part: Part, weights: Sequence[Tensor]) -> None:
        """The weights of a part before an update; several count as one long one."""
        self.place(part)
        self._note(part, "weight_norm", weight_norm(_joined(weights)))

    def pulls(self, part: Part) -> None:
        """The gradients that an update goes by, where there are any."""
        gradients = [w.grad.to_dense() if w.grad.is_sparse else w.grad for w in part.weights if w.grad is not None]
        if gradients:
            self._note(part, "weight_gradient_norm", weight_gradient_norm(_joined(gradients)))

    def moves(self, part: Part, before: Sequence[Tensor], after: Sequence[Tensor]) -> None:
        """The weights of a part before and after an update."""
        self._note(part, "update_ratio", update_ratio(_joined(before), _joined(after)))

    def updated(self, part: Part) -> bool:
        """Whether an update of its weights was seen."""
        return (part.name, ("weight_norm",)) in self.values

    def rows(self) -> Iterator[tuple[str, int, str, float]]:
        """Layer, depth, quantity, and the mean over the calls, read from the device here; by depth, the model last."""
        means: dict[str, dict[str, float]] = {part: {} for part in self.depths}
        for (layer, names), values in self.values.items():
            calls = list(values.values())
            mean = calls[0] if len(calls) == 1 else torch.stack(calls).mean(0)
            means[layer].update(zip(names, mean.tolist(), strict=True))
        for layer, depth in sorted(self.depths.items(), key=lambda item: item[1]):
            yield from ((layer, depth, quantity, value) for quantity, value in means[layer].items())
        weighted = [own for own in means.values() if "weight_norm" in own and "gradient_norm" in own]
        norms = [own["gradient_norm"] for own in weighted]
        if len(norms) > 2:  # hidden layers: the last layer is the net's answer
            yield MODEL, 0, "vanishing_ratio", norms[0] / norms[-2] if norms[-2] else float("nan")

    def _note(self, part: Part, names: str | tuple[str, ...], values: Tensor, call: str | None = None) -> None:
        """As many values as names, of one call: of the one that is named, or of another."""
        key = (names,) if isinstance(names, str) else names
        known = self.values[part.name, key]
        known[len(known) if call is None else call] = values.detach().reshape(len(key))


@cache
def histogram_names(bins: int) -> tuple[str, ...]:
    """As in `layers.csv`."""
    return ("histogram_low", "histogram_high", *(f"histogram_share_{i:02d}" for i in range(bins)))


def _some(units: Tensor) -> Tensor:
    """About `BINNED` of the entries of (samples, units): those of whole samples, so that no unit is left out."""
    rows = units[:: min(len(units), 1 + units.numel() // BINNED)].flatten()
    return rows[:: 1 + len(rows) // (2 * BINNED)]


def _joined(values: Sequence[Tensor]) -> Tensor:
    """(1, entries)."""
    flat = [value.detach().flatten() for value in values]
    return (flat[0] if len(flat) == 1 else torch.cat(flat))[None]


def _with(packed: PackedSequence, data: Tensor) -> PackedSequence:
    """The same sequences with other entries."""
    return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
