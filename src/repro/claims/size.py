"""The published number of a claim, and the band in which ours has its size."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repro.errors import UserError, unknown
from repro.storage.statistics import number as shown
from repro.storage.tables import finite

FACTOR = 2.0  # an effect has the published size from half of it to twice as much
_KINDS = ("factor", "band", "from", "to", "none")


@dataclass(frozen=True)
class Size:
    """What is asked of the size of a number.

    Attributes:
        low: the band's lower end, in the unit of the published number.
        high: its upper end; NaN, both, where no band is judged.
        bound: the claim's own bound is the published number, so that size is what direction is.
        none: why no band is judged; empty where one is.
    """

    low: float = math.nan
    high: float = math.nan
    bound: bool = False
    none: str = ""

    def __str__(self) -> str:
        return "" if math.isnan(self.low) else f"{shown(self.low, 3)} to {shown(self.high, 3)}"


def read_size(about: str, claim: Mapping[str, Any], sides: bool, region: tuple[float, float] | None) -> Size | None:
    """The size that a claim, or a part of one, is judged on; None where no number is printed.

    Args:
        about: the claim, for errors.
        claim: its fields `published`, `size`, `why` count.
        sides: whether it compares two, by difference or ratio.
        region: of a claim of kind within, which is its band; None for others.

    Raises:
        UserError: a number is printed that nothing holds ours against, or a band lacks its reason.
    """
    published, size = claim.get("published"), claim.get("size")
    printed = published if finite(published) else None
    if region is not None:
        if size is not None:
            raise UserError(f"{about}: kind within has its tolerance for a band; leave out size")
        if printed is not None and not region[0] <= printed <= region[1]:
            raise UserError(f"{about}: published is {printed:g}, outside its own target and tolerance")
        return None if printed is None else Size(*region)
    if size is None:
        if printed is not None and sides:
            return _factor(about, printed, FACTOR)
        if printed is not None or (isinstance(published, str) and re.search(r"\d", published)):
            raise UserError(
                f"{about} prints {published} and holds nothing against it; add size: {{band: NUMBER}}, "
                "{factor: NUMBER}, {from: NUMBER, to: NUMBER}, bound, or {none: REASON}"
            )
        return None
    if size == "bound":
        return Size(bound=True)
    if not isinstance(size, Mapping) or not size or set(size) - set(_KINDS):
        strange = next((str(key) for key in size if key not in _KINDS), "") if isinstance(size, Mapping) else str(size)
        raise unknown(f"size of {about}", strange, ("bound", *_KINDS))
    return _band(about, claim, size, printed is not None)


def _band(about: str, claim: Mapping[str, Any], size: Mapping[str, Any], printed: bool) -> Size:
    if set(size) == {"none"}:
        if not isinstance(size["none"], str) or not size["none"].strip():
            raise UserError(f"{about}: size: {{none: REASON}} needs the reason in words")
        return Size(none=size["none"])
    if set(size) not in ({"factor"}, {"band"}, {"from", "to"}) or not all(map(finite, size.values())):
        raise UserError(f"{about}: size takes one of factor, band, both of from and to, or none, with numbers")
    if "from" in size:
        low, high = float(size["from"]), float(size["to"])
    elif not printed:
        raise UserError(f"{about}: a {next(iter(size))} needs published to be a number; it is {claim['published']!r}")
    elif "factor" in size:
        return _factor(about, float(claim["published"]), float(size["factor"]))
    else:
        low, high = claim["published"] - size["band"], claim["published"] + size["band"]
    if low >= high:
        raise UserError(f"{about}: the band of its size, {low:g} to {high:g}, is empty")
    if not isinstance(claim.get("why"), str):
        raise UserError(f"{about}: a band of its own needs its reason; add why: TEXT")
    return Size(low, high)


def _factor(about: str, published: float, factor: float) -> Size:
    if factor <= 1 or published == 0:
        raise UserError(
            f"{about}: a factor above 1 of a number other than 0 makes a band, not {factor:g} of {published:g}"
        )
    low, high = sorted((published / factor, published * factor))
    return Size(low, high)
