"""`repro report`: a page on all papers and one on each, with every claim and figure; what READMEs say of them."""

from collections.abc import Sequence
from pathlib import Path

from repro.verbs.parser import parser

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

    from repro.errors import UserError
    from repro.html.render import report_pages, what_held
    from repro.storage.files import chosen_by, write_atomic
    from repro.study import page
    from repro.study.experiment import select
    from repro.study.gather import check_anything, gather, uncaptioned
    from repro.text.tables import replace_between_markers

    if asked.pages:
        for paper in page.papers():
            print(page.update(paper))
        if typed := [line for paper in page.papers() for line in page.by_hand(paper)]:
            raise UserError("\n".join(typed))
        return 0
    out = asked.out or asked.results_dir / "index.html"
    papers = gather(select(None), asked.results_dir, out, drawings=not asked.readme)
    check_anything(papers, asked.results_dir)
    if asked.readme:
        if not asked.readme.is_file():
            raise UserError(f"no file {asked.readme}; it needs the lines <!-- ledger --> and <!-- /ledger -->")
        text = asked.readme.read_text(encoding="utf-8")
        with chosen_by("--readme"):
            write_atomic(asked.readme, replace_between_markers(text, "ledger", what_held(papers)))
        print(asked.readme)
        return 0
    with chosen_by("--out"):
        for name, content in report_pages(papers, out.name).items():
            write_atomic(out.parent / name, content)
    for name in uncaptioned(papers):
        print(f"{name}: on no page, so that its name is its caption")
    print(out)
    return 0
