"""From what was gathered to HTML, and to the ledger. Everything is escaped unless it is `Markup`."""

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from repro.claims import summary
from repro.claims.words import (
    DIRECTION_ONLY,
    DOES_NOT_HOLD,
    HOLDS,
    INCONCLUSIVE,
    NOT_REPRODUCED,
    REPRODUCED,
    UNJUDGED,
    VERDICTS,
)
from repro.study.gather import Claim, Paper, beside, count
from repro.text import tables

# A number, perhaps with an interval or the number of seeds; nothing at all; or the word for what is no number.
_NUMBER = re.compile(r"(?:[-−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?: [±\[(].*)?|not finite|)$")
SIGNS = {REPRODUCED: "✓", DIRECTION_ONLY: "↗", NOT_REPRODUCED: "✗", HOLDS: "✓", DOES_NOT_HOLD: "✗", INCONCLUSIVE: "?"}
SIGNS |= dict.fromkeys(UNJUDGED, "–")


UNTESTED = "Claims at scales of which no run is published"
INSIDE = "data:"
BESIDE = "data: 'self' file:"  # files of the same server, or of the same disk where there is none


def page(template: str, images: str = INSIDE, script: str = "filter.js", **shown: Any) -> str:
    """A page with style and script inside; nothing else may run, and nothing but figures may load.

    Args:
        template: its name in `templates/`.
        images: where figures may come from: `data:` holds them in the page itself.
        script: file name of the one that may run, in `templates/` too.
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
    style, code = (_file(environment, name) for name in ("page.css", script))
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    # The digest allows this one script; a handler or script that got past all escaping would not run.
    return environment.get_template(template).render(
        style=Markup(style),
        script=Markup(code),
        script_digest=digest,
        images=images,
        verdicts=VERDICTS,
        signs=SIGNS,
        **shown,
    )


def _file(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def numeric(rows: Sequence[Sequence[Any]]) -> list[bool]:
    """Which columns hold numbers only, with or without an interval."""
    return [all(_NUMBER.match(str(cell)) for cell in column) for column in zip(*rows, strict=True)]


def report_pages(papers: Sequence[Paper], index: str) -> dict[str, str]:
    """The report by file name: the page on all papers, and beside it the ledger and a page a paper.

    Args:
        index: name of the file that is on all papers.
    """
    claims = [claim for paper in papers for claim in paper.claims]
    rows, stands = statement_rows(papers), summary.sentence([paper.standing for paper in papers])
    diverged = [(paper, section) for paper in papers for section in paper.sections if section.diverged[0]]
    ledger = beside(index, "ledger")
    shared: dict[str, Any] = {"papers": papers, "index": index, "ledger_file": ledger, "total": len(claims)}
    found: dict[str, Any] = {"counts": count(claims), "rows": rows, "standing": stands, "diverged": diverged}
    refuted = any(paper.surprises for paper in papers)
    return {
        index: page("report.html", BESIDE, refuted=refuted, **found, **shared),
        ledger: page("ledger.html", INSIDE, **shared),
        **{paper.file: page("paper.html", BESIDE, paper=paper, **shared) for paper in papers},
    }


def what_held(papers: Sequence[Paper]) -> str:
    """The ledger: what the statements of each paper came to, and the ledger folded away by paper."""
    counted = pd.DataFrame(statement_rows(papers), columns=["paper", "whose", *VERDICTS, "statements"])
    parts = [tables.table(counted, "markdown"), summary.sentence([paper.standing for paper in papers])]
    for paper in papers:
        # GitHub takes Markdown inside <details> only after an empty line, MkDocs only with the attribute.
        parts += [f"<details markdown>\n<summary>{escape(paper.page.title)}: {len(paper.claims)} claims</summary>"]
        parts += [_ledger(section.title, section.claims) for section in paper.sections if section.claims]
        unjudged = [section.title for section in paper.sections if not section.claims]
        parts += [f"No verdicts yet: {', '.join(unjudged)}."] if unjudged else []
        if untested := [(s.title, *claim) for s in paper.sections for claim in s.untested]:
            columns = ["experiment", "claim", "published", "scale"]
            parts += [f"**{UNTESTED}**", tables.table(pd.DataFrame(untested, columns=columns), "markdown")]
        parts.append("</details>")
    return "\n\n".join(parts)


def statement_rows(papers: Sequence[Paper]) -> list[list[str]]:
    """Statements by paper and whose they are: a number for each word that they can earn, and how many there are.

    The last rows are those of all papers; no row mixes scales, or the papers' with ours.
    """
    counted = [(paper.page.title, paper.statements) for paper in papers]
    whole = {
        group: {word: sum(own[group][word] for _, own in counted) for word in words}
        for group, words in summary.WORDS.items()
    }
    rows = []
    for title, groups in [*counted, ("all", whole)]:
        for group, own in groups.items():
            if total := sum(own.values()):
                rows.append([title, group, *(str(own.get(word, "")) for word in VERDICTS), str(total)])
    return rows


def _ledger(title: str, claims: Sequence[Claim]) -> str:
    rows = [(c.says, c.published, c.ours, c.scale, c.direction, c.size, c.verdict, c.adjusted) for c in claims]
    return f"**{title}**\n\n{tables.table(pd.DataFrame(rows, columns=tables.LEDGER), 'markdown')}"
