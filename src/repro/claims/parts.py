"""What a claim is made of: comparisons of a value with a region, counted or put together."""

from dataclasses import dataclass
from typing import Literal

from repro.claims.select import Selector
from repro.claims.size import Size

Of = Literal["mean", "standard deviation", "coefficient of variation", "correlation", "rank correlation"]


@dataclass(frozen=True)
class Simple:
    """A comparison of one value with a region: above and below are half lines, within is a closed range.

    Args:
        left: the value.
        right: what is subtracted from it (or divides it, with ratio); None compares the value itself.
        low: the region's lower end, on the scale of the value, difference or ratio.
        high: its upper end.
        ratio: compare left / right on the log scale instead of left - right.
        closed: the ends belong to the region.
        size: in which band its value has the published size; None where no number is published.
        of: what of each side's values: their mean, or a statistic of all seeds together.
    """

    left: Selector
    right: Selector | None
    low: float
    high: float
    ratio: bool = False
    closed: bool = False
    size: Size | None = None
    of: Of = "mean"

    @property
    def sized(self) -> bool:
        """Whether the region itself is the band around a published number."""
        return self.closed and self.size is not None


@dataclass(frozen=True)
class Share:
    """At least a share of the seeds satisfies `inner`."""

    inner: Simple
    at_least: float
    size: Size | None = None


@dataclass(frozen=True)
class All:
    """Every part is so; `size` is that of the whole where no part has one: `bound` or none."""

    parts: tuple["Claim", ...]
    size: Size | None = None


Claim = Simple | Share | All


def simple_parts(claim: Claim) -> list[Simple]:
    """The comparisons that a claim is made of, in order; a share's is the one that it counts."""
    if isinstance(claim, Simple):
        return [claim]
    return [one for part in (claim.parts if isinstance(claim, All) else [claim.inner]) for one in simple_parts(part)]
