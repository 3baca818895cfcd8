"""What one step of somebody's training loop shows of every layer.

Numbers are taken at once, as tensors without a graph on the device where they were computed: no activations are kept,
and a GPU is not waited for before the step is over.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor, nn

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
from repro.watching.parts import RECURRENT, Part, samples_first, saturated, units_last

BINNED = 10_000  # activations of a histogram, about: more take time and look the same
MODEL = "model"


@dataclass
class Seen:
    """The quantities of `layers.csv` by part, one number for every call; parts in the order of their first calls.

    Attributes:
        bins: of the histograms; 0 = none.
    """

    bins: int = 0
    values: dict[tuple[str, tuple[str, ...]], list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    depths: dict[str, int] = field(default_factory=dict)
    last: nn.Module | None = None  # the layer with weights that was called last

    def enters(self, part: Part, a: Tensor) -> None:
        """A pre-activation on its way into an activation."""
        self.place(part)
        if a.numel() and (flat := saturated(part.module, a.detach())) is not None:
            self._note(part, "saturated_share", flat.double().mean())

    def leaves(self, part: Part, out: Tensor) -> None:
        """What a part puts out, any shape."""
        self.place(part)
        self.last = self.last if part.acts else part.module
        if not out.numel():  # no sample came this way
            return
        units = units_last(self.last, out.detach()).double()  # once for all that need it
        self._note(part, "activation_mean", activation_mean(units[None]))
        self._note(part, "activation_std", activation_std(units[None]))
        self._note(part, "unit_spread", unit_spread(units[None]))
        if part.acts:
            self._note(part, "dead_share", dead_share(units[None]))
        if self.bins and not part.feeds_activation:
            low, high, shares = histogram(_some(units)[None], self.bins)
            self._note(part, histogram_names(self.bins), torch.cat([low[:, None], high[:, None], shares], 1))

    def flows(self, part: Part, gradient: Tensor) -> None:
        """The gradient of the loss with respect to a pre-activation: into an activation, or out of a layer."""
        if not gradient.numel():
            return
        samples = samples_first(part.module, gradient.detach())[None]
        samples = samples if samples.dim() > 2 else samples[..., None]
        self._note(part, "gradient_norm", gradient_norm(samples))
        if isinstance(part.module, RECURRENT) and samples.dim() == 4:
            in_time = gradient_through_time(samples)
            self._note(part, tuple(f"gradient_through_time_{t:02d}" for t in range(in_time.shape[1])), in_time)

    def arrives(self, part: Part) -> None:
        """The weights of a part and their gradients before an update; several weights count as one long one."""
        self.place(part)
        self._note(part, "weight_norm", weight_norm(_joined(part.weights)))
        gradients = [w.grad.to_dense() if w.grad.is_sparse else w.grad for w in part.weights if w.grad is not None]
        if gradients:
            self._note(part, "weight_gradient_norm", weight_gradient_norm(_joined(gradients)))

    def moves(self, part: Part, before: list[Tensor]) -> None:
        """The weights of a part after the update, with what they were before it."""
        self._note(part, "update_ratio", update_ratio(_joined(before), _joined(part.weights)))

    def updated(self, part: Part) -> bool:
        """Whether an update of its weights was seen."""
        return (part.name, ("weight_norm",)) in self.values

    def rows(self) -> Iterator[tuple[str, int, str, float]]:
        """Layer, depth, quantity, and the mean over the calls, read from the device here; by depth, the model last."""
        means: dict[str, dict[str, float]] = defaultdict(dict)
        for (layer, names), calls in self.values.items():
            mean = calls[0] if len(calls) == 1 else torch.stack(calls).mean(0)
            means[layer].update(zip(names, mean.tolist(), strict=True))
        for layer, depth in sorted(self.depths.items(), key=lambda item: item[1]):
            yield from ((layer, depth, quantity, value) for quantity, value in means[layer].items())
        weighted = [own for part in self.depths if "weight_norm" in (own := means[part]) and "gradient_norm" in own]
        norms = [own["gradient_norm"] for own in weighted]
        if len(norms) > 2:  # hidden layers: the last layer is the net's answer
            yield MODEL, 0, "vanishing_ratio", norms[0] / norms[-2] if norms[-2] else float("nan")

    def place(self, part: Part) -> None:
        """Depth 1 is what is called first; an activation stands at the depth of the layer that is called before it."""
        if part.name not in self.depths:
            last = max(self.depths.values(), default=0)
            self.depths[part.name] = max(last, 1) if part.acts else last + 1

    def _note(self, part: Part, names: str | tuple[str, ...], values: Tensor) -> None:
        """Of one call; as many values as names."""
        key = (names,) if isinstance(names, str) else names
        self.values[part.name, key].append(values.detach().reshape(len(key)))


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
