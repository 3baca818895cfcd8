"""The committed figures are on their pages, and the ledger is that of the committed tables."""

from repro.claims.words import UNJUDGED, VERDICTS
from repro.html.render import SIGNS, what_held
from repro.paths import CLONE
from repro.study.experiment import select
from repro.study.gather import gather
from repro.text.prose import read_page


def test_every_committed_figure_is_on_its_page() -> None:
    titles: dict[str, list[str]] = {}
    missing = []
    for path in sorted((CLONE / "results").glob("*/*/*.svg")):
        name = path.relative_to(CLONE / "results").with_suffix("").as_posix()
        paper, _, figure = name.partition("/")
        caption = read_page(CLONE / "experiments" / paper / "README.md").captions.get(figure)
        titles.setdefault(f"{paper}: {caption}", []).append(name)
        if not caption:
            missing.append(name)
    assert missing == [], "each needs a line ![what it shows](../../results/....svg) on its paper's page"
    alike = [names for says, names in titles.items() if len(names) > 1 and not says.endswith(": None")]
    assert alike == [], "each figure needs an alternative text of its own"


def test_ledger_is_that_of_the_tables() -> None:
    text = (CLONE / "results/README.md").read_text()
    shown = text.partition("<!-- ledger -->\n")[2].partition("\n<!-- /ledger -->")[0]
    papers = gather(select(None), CLONE / "results", CLONE / "results/README.md", drawings=False)
    assert shown == what_held(papers), "the tables have changed since; mend it with: make ledger"


def test_every_word_of_the_ledger_has_its_sign() -> None:
    assert set(SIGNS) == {*VERDICTS, *UNJUDGED}
