"""One style for all figures, and files that come out the same, byte for byte, each time."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from repro.storage.files import write_atomic

COLUMN = 3.25  # inches: one column of a two-column page
TEXT = 6.75  # inches: the whole width of a page's text
SLIDE = 11.0  # inches: a figure made to be projected

# Okabe and Ito's palette.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
INK, QUIET, FAINT = "#333333", "#777777", "#E3E3E3"

_STYLE = Path(__file__).with_name("paper.mplstyle")
# Neither a date nor a version of matplotlib: they would change the bytes of an unchanged figure.
_METADATA = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


def colors(n: int) -> list[Any]:
    """So many colours: the palette's, or where it has fewer, those of a scale from dark to light."""
    return list(PALETTE[:n]) if n <= len(PALETTE) else list(matplotlib.colormaps["viridis"](np.linspace(0, 0.95, n)))


@contextmanager
def styled(changes: Mapping[Any, Any] | None = None) -> Iterator[None]:
    """Draw and save in the project's style; whatever the user's own matplotlibrc says, it has no effect inside.

    Args:
        changes: rc parameters that differ from the style file's, for example larger letters for a slide.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(matplotlib.rc_params_from_file(_STYLE, use_default_template=False))
        for name, value in (changes or {}).items():
            matplotlib.rcParams[name] = value
        yield


def figure(width: float = TEXT, height: float = 3.0, gap: float | None = None) -> Figure:
    """An empty figure. It belongs to no window and no global list, so nothing has to close it.

    Args:
        width: inches.
        height: inches.
        gap: inches on either side of each panel; None = the style's.
    """
    layout = ConstrainedLayoutEngine() if gap is None else ConstrainedLayoutEngine(w_pad=gap, wspace=0.0)
    return Figure(figsize=(width, height), layout=layout)


def save(fig: Figure, path_without_suffix: Path, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Write a figure in each format, atomically; the same figure gives the same bytes.

    To be called inside the `styled()` that the figure was drawn in: much of the style is read only now.

    Args:
        fig: the figure.
        path_without_suffix: for example results/paper/experiment/profiles.
        formats: of png, svg.

    Returns:
        The files, in the order of the formats.

    Raises:
        UserError: the folder is read-only or the disk is full; older files stay whole.
    """
    written = []
    for suffix in formats:
        path = path_without_suffix.with_name(f"{path_without_suffix.name}.{suffix}")
        write_atomic(path, rendered(fig, suffix))
        written.append(path)
    return written


def rendered(fig: Figure, format: str) -> bytes:
    """A figure as the content of a png or svg file; to be called inside `styled()`, as `save`."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format=format, metadata=_METADATA[format])
    return buffer.getvalue()
