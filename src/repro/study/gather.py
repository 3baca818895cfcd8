"""What the report shows, gathered from the committed tables and figures, the experiment files and the papers' pages."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from repro.bars import tracked
from repro.claims import summary
from repro.claims.grammar import OURS
from repro.claims.words import REFUTED, VERDICTS
from repro.errors import UserError
from repro.paths import experiments_dir
from repro.storage.files import read_json
from repro.storage.tables import cell, read
from repro.study.attachments import Figure, Way, figures, table_files, ways
from repro.study.elsewhere import Other, other_scales
from repro.study.experiment import Experiment, results_folder
from repro.study.judging import part_values
from repro.study.ledger import paper_claims, read_claims
from repro.text import tables
from repro.text.prose import Head, Page, from_name, read_head, read_page
from repro.text.words import in_words


@dataclass(frozen=True)
class Claim:
    """A row of the ledger: the table's cells, where the claim comes from, and remarks in words.

    Attributes:
        direction: yes, no, open or empty.
        size: the same, with the band behind it.
        adjusted: the verdict that stands when all claims of the paper are tested at once; empty at other scales.
        group: the paper's at its scale, the paper's at a smaller one, or ours (`repro.claims.summary`).
        statement: what it shows; claims that show the same one count once.
        n: number of seeds.
        tested: whether there is a p behind it.
        values: what the parts of a claim of several compare; empty where it has none, or the tables are not there.
    """

    says: str
    published: str
    ours: str
    scale: str
    direction: str
    size: str
    verdict: str
    adjusted: str
    group: str
    statement: str
    source: str
    note: str
    n: int
    tested: bool = True
    values: str = ""


@dataclass(frozen=True)
class Besides:
    """What was trained at another scale: numbers, no verdicts.

    Attributes:
        scale: its name.
        runs: how many, in words.
        numbers: (what a claim says, what was measured) of each.
    """

    scale: str
    runs: str
    numbers: tuple[tuple[str, str], ...]


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
        untested: what it claims at scales of which no tables are published: (sentence, published number, scales).
        runs: how many, of which variants, with which seeds; empty where there are no tables.
        figures: those that are there or that the paper's page shows.
        tables: (file name, link, size in words).
        reproduce: the command that made the tables, or would.
        ways: how the runs came about.
        missing: what should be there and is not, a sentence each.
        diverged: how many of how many runs did, of each seed one.
        besides: what was trained at other scales.
    """

    name: str
    id: str
    title: str
    head: Head
    finding: Markup
    yaml: str
    claims: tuple[Claim, ...]
    untested: tuple[tuple[str, str, str], ...]
    runs: str
    figures: tuple[Figure, ...]
    tables: tuple[tuple[str, str, str], ...]
    reproduce: str
    ways: tuple[Way, ...]
    missing: tuple[str, ...]
    diverged: tuple[int, int]
    besides: tuple[Besides, ...]

    @property
    def short(self) -> str:
        """The experiment's name without its paper's."""
        return self.name.partition("/")[2]

    @property
    def counts(self) -> dict[str, int]:
        """Claims by verdict."""
        return count(self.claims)


@dataclass(frozen=True)
class Paper:
    """A paper and its experiments.

    Attributes:
        id: its folder's name.
        file: name of its page.
        page: what was written of it.
        sections: its experiments.
    """

    id: str
    file: str
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

    @property
    def statements(self) -> dict[str, dict[str, int]]:
        """Statements by group and verdict, each once (`repro.claims.summary`); those that some runs are there for."""
        return summary.counts([_counted(claim) for claim in self.claims if claim.n])

    @property
    def standing(self) -> summary.Standing:
        """Of how many statements that are reproduced how many are so when all claims are tested at once."""
        return summary.standing([_counted(claim) for claim in self.claims])

    @property
    def surprises(self) -> list[tuple[Section, Claim]]:
        """The claims that are refuted: first those of the paper, then those with more seeds."""
        found = [(s, claim) for s in self.sections for claim in s.claims if claim.verdict in REFUTED]
        return sorted(found, key=lambda pair: (pair[1].group == summary.OWN, -pair[1].n))

    @property
    def telling(self) -> tuple[Section, Figure] | None:
        """The figure below the paper's finding, else the first of the experiment in which most claims are refuted."""
        named = [(s, f) for s in self.sections for f in s.figures if f"{s.short}/{f.name}" == self.page.figure]
        if named:
            return named[0]
        drawn = [(s, f) for s in self.sections for f in s.figures[:1] if f.image]
        return max(drawn, key=lambda pair: sum(pair[0].counts[word] for word in REFUTED), default=None)


def _counted(claim: Claim) -> summary.Row:
    return summary.Row(claim.group, claim.statement, claim.verdict, claim.adjusted, claim.tested)


