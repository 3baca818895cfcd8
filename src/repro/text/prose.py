"""What people wrote: a paper's page and the comment at the head of an experiment file, in pieces."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

MARKDOWN = MarkdownIt("commonmark", {"html": False})  # HTML in a page is shown as it was typed
for _rule in ("link_open", "link_close"):
    MARKDOWN.add_render_rule(_rule, lambda *_: "")
MARKDOWN.add_render_rule("image", lambda _, tokens, i, *__: escape(tokens[i].content))
RESULTS = "Results"  # ends the heading of a page's fourth part
MARKERS = MarkdownIt("commonmark")  # where comments are blocks of their own


@dataclass(frozen=True)
class Page:
    """A paper's page.

    Attributes:
        title: its heading.
        intro: the paragraph below it.
        captions: alternative texts of its figures, by "<experiment>/<figure>", in the page's order.
        headings: of the experiments' sections, by experiment.
        findings: the paragraph that says what came out, by experiment.
        finding: the one above all experiments' sections, of the whole paper; empty where there is none.
        figure: the figure below it, as "<experiment>/<figure>"; empty likewise.
    """

    title: str
    intro: Markup
    captions: dict[str, str]
    headings: dict[str, str]
    findings: dict[str, Markup]
    finding: Markup
    figure: str


@dataclass(frozen=True)
class Head:
    """The comment that an experiment file begins with.

    Attributes:
        asks: what the experiment is about.
        facts: what it says of running, published numbers and scales, in order.
    """

    asks: str
    facts: tuple[tuple[str, str], ...]


def read_page(path: Path) -> Page:
    """A paper's page in pieces; of a paper without one, its folder's name."""
    paper = path.parent.name
    blocks = MARKERS.parse(path.read_text(encoding="utf-8") if path.is_file() else f"# {paper}\n")
    captions = dict(_captions(blocks, paper))
    title, intro, heading, experiment = "", "", "", ""
    finding, figure = "", ""
    headings: dict[str, str] = {}
    prose: dict[str, list[str]] = {}
    for opening, block in pairwise(blocks):
        if opening.type == "heading_open":
            title, heading, experiment = title or block.content, block.content, ""
        elif block.type == "html_block" and (end := re.match(r"<!-- /results:([^\s/]+) -->", block.content)):
            experiment = end[1]
            headings[experiment], prose[experiment] = heading, []
        elif opening.type == "paragraph_open" and opening.level == 0:
            intro = intro or block.content
            if not headings and not finding and block.content.startswith("**") and heading.endswith(RESULTS):
                finding = block.content
            elif finding and not headings and not figure:
                figure = next((name for name, _ in _captions([block], paper)), "")
            if experiment and block.content[0] not in "!|":
                prose[experiment].append(block.content)
    findings = {name: _finding(own) for name, own in prose.items()}
    return Page(title or paper, markup(intro), captions, headings, findings, markup(finding), figure)


def _captions(blocks: list[Token], paper: str) -> Iterator[tuple[str, str]]:
    """Name and alternative text of every figure of a page, the first text where it is shown twice."""
    seen: set[str] = set()
    for image in (part for block in blocks for part in block.children or () if part.type == "image"):
        figure = re.search(rf"results/{re.escape(paper)}/([^/]+/[^/]+)\.svg$", str(image.attrs["src"]))
        if figure and figure[1] not in seen:
            seen.add(figure[1])
            yield figure[1], " ".join(image.content.split())


def _finding(paragraphs: list[str]) -> Markup:
    """The first paragraph after an experiment's table that begins in bold, else the first one."""
    return markup(next((text for text in paragraphs if text.startswith("**")), "".join(paragraphs[:1])))


def markup(text: str) -> Markup:
    """Markdown of one paragraph as HTML, what is HTML already escaped; a link becomes its words."""
    return Markup(MARKDOWN.renderInline(" ".join(text.split())))


def read_head(yaml: str) -> Head:
    """The comment at the head of an experiment file."""
    asks: list[str] = []
    facts: list[tuple[str, list[str]]] = []
    for line in yaml.splitlines():
        if not line.startswith("#"):
            break
        text = line[1:].strip()
        named = re.match(r"([A-Z]\w+):\s+(.+)", text)
        if not text or text.startswith("@package"):
            continue
        if named and asks:  # the question itself may begin with a word and a colon
            facts.append((named[1], [named[2]]))
        elif facts:
            facts[-1][1].append(text)
        else:
            asks.append(text)
    return Head(" ".join(asks), tuple((name, " ".join(words)) for name, words in facts))


def from_name(figure: str) -> str:
    """A caption for a figure that no page shows: its name in words."""
    words = figure.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
