"""What the report shows, gathered from the committed tables and figures, the experiment files and the papers' pages."""

import base64
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pandas as pd
from markupsafe import Markup

from repro.bars import tracked
from repro.claims.verdicts import INCONCLUSIVE, NOT_REPRODUCED, REPRODUCED
from repro.errors import UserError
from repro.paths import experiments_dir
from repro.storage.files import read_json
from repro.storage.tables import read
from repro.study.experiment import Experiment, results_folder
from repro.text import tables
from repro.text.prose import Head, Page, from_name, read_head, read_page

VERDICTS = (REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE)


@dataclass(frozen=True)
class Claim:
    """A row of the ledger: the table's cells, and where the claim comes from."""

    says: str
    published: str
    ours: str
    scale: str
    verdict: str
    source: str
    note: str


@dataclass(frozen=True)
class Figure:
    """A figure on the page.

    Attributes:
        name: the file's, without its suffix.
        caption: what it shows.
        image: the drawing's address, which holds it whole; None where the file is missing.
        files: (suffix, link) of the files beside it.
        captioned: whether the paper's page shows it, with an alternative text.
    """

    name: str
    caption: str
    image: str | None
    files: tuple[tuple[str, str], ...]
    captioned: bool


class Way(NamedTuple):
    """One way in which runs came about."""

    commit: str
    runs: int
    device: str
    threads: str
    versions: str


@dataclass(frozen=True)
class Section:
    """An experiment.

    Attributes:
        name: "<paper>/<experiment>".
        id: of its place on the page.
        title: the heading of its part of the paper's page, or its name in words.
        head: the comment of its file.
        finding: what came out, from the paper's page.
        yaml: its file.
        claims: its rows of the ledger.
        runs: how many, of which variants, with which seeds; empty where there are no tables.
        figures: those that are there or that the paper's page shows.
        tables: (file name, link, size in words).
        reproduce: the command that made the tables, or would.
        ways: how the runs came about.
        missing: what should be there and is not, a sentence each.
    """

    name: str
    id: str
    title: str
    head: Head
    finding: Markup
    yaml: str
    claims: tuple[Claim, ...]
    runs: str
    figures: tuple[Figure, ...]
    tables: tuple[tuple[str, str, str], ...]
    reproduce: str
    ways: tuple[Way, ...]
    missing: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Claims by verdict."""
        return count(self.claims)


@dataclass(frozen=True)
class Paper:
    """A paper and its experiments."""

    id: str
    page: Page
    sections: tuple[Section, ...]

    @property
    def claims(self) -> list[Claim]:
        """Of all its experiments."""
        return [claim for section in self.sections for claim in section.claims]

    @property
    def counts(self) -> dict[str, int]:
        """Claims by verdict."""
        return count(self.claims)


def count(claims: Iterable[Claim]) -> dict[str, int]:
    """How many claims have which verdict; every verdict is there."""
    counts = Counter(claim.verdict for claim in claims)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def gather(experiments: Sequence[Experiment], results_dir: Path, out: Path, drawings: bool = True) -> list[Paper]:
    """Papers by name, with their experiments in the order of their pages.

    Args:
        out: the file that the page becomes; links are relative to its folder.
        drawings: whether figures are read; the ledger alone needs none.

    Raises:
        UserError: a table is damaged. What is missing is said on the page instead.
    """
    by_paper: dict[str, list[Experiment]] = {}
    for experiment in experiments:
        by_paper.setdefault(experiment.name.partition("/")[0], []).append(experiment)
    papers = []
    for name, own in by_paper.items():
        page = read_page(experiments_dir() / name / "README.md")
        sections = []
        order = list(page.headings)
        for experiment in tracked(sorted(own, key=lambda e: _place(e, order)), f"gathering {name}", "experiment"):
            folder = results_folder(results_dir, experiment, "published")
            figures = tuple(_figures(experiment, page, folder, out)) if drawings else ()
            sections.append(_section(experiment, page, folder, out, figures))
        papers.append(Paper(name, page, tuple(sections)))
    return papers


def _place(experiment: Experiment, order: Sequence[str]) -> tuple[int, str]:
    """Where an experiment stands on the paper's page; those that do not come last, by name."""
    name = experiment.name.partition("/")[2]
    return (order.index(name) if name in order else len(order), name)


