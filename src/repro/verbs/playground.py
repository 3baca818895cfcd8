"""`repro playground`: a page for a lecture, on which small nets can be watched while they learn."""

from collections.abc import Sequence
from pathlib import Path

from repro.verbs.parser import SCALES, parser

EXAMPLES = """\
  repro playground
  repro playground --out lecture.html
"""
EXPERIMENT = "understanding_neural_networks/watched"


def main(words: Sequence[str]) -> int:
    """Run `repro playground`."""
    verb = parser("playground", EXAMPLES)
    verb.add_argument("--results-dir", type=Path, default=Path("results"), help="folder of the tables")
    verb.add_argument("--out", type=Path, help="the page; playground.html in the folder of the tables by default")
    verb.add_argument("--scale", default="published", help=f"of the tables: {SCALES}")
    asked = verb.parse_args(words)

    from repro.html.playground import playground_page
    from repro.storage.files import chosen_by, write_atomic
    from repro.study.experiment import load, results_folder

    experiment = load(EXPERIMENT)
    out = asked.out or asked.results_dir / "playground.html"
    page = playground_page(experiment, results_folder(asked.results_dir, experiment, asked.scale))
    with chosen_by("--out"):
        write_atomic(out, page)
    print(out)
    return 0
