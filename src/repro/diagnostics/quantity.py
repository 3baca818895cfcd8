"""What a quantity is, and the registry that holds them all. No torch is imported here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from repro.storage.metrics import ANY, POSITIVE, SHARE, Range

if TYPE_CHECKING:
    from torch import Tensor


BOTH_ENDS: dict[str, Range] = {"0…1": SHARE, "−1…1": (-1.0, 1.0)}  # units of what has two ends

Measure = TypeVar("Measure", bound=Callable[..., Any])


@dataclass(frozen=True)
class Quantity:
    """Something that is measured in a layer.

    Attributes:
        name: as in `diagnostics.quantities`.
        heading: of its column in the table of a run's layers; None where it has none.
        reads: what it is measured from: activations, units (activations, steps of time among the samples), saturated,
            gradient, noise, weight_gradient, single_sign, weight, bias, p, beta, through_time (see `Traces`),
            knots of its splines; classes, inputs (all that a layer says of each sample, and the samples' classes, or
            inputs; also of layer `input`); update (its weight before and after one), both_gradients (under
            the backward rule and exact), model.
        measure: from that to the values (replicas,), or to several of them by name.
        writes: the names in the table, in words.
        unit: unit and range, in words.
        says: its definition, in the notation of `docs/quantities.md`.
    """

    name: str
    heading: str | None
    reads: str
    measure: Callable[..., Any]
    writes: str
    unit: str
    says: str

    @property
    def within(self) -> Range:
        """The least and the greatest value there can be, as `unit` says; infinite where there is no bound."""
        return BOTH_ENDS.get(self.unit, POSITIVE if "≥ 0" in self.unit else ANY)

    @property
    def column(self) -> str:
        """The quantity in the table that stands under the heading."""
        return self.name if f"`{self.name}`" in self.writes else self.writes.split("`")[1]

    def rows(self, *values: "Tensor") -> Iterator[tuple[str, "Tensor"]]:
        """Names and values, each (replicas,)."""
        measured = self.measure(*values)
        yield from measured.items() if isinstance(measured, dict) else [(self.name, measured)]


REGISTRY: dict[str, Quantity] = {}
"""All quantities, in the order in which a layer's rows are written."""


def quantity(
    name: str, reads: str, unit: str, says: str, heading: str | None = None, writes: str = ""
) -> Callable[[Measure], Measure]:
    """Register a function as a quantity; arguments as in `Quantity`. It writes its name, or what `writes` lists."""

    def register(measure: Measure) -> Measure:
        REGISTRY[name] = Quantity(name, heading, reads, measure, writes or f"`{name}`", unit, says)
        return measure

    return register
