"""Where a caption looked: an image, and for each word said what of it was seen."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from repro.datasets.captions.images import SIDE, pictures
from repro.datasets.store.checksums import read
from repro.datasets.store.files import require
from repro.errors import UserError
from repro.plots.style import QUIET, TEXT, figure

WORDS = ("word", "image")  # columns of text
ACROSS = 8  # panels beside each other
PANEL = TEXT / ACROSS  # inches
SCALE = "dark is 0, and bright the word's greatest weight, the number beside it"
DARK = 0.15  # of its brightness, what is left where nothing was looked at

Pixels = NDArray[np.float64]
"""(height, width, 3), in [0, 1]."""


def drawn(looks: pd.DataFrame, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """A figure an image: the image, then for each word of the caption the image as bright as that word looked at it.

    Where the photographs of Flickr8k are at hand they are shown, otherwise the mean colours of the places.
    """
    names = [str(name) for name in dict.fromkeys(looks["image"])]
    photographs = _photographs(names) if str(summary.get("data", "")).startswith("flickr8k") else {}
    for image, rows in looks.groupby("image", sort=False):
        fig = panels([rows], [photographs.get(str(image), mosaic(rows))])
        even = f"{1 / rows['place'].nunique():.2g}"
        yield (f"Where the words said of {image} looked: {SCALE}; an even look has {even} everywhere", fig)


def panels(samples: Sequence[pd.DataFrame], images: Sequence[Pixels]) -> Figure:
    """Images below each other, each with a panel for every word of its caption.

    Args:
        samples: rows of looks.csv of each image.
        images: the images themselves.
    """
    counts = [-(-(1 + rows["word_place"].nunique()) // ACROSS) for rows in samples]
    fig = figure(TEXT, sum(counts) * (PANEL + 0.2))
    axes = fig.subplots(sum(counts), ACROSS, squeeze=False)
    first = 0
    for rows, image, count in zip(samples, images, counts, strict=True):
        _sample(axes[first : first + count].flatten().tolist(), rows, image)
        first += count
    return fig


def mosaic(rows: pd.DataFrame) -> Pixels:
    """The mean colours of an image's places."""
    places = rows.drop_duplicates("place").sort_values("place")
    across = round(len(places) ** 0.5)
    found: Pixels = places[["red", "green", "blue"]].to_numpy(dtype=float).reshape(across, across, 3) / 255
    return found


def _sample(axes: list[Axes], rows: pd.DataFrame, image: Pixels) -> None:
    for ax in axes:
        ax.set_axis_off()
    axes[0].imshow(image, interpolation="nearest")
    weights = rows.pivot(index="word_place", columns="place", values="value").to_numpy(dtype=float)
    said = rows.drop_duplicates("word_place").sort_values("word_place")["word"].tolist()
    across = round(weights.shape[1] ** 0.5)
    for ax, word, looked in zip(axes[1:], said, weights, strict=False):
        size = len(image) // across
        bright = np.kron((looked / looked.max()).reshape(across, across), np.ones((size, size)))[..., np.newaxis]
        ax.imshow(image * (DARK + (1 - DARK) * bright), interpolation="nearest")
        ax.set_title(str(word).replace("$", r"\$"), fontsize="small", pad=2)
        ax.set_title(f"{looked.max():.2g}", fontsize=5, pad=2, loc="right", color=QUIET, fontweight="normal")


def _photographs(names: Sequence[str]) -> dict[str, Pixels]:
    """Those of Flickr8k, where its archive is at hand."""
    with suppress(UserError):
        archive = read(require("flickr8k")[1][-1])
        return {name: image / 255 for name, image in zip(names, pictures(archive, names, SIDE), strict=True)}
    return {}
