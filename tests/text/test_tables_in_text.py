"""Tables for terminals, READMEs and papers."""

import math

import pandas as pd
import pytest

from repro.errors import UserError
from repro.text.tables import ledger, replace_between_markers, summary, table

ROWS = pd.DataFrame({"name": ["a_b", "c|d & 5%"], "value": [0.123456, math.nan], "n": [5, 12]})


def test_text_is_aligned() -> None:
    assert table(ROWS, "text").splitlines() == [
        "name        value    n",
        "--------  -------  ---",
        "a_b        0.1235    5",
        "c|d & 5%            12",
    ]


def test_text_shows_every_cell_as_it_is() -> None:
    shown = table(pd.DataFrame({"name": ["0012", "1_000", "1e3", "\x01"]}), "text").split()
    assert shown[2:] == ["0012", "1_000", "1e3", r"\x01"]


def test_long_sentences_are_wrapped() -> None:
    lines = table(pd.DataFrame({"says": ["word " * 30], "verdict": ["reproduced"]}), "text").splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) < 70
    assert [("reproduced" in line) for line in lines[2:]] == [True, False, False]


def test_markdown_escapes_pipes() -> None:
    assert table(ROWS, "markdown").splitlines() == [
        "| name | value | n |",
        "| --- | ---: | ---: |",
        "| a_b | 0.1235 | 5 |",
        r"| c\|d & 5% |  | 12 |",
    ]


def test_latex_escapes_and_uses_booktabs() -> None:
    rows = pd.DataFrame({"a_b": ["5% & 1 ± 2 ~ {x} \\ #1 $ ^"], "n": [3]})
    assert table(rows, "latex").splitlines() == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"a\_b & n \\",
        r"\midrule",
        r"5\% \& 1 $\pm$ 2 \textasciitilde{} \{x\} \textbackslash{} \#1 \$ \textasciicircum{} & 3 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_csv_keeps_every_digit() -> None:
    assert table(ROWS, "csv").splitlines() == ["name,value,n", "a_b,0.123456,5", "c|d & 5%,,12"]


def test_formats_are_known() -> None:
    with pytest.raises(UserError, match=r"unknown table format 'markdwn'; known: .*did you mean markdown"):
        table(ROWS, "markdwn")


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "csv"])
def test_an_empty_table_is_its_header(form: str) -> None:
    assert "name" in table(ROWS.iloc[:0], form)


def test_ledger_shows_interval_n_and_both_answers() -> None:
    claims = pd.DataFrame(
        {
            "says": ["One.", "Two.", "Three."],
            "origin": ["paper", "ours", "paper"],
            "planned": ["true", "false", "true"],
            "metric": ["test_accuracy", "parts of 10", "x over y"],
            "published": ["0.97", "", "about 0"],
            "band": ["0.95 to 0.99", "", ""],
            "ours": [0.962, 9.0, math.nan],
            "low": [0.959, math.nan, math.nan],
            "high": [0.965, math.nan, math.nan],
            "n": [5, 3, 0],
            "scale": ["full", "full", "quick"],
            "direction": ["yes", "open", "open"],
            "size": ["yes", "", "not judged"],
            "verdict": ["reproduced", "inconclusive", "inconclusive"],
        }
    )
    rows = [
        "One.,0.97,0.962 ± 0.003 (n=5),full,yes,yes (0.95 to 0.99),reproduced",
        "Two. (worded after its runs),(ours),9 of 10 (n=3),full,open,,inconclusive",
        "Three.,about 0,no value (n=0),quick,open,not judged,inconclusive",
    ]
    head = "claim,published,ours,scale,direction,size,verdict"
    assert table(ledger(claims), "csv").splitlines() == [head, *rows]
    adjusted = ["direction only", "inconclusive", "inconclusive"]
    lines = [f"{row},{word}" for row, word in zip(rows, adjusted, strict=True)]
    assert table(ledger(claims.assign(adjusted=adjusted)), "csv").splitlines() == [f"{head},all at once", *lines]


def runs() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "variant": ["xavier"] * 3 + ["small"] * 3,
            "seed": [0, 1, 2] * 2,
            "status": ["done"] * 3 + ["done", "diverged", "done"],
            "architecture.depth": [10] * 6,
            "train_loss": [0.1] * 6,
            "test_accuracy": [0.95, 0.96, 0.97, 0.1, math.nan, 0.1],
            "steps": [100] * 6,
        }
    )


def test_summary_by_variant_in_the_tables_order() -> None:
    found = summary(runs())
    assert list(found.columns) == ["variant", "test_accuracy", "diverged"]
    assert found.to_numpy().tolist() == [["xavier", "0.960 ± 0.025 (n=3)", "0 of 3"], ["small", "0.1 (n=2)", "1 of 3"]]
    assert list(summary(runs().iloc[:3]).columns) == ["variant", "test_accuracy"]


PAGE = """# Paper
<!-- results:one -->
old
<!-- /results:one -->
text
<!-- results:two -->
<!-- /results:two -->
"""


def test_only_the_named_part_of_a_page_is_rewritten() -> None:
    page = replace_between_markers(PAGE, "results:one", "| a |\n| --- |\n")
    assert page == PAGE.replace("old\n", "| a |\n| --- |\n")
    assert replace_between_markers(page, "results:one", "| a |\n| --- |") == page
    assert "\\1 new" in replace_between_markers(page, "results:two", r"\1 new")


@pytest.mark.parametrize(
    "page", ["", "<!-- results:one -->", "<!-- /results:one --> <!-- results:one -->", PAGE + PAGE]
)
def test_a_page_without_its_markers_is_refused(page: str) -> None:
    with pytest.raises(UserError, match=r"needs the line <!-- results:one --> once"):
        replace_between_markers(page, "results:one", "body")
