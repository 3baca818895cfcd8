"""A paper's page: `page.md` is what people write, README.md what it says once the committed tables are filled in."""

import re
import textwrap
from pathlib import Path

from repro.claims import summary
from repro.errors import UserError
from repro.paths import CLONE, experiments_dir
from repro.storage.files import write_atomic
from repro.storage.locks import locked
from repro.study.experiment import select
from repro.study.references import REFERENCE, PaperTables, parse
from repro.text.loose import PART, loose

SOURCE, PAGE = "page.md", "README.md"
WIDTH = 120
NOTICE = "<!-- Made from page.md and the tables in results/ by `make pages`; edit page.md, not this file. -->\n\n"


def papers() -> list[str]:
    """The papers that have a page."""
    return sorted(path.parent.name for path in experiments_dir().glob(f"*/{SOURCE}"))


def filled(paper: str, results_dir: Path) -> str:
    """The page of a paper, every reference in it replaced by what the committed tables say (see `references`).

    Raises:
        UserError: a reference to something that there is not, with the page's line and the near miss.
    """
    text = (experiments_dir() / paper / SOURCE).read_text(encoding="utf-8")
    there = PaperTables(select(paper), results_dir)

    def put(found: re.Match[str]) -> str:
        kind, body = found.groups()
        if kind == "given":
            return body
        if kind == "all_at_once":
            return summary.sentence([summary.standing(summary.rows(there.every_claim()))])
        try:
            reference = parse(kind, body)
            said = there.text(reference)
        except UserError as error:
            line = text.count("\n", 0, found.start()) + 1
            raise UserError(f"experiments/{paper}/{SOURCE}, line {line}: {error}") from error
        if kind != "table":
            return said
        name = "/".join(filter(None, (reference.experiment, reference.name)))
        # The marks tell the report which part of the page is on which experiment.
        return "\n".join(filter(None, (f"<!-- results:{name} -->", said, f"<!-- /results:{name} -->")))

    return NOTICE + wrapped(REFERENCE.sub(put, text))


def wrapped(page: str) -> str:
    """A page with the paragraphs of its last part wrapped anew, since references are longer than what they say."""
    before, part, results = page.partition(f"\n{PART}")
    # Tables, headings, marks, figures, lists and code begin with a sign of their own.
    blocks = [_filled(own) if re.match(r"\n*(\*\*|[\w(])", own) else own for own in results.split("\n\n")]
    return before + part + "\n\n".join(blocks).rstrip("\n") + "\n" if part else page


def _filled(paragraph: str) -> str:
    # A number stays with its interval, and nothing that would begin a list comes to the start of a line.
    tied = re.sub(r" (?=± )|(?<=±) | (?=(?:\d+[.)]|[-+*]) )", "\0", " ".join(paragraph.split()))
    lines = textwrap.fill(tied, WIDTH, break_long_words=False, break_on_hyphens=False)
    return lines.replace("\0", " ")


def update(paper: str) -> Path | None:
    """Rewrite a paper's README.md from the clone's tables; None where the paper has no page.

    Raises:
        UserError: as `filled`; or there are no tables, as where repro was installed without a clone.
    """
    page = experiments_dir() / paper / PAGE
    if not page.with_name(SOURCE).is_file():
        return None
    results = CLONE / "results"
    if not results.is_dir():
        raise UserError(
            f"pages are filled from the tables of a clone, and there is no folder {results}; run this in one"
        )
    with locked(results / paper):  # the page is that of all the paper's experiments
        fresh = filled(paper, results)
        if not page.is_file() or page.read_text(encoding="utf-8") != fresh:
            write_atomic(page, fresh)
    return page


def by_hand(paper: str) -> list[str]:
    """A line for every number and verdict that the page's last part types instead of referring to a table."""
    text = (experiments_dir() / paper / SOURCE).read_text(encoding="utf-8")
    return [
        f"experiments/{paper}/{SOURCE}, line {line}: {words!r} is typed by hand; refer to a table, "
        f"or write {{given:{words}}} for the set-up and what is published"
        for line, words in loose(text)
    ]
