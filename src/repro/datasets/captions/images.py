"""Images of an archive, as bytes or as the mean colours of their places; nothing here imports torch."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.datasets.about import Colour
from repro.errors import UserError, extra

SIDE = 128  # pixels that the images of Flickr8k are high and wide here
Pixels = NDArray[np.uint8]
"""(height, width, 3)."""


def captions_package(name: str) -> Any:
    """A package of the extra `[captions]`; raises a `UserError` that names the extra where it is missing."""
    return extra(name, "captioning", "captions")


def pictures(archive: bytes, names: Sequence[str], side: int) -> Iterator[Pixels]:
    """Images of a .zip archive, wherever in it they lie, in the order of the names.

    Args:
        archive: content.
        names: of files, without folders.
        side: height and width that all of them must have.

    Raises:
        UserError: the archive is damaged or lacks one, or one is no image of that size.
    """
    try:
        opened = zipfile.ZipFile(io.BytesIO(archive))
    except zipfile.BadZipFile as error:
        raise UserError(f"the archive of images is truncated or damaged ({error}); fetch it anew") from error
    with opened as files:
        places = {place.rpartition("/")[2]: place for place in files.namelist()}
        for name in names:
            if name not in places:
                raise UserError(f"the archive of images has no {name}, which has captions; fetch it anew")
            yield _decoded(files, places[name], side)


def _decoded(files: zipfile.ZipFile, place: str, side: int) -> Pixels:
    pillow = import_module("PIL.Image")  # comes with matplotlib
    try:
        with pillow.open(io.BytesIO(files.read(place))) as image:
            pixels: Pixels = np.asarray(image.convert("RGB"))
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{place} in the archive of images is no whole image ({error}); fetch it anew") from error
    if pixels.shape != (side, side, 3):
        raise UserError(
            f"{place} in the archive of images is {pixels.shape[1]} x {pixels.shape[0]}, not {side} x {side}"
        )
    return pixels


def mean_colours(image: Pixels, places: int) -> list[Colour]:
    """Of each of so many equal squares of an image, row by row."""
    across = round(places**0.5)
    size = len(image) // across
    blocks = image.reshape(across, size, across, size, 3).mean((1, 3)).round().astype(int)
    return [(int(r), int(g), int(b)) for r, g, b in blocks.reshape(-1, 3)]
