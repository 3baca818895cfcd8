"""From what was gathered to HTML, and to the README's section. Everything is escaped unless it is `Markup`."""

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from repro.claims.verdicts import VERDICTS
from repro.study.gather import Claim, Paper, count
from repro.text import tables

# A number, perhaps with an interval or the number of seeds; nothing at all; or the word for what is no number.
_NUMBER = re.compile(r"(?:[-−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?: [±\[(].*)?|not finite|)$")
SIGNS = {"reproduced": "✓", "not reproduced": "✗", "inconclusive": "?"}


def page(template: str, **shown: Any) -> str:
    """A page that needs no other file: style and script are inside, and nothing else may run or load.

    Args:
        template: its name in `templates/`.
        shown: what it is about.
    """
    environment = Environment(
        loader=PackageLoader("repro.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["slug"] = lambda words: str(words).replace(" ", "-")
    environment.filters["numeric"] = numeric
    style, script = (_file(environment, name) for name in ("page.css", "filter.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # The digest allows this one script; a handler or script that got past all escaping would not run.
    return environment.get_template(template).render(
        style=Markup(style), script=Markup(script), script_digest=digest, verdicts=VERDICTS, signs=SIGNS, **shown
    )


def _file(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def numeric(rows: Sequence[Sequence[Any]]) -> list[bool]:
    """Which columns hold numbers only, with or without an interval."""
    return [all(_NUMBER.match(str(cell)) for cell in column) for column in zip(*rows, strict=True)]


def report_pages(papers: Sequence[Paper], index: str) -> dict[str, str]:
    """The report by file name: the page on all papers, and a page a paper beside it.

    Args:
        index: name of the file that is on all papers.
    """
    claims = [claim for paper in papers for claim in paper.claims]
    diverged = [(paper, section) for paper in papers for section in paper.sections if section.diverged[0]]
    shared = {"papers": papers, "index": index}
    whole = page("report.html", total=len(claims), counts=count(claims), diverged=diverged, **shared)
    return {index: whole} | {paper.file: page("paper.html", paper=paper, **shared) for paper in papers}


def what_held(papers: Sequence[Paper]) -> str:
    """The README's section: how many claims of each paper held, and the ledger folded away by paper."""
    counts = [{"paper": paper.page.title, **paper.counts, "claims": len(paper.claims)} for paper in papers]
    total = [claim for paper in papers for claim in paper.claims]
    counts.append({"paper": "all", **count(total), "claims": len(total)})
    parts = [tables.table(pd.DataFrame(counts), "markdown")]
    for paper in papers:
        # GitHub takes Markdown inside <details> only after an empty line.
        parts += [f"<details>\n<summary>{escape(paper.page.title)}: {len(paper.claims)} claims</summary>"]
        parts += [_ledger(section.title, section.claims) for section in paper.sections if section.claims]
        untested = [section.title for section in paper.sections if not section.claims]
        parts += [f"No verdicts yet: {', '.join(untested)}."] if untested else []
        parts.append("</details>")
    return "\n\n".join(parts)


def _ledger(title: str, claims: Sequence[Claim]) -> str:
    rows = [(c.says, c.published, c.ours, c.scale, c.verdict) for c in claims]
    table = pd.DataFrame(rows, columns=["claim", "published", "ours (interval, n)", "scale", "verdict"])
    return f"**{title}**\n\n{tables.table(table, 'markdown')}"
