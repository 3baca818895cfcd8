"""What a page shows of an experiment's folder besides claims: figures, tables, how its runs came about."""

import base64
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from repro.study.experiment import Experiment
from repro.text.prose import Page, from_name

MOST_COLOURS = 16


@dataclass(frozen=True)
class Figure:
    """A figure on the page.

    Attributes:
        name: the file's, without its suffix.
        caption: what it shows.
        image: the drawing's address, of its file or one that holds it whole; None where the file is missing.
        files: (suffix, link) of the files beside it.
        captioned: whether the paper's page shows it, with an alternative text.
        shaded: whether its colours are those of a colour map, which a dark page must not turn round.
    """

    name: str
    caption: str
    image: str | None
    files: tuple[tuple[str, str], ...]
    captioned: bool
    shaded: bool = False


class Way(NamedTuple):
    """One way in which runs came about."""

    commit: str
    runs: int
    device: str
    threads: str
    versions: str


def figures(experiment: Experiment, page: Page, folder: Path, out: Path) -> Iterator[Figure]:
    """Those of a folder in the order of the paper's page, then those that it does not show, by name.

    Args:
        page: the paper's.
        out: the file that the page becomes.
    """
    captions = {
        key.partition("/")[2]: says for key, says in page.captions.items() if key.startswith(f"{experiment.short}/")
    }
    drawn = {path.stem for path in folder.glob("*.svg")}
    for figure in [*captions, *sorted(drawn - captions.keys())]:
        caption = captions.get(figure) or from_name(figure)
        path = folder / f"{figure}.svg"
        svg = path.read_bytes() if figure in drawn else b""
        image = link(path, out) if svg else None
        files = [(suffix, folder / f"{figure}.{suffix}") for suffix in ("svg", "png")]
        links = tuple((suffix, link(file, out)) for suffix, file in files if file.is_file())
        yield Figure(figure, caption, image, links, bool(captions.get(figure)), shaded(svg))


def shaded(svg: bytes) -> bool:
    """Whether a drawing has more colours than lines, letters and a palette need."""
    return len(set(re.findall(rb"#[0-9a-f]{6}\b", svg))) > MOST_COLOURS


def address(svg: bytes) -> str:
    """An SVG file as the address of an image: there, browsers run none of its scripts and fetch nothing for it."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def table_files(folder: Path, out: Path) -> Iterator[tuple[str, str, str]]:
    """The tables of a folder: file name, link, size in words."""
    for path in sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")]):
        yield path.name, link(path, out), _size(path.stat().st_size)


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"


def link(path: Path, out: Path) -> str:
    """The address of a file as seen from the folder of a page."""
    return quote(Path(os.path.relpath(path.resolve(), out.resolve().parent)).as_posix())


def ways(provenance: Mapping[str, Any]) -> Iterator[Way]:
    """How the runs came about, from the provenance of an experiment's tables."""
    for way in provenance.get("ways", []):
        commit = str(way.get("commit") or "not known")[:10] + (" with changes" if way.get("dirty") else "")
        versions = ", ".join(f"{name} {version}" for name, version in (way.get("versions") or {}).items())
        device = " ".join(filter(None, (str(way.get("device", "")), str(way.get("kernels") or ""))))
        yield Way(commit, len(way.get("runs", [])), device, str(way.get("threads", "")), versions)
