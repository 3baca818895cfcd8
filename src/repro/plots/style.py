"""One style for all figures, and files that come out the same, byte for byte, each time."""

import colorsys
import io
import textwrap
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from repro.storage.files import write_atomic

COLUMN = 3.25  # inches: one column of a two-column page
TEXT = 6.75  # inches: the whole width of a page's text
LETTER = 0.58  # width of a letter, of its height, a little more than most have
SLIDE = 11.0  # inches: a figure made to be projected

# Okabe and Ito's palette.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
INK, QUIET, FAINT = "#333333", "#777777", "#E3E3E3"

INDIGO, WINE, TEAL, OLIVE, BROWN, SAND = "#332288", "#882255", "#44AA99", "#999933", "#661100", "#B39B3D"
Dashes = str | tuple[float, tuple[float, ...]]


@dataclass(frozen=True)
class Look:
    """What an activation looks like in every figure: no two of the known ones share all three.

    Attributes:
        color: hexadecimal.
        marker: as matplotlib names them.
        linestyle: "-", or dashes.
    """

    color: str
    marker: str = "o"
    linestyle: Dashes = "-"


# By the name of its option, a noisy one with its kind of noise behind it. Where colour stands for something else
# (depth, initialization, backward rule, run), the figure says what for.
ACTIVATIONS = {
    "tanh": Look(PURPLE, "s"),
    "sigmoid": Look(GREEN),
    "relu": Look(VERMILLION, "D"),
    "hard_tanh": Look(ORANGE, "^"),
    "hard_sigmoid": Look(BROWN, ">"),
    "esp": Look(BLUE, "X"),
    "swish": Look(BLUE, "x", "--"),
    "noisy_tanh": Look(SKY, "v"),
    "noisy_tanh nah": Look(INDIGO, "P"),
    "noisy_tanh nanil": Look(BLACK, "<"),
    "noisy_tanh nani": Look(SKY, "1", "--"),
    "noisy_tanh nanis": Look(SKY, "2", ":"),
    "noisy_tanh nanil_softplus": Look(BLACK, "3", "--"),
    "noisy_sigmoid": Look(OLIVE, "v"),
    "noisy_sigmoid nah": Look(OLIVE, "P", "--"),
    "noisy_sigmoid nanil": Look(OLIVE, "<", ":"),
    "noisy_sigmoid nani": Look(OLIVE, "1", "-."),
    "noisy_sigmoid nanis": Look(OLIVE, "2", (0, (5, 1, 1, 1, 1, 1))),
    "noisy_sigmoid nanil_softplus": Look(OLIVE, "3", (0, (1, 3))),
    "leaky_relu": Look(WINE, "d"),
    "elu": Look(TEAL, "p"),
    "gelu": Look(SAND, "h"),
    "softplus": Look(INK, "*", "--"),
    "identity": Look(QUIET, "."),
    "sign": Look(INK, "+", ":"),
}
_MARKERS, _DASHES = "osD^v<>Pp*hd", ("-", "--", "-.", ":")

_STYLE = Path(__file__).with_name("paper.mplstyle")
# Neither a date nor a version of matplotlib: they would change the bytes of an unchanged figure.
_METADATA = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


def colors(n: int) -> list[Any]:
    """So many colours: the palette's, or where it has fewer, those of a scale from dark to light."""
    return list(PALETTE[:n]) if n <= len(PALETTE) else list(matplotlib.colormaps["viridis"](np.linspace(0, 0.95, n)))


def activation_look(name: str, noise: str | None = None) -> Look:
    """The look of an activation, the same in all figures.

    Args:
        name: of its option: tanh, relu, or one of a user's own, whose look follows from its name alone.
        noise: of a noisy one, nan, nah ...; without it that of `nan`, the rule.
    """
    kind = (noise or "nan").lower()
    whole = name if kind == "nan" else f"{name} {kind}"
    if whole in ACTIVATIONS:
        return ACTIVATIONS[whole]
    number = zlib.crc32(whole.encode())
    hue, rest = (number & 0xFFFF) / 0x10000, number >> 16
    red, green, blue = colorsys.hls_to_rgb(hue, 0.38, 0.65)
    color = "#" + "".join(f"{round(255 * part):02X}" for part in (red, green, blue))
    return Look(color, _MARKERS[rest % len(_MARKERS)], _DASHES[rest // len(_MARKERS) % len(_DASHES)])


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


def explain(fig: Figure, *parts: str, size: float = 6.5) -> None:
    """What a figure's marks stand for, in quiet letters at its lower right; as many lines as its width asks for.

    Args:
        parts: clauses, those that are empty left out.
        size: of the letters, in points.
    """
    text = "; ".join(filter(None, parts))
    letters = int(fig.get_figwidth() * 72 / (LETTER * size))
    lines = [line for own in text.split("\n") for line in textwrap.wrap(own, letters)]
    fig.supxlabel("\n".join(lines), x=0.99, ha="right", multialignment="right", fontsize=size, color=QUIET)


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
    """A figure as the content of a png or svg file; to be called inside `styled()`, as `save`.

    `savefig` draws everything once to lay it out and once more to write it. Drawing lays out as well, so once is
    enough; the bytes are the same.
    """
    before, dpi, buffer = fig.canvas, fig.dpi, io.BytesIO()
    fig.dpi = matplotlib.rcParams["savefig.dpi"]
    try:
        canvas: Any = {"png": FigureCanvasAgg, "svg": FigureCanvasSVG}[format](fig)
        getattr(canvas, f"print_{format}")(buffer, metadata=_METADATA[format])
    finally:
        fig.set_canvas(before)
        fig.dpi = dpi
    return buffer.getvalue()
