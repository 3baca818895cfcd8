"""What people wrote: a paper's page and the comment at the head of an experiment file, in pieces."""

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_INLINE = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*(?!\*)|\*(.+?)\*|\[([^\]]*)\]\([^)\s]*\)", re.DOTALL)


@dataclass(frozen=True)
class Page:
    """A paper's page.

    Attributes:
        title: its heading.
        intro: the paragraph below it.
        captions: alternative texts of its figures, by "<experiment>/<figure>", in the page's order.
        headings: of the experiments' sections, by experiment.
        findings: the paragraph that says what came out, by experiment.
    """

    title: str
    intro: Markup
    captions: dict[str, str]
    headings: dict[str, str]
    findings: dict[str, Markup]


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
    text = path.read_text(encoding="utf-8") if path.is_file() else f"# {paper}\n"
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text)]
    titles = [block.removeprefix("# ") for block in blocks if block.startswith("# ")]
    intro = next((block for block in blocks if block[:1] not in ("#", "")), "")
    captions: dict[str, str] = {}
    for alt, target in _IMAGE.findall(text):
        found = re.search(rf"results/{re.escape(paper)}/([^/]+/[^/]+)\.svg$", target)
        if found:
            captions.setdefault(found[1], " ".join(alt.split()))
    headings, findings = {}, {}
    for part in re.split(r"^#+ ", text, flags=re.MULTILINE):
        for name in re.findall(r"<!-- /results:([^\s/]+) -->", part)[:1]:
            headings[name] = part.partition("\n")[0].strip()
            findings[name] = _finding(part.partition(f"<!-- /results:{name} -->")[2])
    return Page(titles[0] if titles else paper, markup(intro), captions, headings, findings)


def _finding(text: str) -> Markup:
    """The first paragraph after an experiment's table that begins in bold, else the first one."""
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text)]
    prose = [block for block in blocks if block and block[0] not in "!|<#-"]
    return markup(next((block for block in prose if block.startswith("**")), prose[0] if prose else ""))


def markup(text: str) -> Markup:
    """Markdown's bold, italic and code as HTML, everything else escaped; a link becomes its words."""
    out, last = Markup(""), 0
    text = " ".join(text.split())
    for found in _INLINE.finditer(text):
        out += escape(text[last : found.start()])
        code, bold, italic, link = found.groups()
        if code is not None:
            out += Markup("<code>{}</code>").format(code)
        elif bold is not None:
            out += Markup("<strong>{}</strong>").format(markup(bold))
        elif italic is not None:
            out += Markup("<em>{}</em>").format(markup(italic))
        else:
            out += escape(link)
        last = found.end()
    return out + escape(text[last:])


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
