"""`repro report`: a page on all papers and one on each, with every claim and figure; what READMEs say of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from repro.verbs.parser import parser

if TYPE_CHECKING:
    from repro.study.gather import Paper

EXAMPLES = """\
  repro report
  repro report --results-dir elsewhere --out report.html
  repro report --readme results/README.md
  repro report --pages
"""


def main(words: Sequence[str]) -> int:
    """Run `repro report`."""
    verb = parser("report", EXAMPLES)
    verb.add_argument("--results-dir", type=Path, default=Path("results"), help="folder of the tables")
    verb.add_argument(
        "--out",
        type=Path,
        help="the page on all papers, the others being beside it; index.html in the folder of the tables by default",
    )
    verb.add_argument(
        "--readme",
        type=Path,
        metavar="FILE",
        help="write no page, but the ledger into this file between its ledger markers",
    )
    verb.add_argument(
        "--pages",
        action="store_true",
        help="write no report, but every paper's README.md from its page.md and the clone's tables",
    )
    asked = verb.parse_args(words)

    out = asked.out or asked.results_dir / "index.html"
    if asked.pages:
        _pages()
    elif asked.readme:
        _ledger(asked.results_dir, out, asked.readme)
    else:
        _report(asked.results_dir, out)
    return 0


def _pages() -> None:
    """Fill every paper's page from the clone's tables."""
    from repro.errors import UserError
    from repro.study import page

    for paper in page.papers():
        print(page.update(paper))
    if typed := [line for paper in page.papers() for line in page.by_hand(paper)]:
        raise UserError("\n".join(typed))


def _ledger(results_dir: Path, out: Path, readme: Path) -> None:
    """Write the ledger into a file between its markers."""
    from repro.errors import UserError
    from repro.html.render import what_held
    from repro.storage.files import chosen_by, write_atomic
    from repro.text.tables import replace_between_markers

    papers = _gathered(results_dir, out, drawings=False)
    if not readme.is_file():
        raise UserError(f"no file {readme}; it needs the lines <!-- ledger --> and <!-- /ledger -->")
    text = readme.read_text(encoding="utf-8")
    with chosen_by("--readme"):
        write_atomic(readme, replace_between_markers(text, "ledger", what_held(papers)))
    print(readme)


def _report(results_dir: Path, out: Path) -> None:
    """Write the page on all papers, and the others beside it."""
    from repro.html.render import report_pages
    from repro.storage.files import chosen_by, write_atomic
    from repro.study.gather import uncaptioned

    papers = _gathered(results_dir, out, drawings=True)
    with chosen_by("--out"):
        for name, content in report_pages(papers, out.name).items():
            write_atomic(out.parent / name, content)
    for name in uncaptioned(papers):
        print(f"{name}: on no page, so that its name is its caption")
    print(out)


def _gathered(results_dir: Path, out: Path, drawings: bool) -> "list[Paper]":
    from repro.study.experiment import select
    from repro.study.gather import check_anything, gather

    papers = gather(select(None), results_dir, out, drawings)
    check_anything(papers, results_dir)
    return papers
