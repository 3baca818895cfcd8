"""Pages say what the committed tables say: references, what is said of wrong ones, and pages that drifted."""

import math
import re
import shutil
from pathlib import Path

import pytest

from fabricated import write_claims, write_csv
from repro.cli import main
from repro.errors import UserError
from repro.paths import CLONE
from repro.study import page
from repro.study.experiment import load
from repro.study.page import NOTICE, by_hand, filled, papers, update
from repro.study.publish import update_page
from repro.text.loose import loose

YAML = "reproduction: {published_scale: quick, variants: {base: [], noisy: []}, scales: {quick: {seeds: 3}}}\n"
LOSSES = {("base", 0.1): (1.0, 2.0, 3.0), ("noisy", 0.1): (0.5, 1.0, 2.0), ("noisy", 1.0): (0.25, math.nan, 0.25)}
PAGE = """# A paper

## 3 Details

{given:Twenty} seeds, 3 layers.

## 4 Results

### First

{table:first}

**It is {claim:first/c1}**, by {value:first/c1|abs|interval} points ({given:Table 1}: {published:first/c1}).
"""


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A paper of two experiments, of which one has tables, in a clone of its own; the folder of its page."""
    for module in ("repro.study.page", "repro.study.publish"):
        monkeypatch.setattr(f"{module}.CLONE", tmp_path)
    for module in ("repro.study.page", "repro.study.experiment"):
        monkeypatch.setattr(f"{module}.experiments_dir", lambda: tmp_path / "experiments")
    paper = tmp_path / "experiments/some_paper"
    paper.mkdir(parents=True)
    (paper / "first.yaml").write_text(YAML)
    (paper / "second.yaml").write_text(YAML)
    folder = tmp_path / "results/some_paper/first"
    columns = ("run", "variant", "seed", "status", "scale", "optimizer.lr", "test_loss", "steps")
    rows = [
        (f"{variant}{lr}", variant, seed, "diverged" if math.isnan(loss) else "done", "quick", lr, loss, 9)
        for (variant, lr), losses in LOSSES.items()
        for seed, loss in enumerate(losses)
    ]
    write_csv(folder / "runs.csv", columns, rows)
    shared = {"paper": "some_paper", "experiment": "first", "n": 3, "scale": "quick", "source": "T"}
    numbers = {"published": "-1", "ours": -0.5, "low": -0.75, "high": -0.25, "verdict": "reproduced"}
    parts = {"metric": "parts of 2", "ours": 1, "verdict": "inconclusive", "note": "why"}
    write_claims(
        folder / "claims.csv",
        {**shared, "claim": "c1", "says": "It is less.", "metric": "m", **numbers},
        {**shared, "claim": "c2", "says": "Both.", "published": "", **parts},
    )
    layers = [("noisy0.1", "noisy", 0, step, 1, "hidden.0", 1, "noise_p", step / 10) for step in (0, 5)]
    layers_columns = ("run", "variant", "seed", "step", "epoch", "layer", "depth", "quantity", "value")
    write_csv(folder / "layers.csv.gz", layers_columns, layers)
    curves = [("base0.1", "base", 0, step, step, "valid", "loss", 9 - step) for step in (0, 1, 2)]
    curves_columns = ("run", "variant", "seed", "step", "epoch", "split", "metric", "value")
    write_csv(folder / "curves.csv.gz", curves_columns, curves)
    write_csv(folder / "ends.csv", ("net", "loss", "ours"), [("2-10-1", "0.5", "0.4 [0.3, 0.6]"), ("wide", "7", "8")])
    return paper


def said(clone: Path, text: str) -> str:
    """A page of this text, filled."""
    (clone / "page.md").write_text(text)
    return filled("some_paper", clone.parents[1] / "results").removeprefix(NOTICE)


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("claim:first/c1", "reproduced"),
        ("claim:first/c1|is", "is reproduced"),
        ("claim:first/c2|note", "why"),
        ("value:first/c1", "-0.50 ± 0.25 (n=3)"),
        ("value:first/c1|interval", "-0.50 ± 0.25"),
        ("value:first/c1|abs|interval|percent", "50 ± 25"),
        ("value:first/c1|digits=1|abs", "0.5"),
        ("value:first/c2", "1 of 2 (n=3)"),
        ("value:first/c2|interval", "1 of 2"),
        ("published:first/c1", "-1"),
        ("published:first/c2", ""),
        ("mean:first/test_loss|variant=base", "2.0 ± 2.5 (n=3)"),
        ("mean:first/test_loss|variant=base|number", "2"),
        ("mean:first/test_loss|variant=noisy|optimizer.lr=1", "0.25 (n=2)"),
        ("median:first/test_loss|variant=noisy|optimizer.lr=0.1", "1"),
        ("min:first/test_loss|variant=base", "1"),
        ("max:first/test_loss|variant=noisy|best=optimizer.lr/test_loss", "2"),
        ("count:first/test_loss|variant=base|below=2.5", "2"),
        ("count:first/diverged|variant=noisy|above=0", "1"),
        ("mean:first/noise_p|variant=noisy|depth=1|step=last|number", "0.5"),
        ("mean:first/valid_loss|variant=base|epoch=1|number", "8"),
        ("difference:first/test_loss|variant=noisy|optimizer.lr=0.1|than=base|number", "-0.833"),
        ("difference:first/test_loss|variant=noisy|optimizer.lr=1|than.optimizer.lr=0.1|number", "-1"),
        ("ratio:first/test_loss|variant=noisy|optimizer.lr=0.1|than=base|digits=2", "0.55"),
        ("best:first/optimizer.lr|variant=noisy|by=test_loss", "0.1"),
        ("best:first/optimizer.lr|by=test_loss|optimizer.lr=1|percent", "100"),
        ("cell:first/ends|net=2-10-1|column=ours", "0.4 [0.3, 0.6]"),
        ("cell:first/ends|net=2-10-1|column=loss|percent", "50"),
        ("given:Twenty", "Twenty"),
        ("claim:second/any", "(no tables yet)"),
    ],
)
def test_a_reference_is_what_the_table_says(reference: str, text: str, clone: Path) -> None:
    assert said(clone, f"so {{{reference}}}.") == f"so {text}."
    # As prose is wrapped.
    assert said(clone, f"so {{{reference.replace('|', chr(10) + '|', 1)}}}.") == f"so {text}."


@pytest.mark.parametrize(
    ("verdict", "said_of_it"),
    [
        ("holds", "holds"),
        ("does not hold", "does not hold"),
        ("not reproduced", "is not reproduced"),
        ("direction only", "is reproduced in direction only"),
        ("inconclusive", "is inconclusive"),
    ],
)
def test_a_verdict_with_its_verb(verdict: str, said_of_it: str, clone: Path) -> None:
    claims = clone.parents[1] / "results/some_paper/first/claims.csv"
    claims.write_text(claims.read_text().replace(",reproduced,", f",{verdict},"))
    assert said(clone, "That {claim:first/c1|is}.") == f"That {said_of_it}."


def test_paragraphs_of_results_are_wrapped_anew(clone: Path) -> None:
    reference = "{value:first/c1|interval}"
    words = "\n".join(["word word", reference] * 40)
    text = said(clone, f"# T\n\n- a\n  b\n\n## 4 Results\n\n{words}\n\n- not\n  this\n\n![nor\nthis](a.svg)\n")
    before, _, results = text.partition("## 4 Results\n\n")
    assert before == "# T\n\n- a\n  b\n\n"
    assert results.endswith("\n\n- not\n  this\n\n![nor\nthis](a.svg)\n")
    lines = results.partition("\n\n")[0].splitlines()
    assert all(95 < len(line) <= 120 for line in lines[:-1])
    assert " ".join(lines) == " ".join(["word word", "-0.50 ± 0.25"] * 40)
    assert not any(line.startswith("±") or line.endswith("±") for line in lines)


@pytest.mark.parametrize("sign", ["1.", "12)", "-", "+", "*"])
def test_no_line_begins_as_a_list_would(sign: str, clone: Path) -> None:
    for length in range(100, 125):
        text = said(clone, f"# T\n\n## 4 Results\n\n{'a' * length} end {sign} Then more words\n")
        assert not any(line.startswith(sign) for line in text.splitlines())


def test_tables_are_filled_in_between_their_marks(clone: Path) -> None:
    ledger, further, none = said(clone, "{table:first}@{table:first/ends}@{table:second}").split("@")
    assert ledger.startswith("<!-- results:first -->\n| claim | published | ours |")
    assert "| It is less. | -1 | -0.50 ± 0.25 (n=3) |" in ledger
    assert ledger.endswith("|\n<!-- /results:first -->")
    assert "| 2-10-1 | 0.5 | 0.4 [0.3, 0.6] |\n" in further
    assert further.startswith("<!-- results:first/ends -->\n")
    assert none == "<!-- results:second -->\n<!-- /results:second -->"


@pytest.mark.parametrize(
    ("reference", "error"),
    [
        ("cliam:first/c1", r"unknown reference 'cliam'.*did you mean claim"),
        ("claim:frist/c1", r"unknown experiment in \{claim:frist/c1\} 'frist'.*did you mean first"),
        ("claim:first/cc1", r"unknown claim in .* 'cc1'; known: c1, c2 \(did you mean c1"),
        ("value:first/c3", r"unknown claim in .* 'c3'"),
        ("claim:first/c1|verdcit", r"unknown column of claims.csv in .*did you mean verdict"),
        ("mean:first/test_los|variant=base", r"unknown metric in .* 'test_los'.*did you mean test_loss"),
        ("mean:first/test_loss|variant=bas", r"unknown variant in .* 'bas'; known: base, noisy .*did you mean base"),
        ("mean:first/test_loss|optimizer.rl=1", r"unknown setting or form .* 'optimizer.rl'.*did you mean opt"),
        ("mean:first/test_loss|variant=base|inteval", r"unknown setting or form .* 'inteval'.*did you mean interval"),
        ("value:first/c1|inteval", r"unknown form in .* 'inteval'.*did you mean interval"),
        ("published:first/c1|digits=2", r"unknown form in .* 'digits'; known: none"),
        ("mean:first/test_loss|variant=base|optimizer.lr=3", r"no runs for .*nowhere together"),
        ("mean:first/noise_q|variant=noisy|depth=1", r"unknown quantity in .* 'noise_q'.*did you mean noise_p"),
        ("mean:first/valid_los|variant=base|epoch=1", r"unknown curve in .*did you mean valid_loss"),
        ("mean:first/test_loss|variant=base|digits=two", r"digits is 'two'; it must be a whole number"),
        ("mean:first/test_loss|best=optimizer.lr", r"best is 'optimizer.lr'; it must be SETTING/METRIC"),
        ("count:first/test_loss|variant=base|below=low", r"below is 'low'; it must be a number"),
        ("mean:first/test_loss|variant=noisy|optimizer.lr=1|below=0", r"no run of .* has a value"),
        ("difference:first/steps|variant=base|than=base|of=min", r"unknown setting or form in .* 'of'"),
        ("difference:first/test_loss|variant=base", r"has no other side; add \|than=VARIANT"),
        ("difference:first/test_loss|variant=noisy|than=base", r"has several runs of one seed"),
        ("mean:first/test_loss|variant=noisy", r"has several runs of one seed; name the variant or setting"),
        ("value:first/c2|abs", r"a claim of several parts is '1 of 2 \(n=3\)'"),
        ("best:first/optimizer.lr|variant=noisy", r"does not say by what; add \|by=METRIC"),
        ("best:first/optimizer.rate|by=test_loss", r"unknown setting in best of .*did you mean"),
        ("best:first/optimizer.lr|by=test_los", r"unknown metric in best of .*did you mean test_loss"),
        ("best:first/optimizer.lr|by=test_loss|variant=nois", r"no run of .* has a value"),
        ("cell:first/end|net=wide|column=ours", r"unknown table in .* 'end'; known: ends .*did you mean ends"),
        ("cell:first/ends|nett=wide|column=ours", r"unknown column in .* 'nett'.*did you mean net"),
        ("cell:first/ends|net=wid|column=ours", r"unknown net in .* 'wid'.*did you mean wide"),
        ("cell:first/ends|net=wide|column=our", r"unknown column in .* 'our'.*did you mean ours"),
        ("cell:first/ends|column=ours", r"has 2 rows; it must name one"),
        ("cell:first/ends|net=2-10-1|column=ours|abs", r"ours is '0.4 \[0.3, 0.6\]'; it must be a number"),
    ],
)
def test_a_wrong_reference_is_one_line(reference: str, error: str, clone: Path) -> None:
    with pytest.raises(UserError, match=rf"^experiments/some_paper/page.md, line 2: .*{error}") as raised:
        said(clone, f"# Title\nso {{{reference}}}.")
    assert "\n" not in str(raised.value)


def drift(paper: str, results_dir: Path) -> list[str]:
    """A line for everything in which a page may say something else than the tables; none where it cannot."""
    readme = page.experiments_dir() / paper / "README.md"
    old = not readme.is_file() or readme.read_text(encoding="utf-8") != filled(paper, results_dir)
    return [*([f"{paper}: run make pages"] if old else []), *by_hand(paper)]


def test_a_page_that_is_up_to_date_has_not_drifted(clone: Path) -> None:
    (clone / "page.md").write_text(PAGE)
    results = clone.parents[1] / "results"
    assert drift("some_paper", results) == ["some_paper: run make pages"]
    update("some_paper")
    assert drift("some_paper", results) == []
    text = (clone / "README.md").read_text()
    assert text.startswith("<!-- Made from page.md")
    assert "**It is reproduced**, by 0.50 ± 0.25 points (Table 1: -1)." in text


def test_planted_drift_is_found(clone: Path) -> None:
    """Tables that changed, a README and a source in which somebody wrote."""
    (clone / "page.md").write_text(PAGE)
    update("some_paper")
    results = clone.parents[1] / "results"
    for path, old, new in (
        (results / "some_paper/first/claims.csv", ",reproduced,", ",inconclusive,"),
        (results / "some_paper/first/claims.csv", "-0.25", "-0.26"),
        (clone / "README.md", "0.50 ± 0.25 points", "0.50 ± 0.24 points"),
        (clone / "page.md", "**It is", "**It surely is"),
    ):
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new))
        assert len(drift("some_paper", results)) == 1
        path.write_text(before)
        assert drift("some_paper", results) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("by 6.6 points", ["6.6"]),
        ("of −0.3 ± 0.9", ["−0.3", "0.9"]),
        ("3.4-fold, 95 %", ["3.4", "95"]),
        ("six seeds, half of them, twice a third", ["six", "half", "twice", "a third"]),
        ("two thirds and a tenfold", ["two", "thirds", "tenfold"]),
        ("It holds here, inconclusive there", ["holds", "inconclusive"]),
        ("this is not\nreproduced, that is reproduced", ["not reproduced", "reproduced"]),
        ("direction only", ["direction only"]),
        ("![loss falls to 0.1](../../results/p/e_10.svg)", ["0.1"]),
        ("{given:20} seeds {claim:a/b} {mean:a/b|optimizer.lr=0.1}", []),
        ("Table 2 and Figures 5 and 6 of the net 2-8-2-1, half-normal, L2, C3, CIFAR-10, `p=1`", []),
        ("### Five points\n", []),
        ("[see](../3.md) one net <!-- 5 -->", []),
    ],
)
def test_numbers_and_verdicts_by_hand_are_found(text: str, words: list[str]) -> None:
    page = f"# Title\n\n## 3 Details of 7 nets\n\n30 seeds; it holds\n\n## 4 Results\n\n{text}\n"
    assert [found for _, found in loose(page)] == words
    assert all(9 <= line <= 10 for line, _ in loose(page))
    assert list(loose(page.replace("## 4 Results", "Results"))) == []


def test_what_is_typed_by_hand_is_told_with_its_line(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clone / "page.md").write_text(PAGE.replace("**It is", "With 20 seeds **it is"))
    line = "experiments/some_paper/page.md, line 13: '20' is typed by hand"
    assert [told.partition(";")[0] for told in by_hand("some_paper")] == [line]
    assert main(["report", "--pages"]) == 2
    said = capsys.readouterr()
    assert said.out.strip() == str(clone / "README.md")
    assert line in said.err
    (clone / "page.md").write_text(PAGE)
    assert main(["report", "--pages"]) == 0


def test_without_a_clone_no_page_is_touched(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clone / "page.md").write_text(PAGE)
    shutil.rmtree(clone.parents[1] / "results")
    assert main(["report", "--pages"]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert not (clone / "README.md").exists()


def test_reproduce_fills_the_page_of_published_tables_only(clone: Path) -> None:
    (clone / "page.md").write_text(PAGE)
    folder = clone.parents[1] / "results/some_paper/first"
    assert not update_page(load("some_paper/first"), folder / "smoke")
    assert not (clone / "README.md").exists()
    assert update_page(load("some_paper/first"), folder)
    assert "**It is reproduced**" in (clone / "README.md").read_text()


# What is committed


@pytest.mark.parametrize("paper", papers())
def test_page_is_what_the_tables_say(paper: str) -> None:
    assert drift(paper, CLONE / "results") == []


@pytest.mark.parametrize("paper", papers())
def test_a_committed_page_would_drift_with_its_tables(paper: str, tmp_path: Path) -> None:
    """Every claim that is reproduced is not, in a copy of the tables: the page is another one, in prose too."""
    if not any((CLONE / "results" / paper).glob("*/claims.csv")):
        pytest.skip("no committed tables")
    shutil.copytree(CLONE / "results" / paper, tmp_path / paper, ignore=shutil.ignore_patterns("*.svg", "*.png"))
    before = prose(filled(paper, tmp_path))
    for path in (tmp_path / paper).glob("*/claims.csv"):
        path.write_text(re.sub(r",reproduced,", ",not reproduced,", path.read_text()))
    assert drift(paper, tmp_path)[:1] == [f"{paper}: run make pages"]
    assert prose(filled(paper, tmp_path)) != before


def prose(page: str) -> list[str]:
    """The paragraphs of a page, without its tables and the sum of its claims."""
    return [part for part in page.split("\n\n") if not part.startswith(("<!--", "|", "Of "))]
