"""Histograms of layers: read from a layers table, brought onto common bins, drawn as ridges or small multiples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

PREFIX = "histogram_share_"
# A share at the end of the range that is so many times all others is a spike ...
SPIKE = 2.5
# ... and is cut at so many times the greatest of them,
CUT = 2.0
# which counts as no less than this part of the spike.
LEAST = 1 / 8


@dataclass(frozen=True)
class Histograms:
    """One measurement of every layer and seed; the first axis of all arrays is the same.

    Attributes:
        depth: (entries,), 1 = next to the input.
        low: (entries,), left end of the first bin.
        high: (entries,), right end of the last bin.
        shares: (entries, bins), each row summing to 1.
    """

    depth: np.ndarray
    low: np.ndarray
    high: np.ndarray
    shares: np.ndarray

    @property
    def depths(self) -> list[int]:
        """The layers that have one."""
        return sorted(set(self.depth.tolist()))

    def outermost(self) -> tuple[float, float]:
        """(low, high) that holds all but about a hundredth of each layer at either end."""
        if not len(self.depth):
            return 0.0, 1.0
        sums = self.shares.cumsum(axis=1)
        width = (self.high - self.low) / self.shares.shape[1]
        first = (sums > 0.01).argmax(axis=1)
        last = (sums >= 0.99).argmax(axis=1) + 1
        return float((self.low + first * width).min()), float((self.low + last * width).max())

    def on(self, edges: np.ndarray) -> dict[int, np.ndarray]:
        """Shares on common bins, mean over the seeds, by depth; see `rebin`."""
        common = rebin(self.low, self.high, self.shares, edges)
        return {d: common[self.depth == d].mean(axis=0) for d in self.depths}


def read_histograms(layers: pd.DataFrame) -> Histograms:
    """The histograms among the rows of one measurement (one step, any number of seeds).

    Args:
        layers: columns seed, depth, quantity, value. Layers whose activations are not finite are left out.
    """
    rows = layers[layers["quantity"].str.startswith("histogram_")]
    table = rows.pivot_table(index=["depth", "seed"], columns="quantity", values="value", sort=True)
    names = sorted(name for name in table.columns if name.startswith(PREFIX))
    if not names:
        nothing = np.empty(0)
        return Histograms(nothing.astype(int), nothing, nothing, np.empty((0, 1)))
    table = table[np.isfinite(table.to_numpy()).all(axis=1)]
    depth = table.index.get_level_values("depth").to_numpy()
    low, high = (table[f"histogram_{end}"].to_numpy() for end in ("low", "high"))
    return Histograms(depth, low, high, table[names].to_numpy())


def rebin(low: np.ndarray, high: np.ndarray, shares: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Shares on common bins, each old bin spread evenly over the new ones that it meets.

    Args:
        low, high: (entries,), ends of the old bins; equal ends are one value.
        shares: (entries, bins), of equally wide bins.
        edges: (new bins + 1,), increasing.

    Returns:
        (entries, new bins). What lies outside the edges is lost, so rows sum to 1 or less.
    """
    bins = shares.shape[1]
    sums = np.concatenate([np.zeros((len(shares), 1)), shares.cumsum(axis=1)], axis=1)
    out = np.empty((len(shares), len(edges) - 1))
    for i in range(len(shares)):
        if high[i] > low[i]:
            places = low[i] + (high[i] - low[i]) * np.arange(bins + 1) / bins
            out[i] = np.diff(np.interp(edges, places, sums[i]))
        else:
            out[i], _ = np.histogram([low[i]], edges)
    return out


def heights(shares: np.ndarray) -> np.ndarray:
    """Bar heights in [0, 1] for shares (bins,): the greatest has 1, unless it is a spike at either end.

    Half of a ReLU layer's outputs are 0, and would press all others flat: such a spike, with what of it lies in
    the next two bins, is cut at twice the greatest share elsewhere.
    """
    if not shares.max(initial=0.0) > 0:
        return shares * 0.0
    top, filled = int(shares.argmax()), np.flatnonzero(shares)
    scale = shares[top]
    if top in (filled[0], filled[-1]):
        rest = np.delete(shares, range(max(0, top - 2), min(len(shares), top + 3))).max(initial=0.0)
        if scale > SPIKE * rest:
            scale = CUT * max(rest, scale * LEAST)
    bars: np.ndarray = np.minimum(shares / scale, 1.0)
    return bars


def ridges(ax: Axes, shares: dict[int, np.ndarray], edges: np.ndarray, *, color: Any) -> None:
    """One ridge a layer, layer 1 at the bottom, the row of depth d between d − 0.5 and d + 0.5.

    Args:
        shares: (bins,) by depth, as from `Histograms.on`.
        edges: (bins + 1,).
    """
    for depth, values in shares.items():
        base = depth - 0.45
        ax.stairs(base + 0.9 * heights(values), edges, baseline=base, fill=True, color=color, alpha=0.85, linewidth=0)
        ax.axhline(base, color=color, linewidth=0.4, alpha=0.6)
    ax.set_xlim(edges[0], edges[-1])


def small_multiples(axes: Sequence[Axes], shares: dict[int, np.ndarray], edges: np.ndarray, *, color: Any) -> None:
    """One histogram a layer, each in its own axes, in the order of depth; spikes are cut, see `heights`."""
    for ax, (_, values) in zip(axes, sorted(shares.items()), strict=False):
        ax.stairs(heights(values), edges, fill=True, color=color, linewidth=0)
        ax.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.08), yticks=[])
        ax.grid(visible=False)
        ax.spines["left"].set_visible(False)