def count(claims: Iterable[Claim]) -> dict[str, int]:
    """How many claims have which verdict; every verdict is there."""
    counts = Counter(claim.verdict for claim in claims)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def gather(experiments: Sequence[Experiment], results_dir: Path, out: Path, drawings: bool = True) -> list[Paper]:
    """Papers by name, with their experiments in the order of their pages.

    Args:
        out: the file that the page on all papers becomes; links are relative to its folder.
        drawings: whether all is read that pages show; the ledger alone needs neither figures nor values.

    Raises:
        UserError: a table is damaged. What is missing is said on the page instead.
    """
    by_paper: dict[str, list[Experiment]] = {}
    for experiment in experiments:
        by_paper.setdefault(experiment.paper, []).append(experiment)
    papers = []
    for name, own in by_paper.items():
        page = read_page(experiments_dir() / name / "README.md")
        judged = paper_claims(own, results_dir)
        sections = []
        order = list(page.headings)
        for experiment in tracked(sorted(own, key=lambda e: _place(e, order)), f"gathering {name}", "experiment"):
            folder = results_folder(results_dir, experiment, "published")
            claims = judged[judged["experiment"] == experiment.short]
            sections.append(_section(experiment, page, folder, out, Path(results_dir) if drawings else None, claims))
        papers.append(Paper(name, beside(out.name, name), page, tuple(sections)))
    return papers


def beside(index: str, name: str) -> str:
    """The file of a page (a paper's, or the ledger) beside the one on all papers, and never the same."""
    stem = Path(index).stem
    return f"{name}.html" if stem == "index" != name else f"{stem}-{name}.html"


def _place(experiment: Experiment, order: Sequence[str]) -> tuple[int, str]:
    """Where an experiment stands on the paper's page; those that do not come last, by name."""
    name = experiment.short
    return (order.index(name) if name in order else len(order), name)


def _section(
    experiment: Experiment, page: Page, folder: Path, out: Path, results_dir: Path | None, claims: pd.DataFrame
) -> Section:
    """An experiment; without a folder of results, its ledger alone."""
    yaml = (experiments_dir() / f"{experiment.name}.yaml").read_text(encoding="utf-8")
    reproduce = f"repro reproduce {experiment.name} scale={experiment.published_scale}"
    trained = (folder / "runs.csv").is_file()
    runs = read(folder / "runs.csv") if trained else pd.DataFrame({"status": []})
    provenance, missing = folder / "provenance.json", []
    if not trained:
        missing.append("No tables yet; the command below makes them.")
    elif not (folder / "claims.csv").is_file():
        missing.append(f"No verdicts yet; judge the claims with: repro figures {experiment.name}")
    if trained and not provenance.is_file():
        missing.append("No provenance.json: how these runs came about is not known.")
    return Section(
        name=experiment.name,
        id=f"{experiment.paper}--{experiment.short}",
        title=page.headings.get(experiment.short) or from_name(experiment.short),
        head=read_head(yaml),
        finding=page.findings.get(experiment.short, Markup("")) if trained else Markup(""),
        yaml=yaml,
        claims=_claims(claims, part_values(experiment, folder) if trained and results_dir else {}),
        untested=tuple(_untested(experiment, set(claims["claim"]))) if trained else (),
        runs=_told(runs) if trained else "",
        figures=tuple(figures(experiment, page, folder, out)) if trained and results_dir else (),
        tables=tuple(table_files(folder, out)),
        reproduce=str(read_json(provenance).get("command", reproduce)) if provenance.is_file() else reproduce,
        ways=tuple(ways(read_json(provenance))) if provenance.is_file() else (),
        missing=tuple(missing),
        diverged=(int((runs["status"] == "diverged").sum()), len(runs)),
        besides=tuple(map(_besides, other_scales(experiment, results_dir))) if results_dir else (),
    )


def _besides(other: Other) -> Besides:
    path = other.folder / "claims.csv"
    claims = _claims(read_claims(path)) if path.is_file() else ()
    return Besides(other.scale, _told(other.runs), tuple((claim.says, claim.values or claim.ours) for claim in claims))


SHOWN = ("says", "published", "ours", "scale", "direction", "size", "verdict")


def _claims(table: pd.DataFrame, values: Mapping[str, str] | None = None) -> tuple[Claim, ...]:
    """The ledger's rows.

    Args:
        table: of claims.csv, with or without a column `adjusted`.
        values: of the parts, by the claim's id.
    """
    shown = tables.ledger(table.drop(columns="adjusted", errors="ignore"))
    of_sums = summary.rows(table if "adjusted" in table else table.assign(adjusted=""))
    return tuple(
        Claim(
            **dict(zip(SHOWN, cells, strict=True)),
            adjusted=counted.adjusted,
            group=counted.group,
            statement=counted.statement,
            source=row["source"],
            note=in_words(row["note"]),
            n=int(row["n"]),
            tested=counted.tested,
            values=(values or {}).get(row["claim"], ""),
        )
        for cells, row, counted in zip(tables.cells(shown), table.to_dict("records"), of_sums, strict=True)
    )


def _untested(experiment: Experiment, judged: Collection[str]) -> Iterator[tuple[str, str, str]]:
    for name, claim in experiment.claims.items():
        if name not in judged and experiment.published_scale not in claim.get("scales", [experiment.published_scale]):
            published = cell(claim.get("published")) if claim["source"] != OURS else "(ours)"
            yield claim["says"], published, ", ".join(claim["scales"])


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
    if not any(section.runs or section.claims or section.besides for paper in papers for section in paper.sections):
        raise UserError(f"no tables in {results_dir}; make some with: repro reproduce PAPER/EXPERIMENT scale=quick")