def _section(experiment: Experiment, page: Page, folder: Path, out: Path, figures: tuple[Figure, ...]) -> Section:
    paper, _, name = experiment.name.partition("/")
    yaml = (experiments_dir() / f"{experiment.name}.yaml").read_text(encoding="utf-8")
    reproduce = f"repro reproduce {experiment.name} scale={experiment.published_scale}"
    trained = (folder / "runs.csv").is_file()
    provenance, missing = folder / "provenance.json", []
    if not trained:
        missing.append("No tables yet; the command below makes them.")
    elif not (folder / "claims.csv").is_file():
        missing.append(f"No verdicts yet; judge the claims with: repro figures {experiment.name}")
    if trained and not provenance.is_file():
        missing.append("No provenance.json: how these runs came about is not known.")
    return Section(
        name=experiment.name,
        id=f"{paper}--{name}",
        title=page.headings.get(name) or from_name(name),
        head=read_head(yaml),
        finding=page.findings.get(name, Markup("")) if trained else Markup(""),
        yaml=yaml,
        claims=claims_in(folder),
        runs=_told(read(folder / "runs.csv")) if trained else "",
        figures=figures if trained else (),
        tables=tuple(_tables(folder, out)),
        reproduce=str(read_json(provenance).get("command", reproduce)) if provenance.is_file() else reproduce,
        ways=tuple(_ways(read_json(provenance))) if provenance.is_file() else (),
        missing=tuple(missing),
    )


def claims_in(folder: Path) -> tuple[Claim, ...]:
    """The ledger's rows of an experiment's folder; none where it was not judged."""
    path = folder / "claims.csv"
    if not path.is_file():
        return ()
    table = read(path)
    if strange := sorted(set(table["verdict"]) - set(VERDICTS)):
        raise UserError(f"{path} has the verdict {strange[0]!r}; judge its claims again with: repro figures")
    claims = []
    for cells, source, note in zip(
        tables.cells(tables.ledger(table)), _words(table, "source"), _words(table, "note"), strict=True
    ):
        says, published, ours, scale, verdict = cells
        claims.append(Claim(says, published, ours, scale, verdict, source, note))
    return tuple(claims)


def _words(table: pd.DataFrame, column: str) -> list[str]:
    values = table[column].tolist() if column in table.columns else [""] * len(table)
    return [value if isinstance(value, str) else "" for value in values]


def _told(runs: pd.DataFrame) -> str:
    """Number of runs, variants and seeds in a sentence."""
    seeds = sorted(runs["seed"].astype(int).unique())
    per_setting = runs.groupby("run")["seed"].nunique().max() if len(runs) else 0
    parts = [_many(len(runs), "run"), _many(runs["variant"].nunique(), "variant")]
    if seeds:
        in_a_row = len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1))
        parts.append(
            f"seeds {seeds[0]} to {seeds[-1]}"
            if in_a_row
            else f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
        )
    if per_setting > 1:
        parts.append(f"up to {per_setting} seeds trained at once")
    lost = runs["status"].value_counts()
    parts += [f"{lost[state]:,} {state}" for state in ("diverged", "failed") if lost.get(state, 0)]
    return ", ".join(parts)


def _many(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _figures(experiment: Experiment, page: Page, folder: Path, out: Path) -> Iterator[Figure]:
    """In the order of the paper's page, then those that it does not show, by name."""
    name = experiment.name.partition("/")[2]
    captions = {key.partition("/")[2]: says for key, says in page.captions.items() if key.startswith(f"{name}/")}
    drawn = {path.stem for path in folder.glob("*.svg")}
    for figure in [*captions, *sorted(drawn - captions.keys())]:
        caption = captions.get(figure) or from_name(figure)
        path = folder / f"{figure}.svg"
        image = address(path.read_bytes()) if figure in drawn else None
        files = [(suffix, folder / f"{figure}.{suffix}") for suffix in ("svg", "png")]
        links = tuple((suffix, link(file, out)) for suffix, file in files if file.is_file())
        yield Figure(figure, caption, image, links, captioned=bool(captions.get(figure)))


def address(svg: bytes) -> str:
    """An SVG file as the address of an image: there, browsers run none of its scripts and fetch nothing for it."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def _tables(folder: Path, out: Path) -> Iterable[tuple[str, str, str]]:
    for path in sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")]):
        yield path.name, link(path, out), _size(path.stat().st_size)


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"


def link(path: Path, out: Path) -> str:
    """The address of a file as seen from the folder of a page."""
    return quote(Path(os.path.relpath(path.resolve(), out.resolve().parent)).as_posix())


def _ways(provenance: Mapping[str, Any]) -> Iterable[Way]:
    for way in provenance.get("ways", []):
        commit = str(way.get("commit") or "not known")[:10] + (" with changes" if way.get("dirty") else "")
        versions = ", ".join(f"{name} {version}" for name, version in (way.get("versions") or {}).items())
        yield Way(commit, len(way.get("runs", [])), str(way.get("device", "")), str(way.get("threads", "")), versions)


def uncaptioned(papers: Iterable[Paper]) -> list[str]:
    """Figures that no paper's page shows, as "<paper>/<experiment>/<figure>"."""
    return [
        f"{section.name}/{figure.name}"
        for paper in papers
        for section in paper.sections
        for figure in section.figures
        if not figure.captioned
    ]


def check_anything(papers: Sequence[Paper], results_dir: Path) -> None:
    """Raise a `UserError` where there is nothing to report on."""
    if not any(section.runs or section.claims for paper in papers for section in paper.sections):
        raise UserError(f"no tables in {results_dir}; make some with: repro reproduce PAPER/EXPERIMENT scale=quick")
