"""What one step of somebody's training loop shows of every layer.

Numbers are taken at once, as tensors without a graph on the device where they were computed: no activations are kept,
and a GPU is not waited for before the step is over.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from repro.diagnostics.quantities import REGISTRY, gradient_norm, update_ratio, weight_gradient_norm, weight_norm
from repro.watching.parts import RECURRENT, Part, samples_first, saturated, units_last

OF_OUTPUTS = ("activation_mean", "activation_std", "unit_spread")
MODEL = "model"


@dataclass
class Seen:
    """The quantities of `layers.csv` by part, one number for every call; parts in the order of their first calls.

    Attributes:
        bins: of the histograms; 0 = none.
    """

    bins: int = 0
    values: dict[tuple[str, str], list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    depths: dict[str, int] = field(default_factory=dict)

    def enters(self, part: Part, a: Tensor) -> None:
        """A pre-activation on its way into an activation."""
        self._place(part)
        if (flat := saturated(part.module, a.detach())) is not None:
            self._note(part, "saturated_share", flat.double().mean())

    def leaves(self, part: Part, out: Tensor) -> None:
        """What a part puts out, any shape."""
        self._place(part)
        units = units_last(part.module, out.detach())[None].double()
        for name in OF_OUTPUTS:
            self._note(part, name, REGISTRY[name].measure(units))
        if part.acts:
            self._note(part, "dead_share", REGISTRY["dead_share"].measure(units))
        if self.bins:
            for name, values in REGISTRY["histogram"].measure(units, bins=self.bins).items():
                self._note(part, name, values)

    def flows(self, part: Part, gradient: Tensor) -> None:
        """The gradient of the loss with respect to a pre-activation: into an activation, or out of a layer."""
        samples = samples_first(part.module, gradient.detach())[None]
        samples = samples if samples.dim() > 2 else samples[..., None]
        self._note(part, "gradient_norm", gradient_norm(samples))
        if isinstance(part.module, RECURRENT) and samples.dim() == 4:
            for name, one in REGISTRY["gradient_through_time"].measure(samples).items():
                self._note(part, name, one)

    def updates(self, part: Part, before: list[Tensor], gradients: list[Tensor | None], after: list[Tensor]) -> None:
        """The weights of a part at an update; several count as one long one. `after` may be empty: nobody saw it."""
        self._place(part)
        self._note(part, "weight_norm", weight_norm(_joined(before)))
        there = [g.to_dense() if g.is_sparse else g for g in gradients if g is not None]
        if there:
            self._note(part, "weight_gradient_norm", weight_gradient_norm(_joined(there)))
        if after:
            self._note(part, "update_ratio", update_ratio(_joined(before), _joined(after)))

    def updated(self, part: Part) -> bool:
        """Whether an update of its weights was seen."""
        return (part.name, "weight_norm") in self.values

    def rows(self) -> Iterator[tuple[str, int, str, float]]:
        """Layer, depth, quantity, and the mean over the calls, read from the device here; by depth, the model last."""
        means = {key: float(torch.stack(values).mean()) for key, values in self.values.items()}
        for layer, depth in sorted(self.depths.items(), key=lambda item: item[1]):
            yield from ((layer, depth, quantity, value) for (own, quantity), value in means.items() if own == layer)
        norms = [means[part, "gradient_norm"] for part in self._weighted() if (part, "gradient_norm") in means]
        if len(norms) > 2:  # hidden layers: the last layer is the net's answer
            yield MODEL, 0, "vanishing_ratio", norms[0] / norms[-2] if norms[-2] else float("nan")

    def _weighted(self) -> list[str]:
        return [part for part in self.depths if (part, "weight_norm") in self.values]

    def _place(self, part: Part) -> None:
        """Depth 1 is what is called first; an activation stands at the depth of the layer that is called before it."""
        if part.name not in self.depths:
            last = max(self.depths.values(), default=0)
            self.depths[part.name] = max(last, 1) if part.acts else last + 1

    def _note(self, part: Part, quantity: str, value: Tensor) -> None:
        self.values[part.name, quantity].append(value.detach().reshape(()))


def _joined(values: list[Tensor]) -> Tensor:
    """(1, entries)."""
    return torch.cat([value.detach().flatten() for value in values])[None]
