"""The report: what is gathered, what is escaped, what is said of what is missing."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest

from conftest import Said
from fabricated import write_claims, write_csv
from pages import Elements
from repro.cli import main
from repro.plots.style import figure, rendered, styled
from repro.text.prose import markup, read_head, read_page

SHARED = {"paper": "one_paper", "experiment": "first", "scale": "quick"}
OPEN = {"direction": "open", "verdict": "inconclusive", "origin": "ours", "source": "ours", "planned": "false"}
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
YAML = f"""# @package _global_
# Does it hold? {EVIL}
# Run:       repro reproduce one_paper/first scale=quick
# Published: a number, and
#            more of it.
reproduction:
  published_scale: quick
  variants: {{base: []}}
  scales: {{quick: {{seeds: 2}}}}
  claims:
    large: {{says: It holds at full size, source: T1, published: 0.5, scales: [full], kind: above, metric: m, bound: 1}}
  note: "</pre>{EVIL.replace('"', "'")}"
"""
PAGE = f"""# One paper {EVIL}

Someone, *A title*, with `code` & {EVIL}

## 4 Results

### The first one

<!-- results:first -->
<!-- /results:first -->

Numbers first.

**It holds** here.

![Two lines {EVIL.replace("[", "")}](../../results/one_paper/first/lines.svg)

![A picture that was lost](../../results/one_paper/first/lost.svg)
"""
# Their figures are being made, or wait for a place on their page; nothing may be added here.


def drawing() -> str:
    with styled():
        fig = figure()
        ax = fig.subplots()
        ax.plot([1, 2], [1, 3], "o-")
        return rendered(fig, "svg").decode()


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A paper with two experiments, of which one has results; the folder of the results."""
    for module in ("repro.study.gather", "repro.study.experiment"):
        monkeypatch.setattr(f"{module}.experiments_dir", lambda: tmp_path / "experiments")
    paper = tmp_path / "experiments/one_paper"
    paper.mkdir(parents=True)
    (paper / "README.md").write_text(PAGE)
    (paper / "first.yaml").write_text(YAML)
    (paper / "second.yaml").write_text("# Another.\nreproduction: {scales: {full: {}}}\n")
    folder = tmp_path / "results/one_paper/first"
    runs = [("r1", "base", 0, "done", "quick"), ("r1", "base", 1, "diverged", "quick")]
    write_csv(folder / "runs.csv", ("run", "variant", "seed", "status", "scale"), runs)
    numbers = {"published": EVIL, "ours": 0.9, "low": 0.8, "high": 1.0, "p_direction": 0.001, "note": EVIL}
    write_claims(
        folder / "claims.csv",
        {**SHARED, "claim": "c1", "says": f"It holds. {EVIL}", **numbers},
        {**SHARED, "claim": "c2", "says": "It | does.", "ours": 0.1, "n": 1, **OPEN},
    )
    (folder / "provenance.json").write_text(
        '{"command": "repro reproduce one_paper/first scale=quick", "ways": [{"commit": "abc", "dirty": true,'
        '"versions": {"torch": "2"}, "device": "<b>cpu", "threads": 1, "runs": ["r1"]}]}'
    )
    (folder / "lines.svg").write_text(drawing())
    (folder / "other.svg").write_text(drawing())
    return tmp_path / "results"


def pictures(page: Elements, folder: Path) -> list[Path]:
    """The files of a page's images."""
    sources = [attrs["src"] or "" for tag, attrs in page.found if tag == "img"]
    return [Path(os.path.normpath(folder / unquote(source))) for source in sources]


def made(study: Path, name: str = "one_paper.html") -> str:
    """The page of the paper, or another one of the report."""
    assert main(["report", "--results-dir", str(study)]) == 0
    return (study / name).read_text()


def refute(study: Path) -> None:
    """The first claim is no longer reproduced."""
    path = study / "one_paper/first/claims.csv"
    path.write_text(path.read_text().replace(",yes,,reproduced,", ",no,,not reproduced,"))


# What is on it


@pytest.mark.parametrize(
    ("name", "scripts", "images", "shown"),
    [("one_paper.html", 0, 2, 6), ("index.html", 0, 1, 4), ("ledger.html", 1, 0, 3)],
)
def test_everything_strange_is_escaped(name: str, scripts: int, images: int, shown: int, study: Path) -> None:
    refute(study)
    page = Elements(made(study, name))
    tags = [tag for tag, _ in page.found]
    assert tags.count("script") == scripts
    assert tags.count("img") == len(pictures(page, study)) == images
    assert not [key for _, attrs in page.found for key in attrs if key.startswith("on")]
    # Claim, published, note and title; on the paper's page its intro, question and YAML.
    assert page.text.count("<script>alert(1)</script>") >= shown
    assert ("</pre><script>" in page.text) == (name == "one_paper.html")


def test_the_page_has_claims_figures_commands_settings_and_provenance(study: Path) -> None:
    text = Elements(made(study)).text
    for part in (
        "0.90 ± 0.10 (n=5)",
        "Table 1",
        "repro figures one_paper/first",
        "published_scale: quick",
        "repro reproduce one_paper/first scale=quick",
        "abc with changes",
        "torch 2",
        "a number, and more of it.",
        "2 runs, 1 variant, seeds 0, 1",
        "1 diverged",
        "It holds here.",
    ):
        assert part in text, part
    assert "Numbers first." not in text
    assert "Does it hold?" in text


def test_figures_are_files_beside_the_page_fetched_when_they_come_into_view(study: Path) -> None:
    page = Elements(made(study))
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    assert pictures(page, study) == [study / f"one_paper/first/{name}.svg" for name in ("lines", "other")]
    assert page.all("loading") == ["lazy", "lazy"]
    says = [attrs["alt"] for tag, attrs in page.found if tag == "img"]
    assert says[0].startswith("Two lines")
    assert says[1] == "Other"  # no page shows it: its name


@pytest.mark.parametrize("name", ["one_paper.html", "index.html", "ledger.html"])
def test_links_lead_somewhere_and_nothing_comes_from_outside(name: str, study: Path) -> None:
    refute(study)
    train_besides(study)
    source = made(study, name)
    for href in Elements(source).all("href"):
        file, _, place = href.partition("#")
        if not href.startswith("data:"):
            target = study / (unquote(file) or name)
            assert target.is_file(), href
            assert not place or place in Elements(target.read_text()).all("id"), href
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", source)


def test_what_is_missing_is_said(study: Path) -> None:
    said = Elements(made(study)).text
    assert "No tables yet" in said
    assert "This figure is missing" in said
    assert "A picture that was lost" in said
    for name in ("claims.csv", "provenance.json", "lines.svg"):
        (study / "one_paper/first" / name).unlink()
    said = Elements(made(study)).text
    assert "No verdicts yet" in said
    assert "how these runs came about is not known" in said
    assert said.count("This figure is missing") == 2


def test_same_input_same_bytes(study: Path) -> None:
    assert made(study) == made(study)


def test_pages_need_no_torch() -> None:
    code = "import sys, repro.verbs.compare, repro.plots.compare, repro.html.render, repro.html.run as _;"
    code += "print([name for name in ('torch', 'hydra') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout == "[]\n"


def test_page_may_lie_elsewhere(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep/er/page.html"
    assert main(["report", "--results-dir", str(study), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "page-ledger.html",
        "page-one_paper.html",
        "page.html",
    ]
    links = [href for path in out.parent.iterdir() for href in Elements(path.read_text()).all("href")]
    files = [href.partition("#")[0] for href in links if not href.startswith(("data:", "#"))]
    assert any("results" in file for file in files)
    assert all((out.parent / unquote(file)).is_file() for file in files)
    assert not (study / "index.html").exists()


def test_figures_without_a_place_on_a_page_are_named(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(study)
    assert "one_paper/first/other: on no page" in capsys.readouterr().out


# What it opens with, and what it is in words


def test_it_opens_with_what_is_not_reproduced_and_what_diverged(study: Path) -> None:
    assert "No claim is refuted." in Elements(made(study, "index.html")).text
    refute(study)
    text = Elements(made(study, "index.html")).text
    opening = text[text.index("What was found") : text.index("Paper by paper")]
    assert "What surprised: 1 of 2 claims are refuted" in opening
    assert "Here: 0.90 ± 0.10 (n=5)" in opening
    assert "It | does." not in opening  # inconclusive
    assert "their loss being no longer finite: 1 of 2 in The first one." in " ".join(opening.split())
    assert "What did not hold: 1 claims" in Elements(made(study)).text


def test_it_opens_with_the_finding_of_each_paper_and_the_figure_below_it(study: Path) -> None:
    found = "**Some of it.** Half holds.\n\n![The other](../../results/one_paper/first/other.svg)\n\n### The first one"
    page = study.parent / "experiments/one_paper/README.md"
    page.write_text(PAGE.replace("### The first one", found))
    index = Elements(made(study, "index.html"))
    assert "Some of it. Half holds." in index.text
    assert index.text.index("Some of it.") < index.text.index("Paper by paper")
    assert pictures(index, study) == [study / "one_paper/first/other.svg"]
    assert read_page(page).findings["first"] == "<strong>It holds</strong> here."


def test_each_paper_is_folded_and_each_page_knows_the_others(study: Path) -> None:
    for name, current in (("index.html", "What was found"), ("ledger.html", "The ledger"), ("one_paper.html", "One")):
        page = Elements(made(study, name))
        assert [tag for tag, _ in page.found].count("nav") >= 1
        (here,) = [attrs for _, attrs in page.found if "aria-current" in attrs]
        assert here["href"] == name, current
    folds = [attrs for tag, attrs in Elements(made(study, "ledger.html")).found if tag == "details"]
    assert [attrs for attrs in folds if "open" not in attrs] == folds != []


def test_notes_and_parts_are_in_words(study: Path) -> None:
    folder = study / "one_paper/first"
    rows = [("r1", "relu_he", seed, "done", "quick", 0.5 + seed / 10) for seed in range(2)]
    write_csv(folder / "runs.csv", ("run", "variant", "seed", "status", "scale", "test_accuracy"), rows)
    for name in ("curves.csv.gz", "layers.csv.gz"):
        write_csv(folder / name, ("run",), [])
    both = {
        "claim": "all",
        "says": "Both.",
        "metric": "parts of 2",
        "ours": 1,
        "note": "open: test_accuracy of relu_he",
    }
    one = {"claim": "one", "says": "One.", "ours": 0.1, "note": "test_loss of relu_he is high"}
    write_claims(folder / "claims.csv", *({**SHARED, **OPEN, "n": 2, **claim} for claim in (both, one)))
    experiment = study.parent / "experiments/one_paper/first.yaml"
    parts = "[{kind: above, bound: 0.1}, {kind: below, bound: 0.5}]"
    experiment.write_text(
        "# Does it hold?\nreproduction:\n  published_scale: quick\n  variants: {relu_he: []}\n  claims:\n    all: "
        f"{{says: Both., source: ours, kind: all, metric: test_accuracy, variant: relu_he, claims: {parts}}}\n"
    )
    for name in ("ledger.html", "one_paper.html"):
        text = Elements(made(study, name)).text
        assert "test accuracy: 0.55 (relu he) parts that hold: 1 of 2 (n=2)" in text
        assert "test loss of relu he is high" in text
        assert "test_" not in text.replace(experiment.read_text(), "")


def train_besides(study: Path) -> None:
    """Runs at two other scales, of which one has claims, judged before they were not to be."""
    folder = study / "one_paper/second/smoke"
    runs = [("r1", "base", seed, "done", "smoke") for seed in range(2)]
    for scale in ("smoke", "custom"):
        write_csv(folder.parent / scale / "runs.csv", ("run", "variant", "seed", "status", "scale"), runs)
    refuted = {"says": "It shines.", "ours": 0.25, "n": 2, "scale": "smoke", "verdict": "not reproduced"}
    write_claims(folder / "claims.csv", {**SHARED, "experiment": "second", "claim": "c1", **refuted})


def test_other_scales_have_numbers_and_no_verdicts(study: Path) -> None:
    train_besides(study)
    text = " ".join(Elements(made(study)).text.split())
    told = text[text.index("Trained at scale smoke as well: numbers, no verdicts") :]
    assert told.startswith("Trained at scale smoke as well: numbers, no verdicts 2 runs, 1 variant, seeds 0, 1")
    assert "It shines.0.25 (n=2)" in told
    assert "Trained at scale custom as well" in text
    assert "not reproduced" not in text
    index = " ".join(Elements((study / "index.html").read_text()).text.split())
    assert "Trained besides, at scale smoke, numbers without verdicts: 2 runs" in index
    assert "2 claims, those of the papers and ours: ✓ reproduced 1, ? inconclusive 1." in index


def test_other_scales_alone_are_something_to_report_on(study: Path) -> None:
    train_besides(study)
    for path in (study / "one_paper/first").iterdir():
        path.unlink()
    assert "It shines." in Elements(made(study)).text


# Mistakes


def test_nothing_to_report_on(cli: Callable[..., Said]) -> None:
    assert "no tables in results" in cli("report").mistake


def test_readme_needs_a_place(study: Path, cli: Callable[..., Said], tmp_path: Path) -> None:
    words = ("report", "--results-dir", str(study), "--readme")
    assert "no file nowhere.md" in cli(*words, "nowhere.md").mistake
    (tmp_path / "page.md").write_text("# Title\n")
    assert "needs the line <!-- ledger --> once" in cli(*words, "page.md").mistake


def test_a_drawing_of_somebody_else_stays_an_image(study: Path) -> None:
    evil = '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
    (study / "one_paper/first/lines.svg").write_text(evil)
    source = made(study)
    assert "onload" not in source
    assert pictures(Elements(source), study)[0].read_text() == evil  # as it lies there, and only ever shown by <img>


# Words


def test_head_of_an_experiment_file() -> None:
    head = read_head(YAML)
    assert head.asks == f"Does it hold? {EVIL}"
    assert head.facts == (
        ("Run", "repro reproduce one_paper/first scale=quick"),
        ("Published", "a number, and more of it."),
    )
    assert (
        read_head("# Dropout: one question.\n# Full: 10 seeds.\na: 1\n# later: no\n").asks == "Dropout: one question."
    )
    assert read_head("a: 1\n").asks == ""


def test_inline_markup() -> None:
    assert markup("a `b*c*` **d *e*** [f & g](h.md) <i>") == (
        "a <code>b*c*</code> <strong>d <em>e</em></strong> f &amp; g &lt;i&gt;"
    )


def test_paper_without_a_page_has_its_name(tmp_path: Path) -> None:
    assert read_page(tmp_path / "some_paper/README.md").title == "some_paper"


# The ledger in a page


def test_readme_ledger(study: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- ledger -->\nformer\n<!-- /ledger -->\nafter\n")
    assert main(["report", "--results-dir", str(study), "--readme", str(page)]) == 0
    text = page.read_text()
    assert "former" not in text
    words = "reproduced | direction only | not reproduced | holds | does not hold | inconclusive"
    assert text.startswith(f"before\n<!-- ledger -->\n| paper | whose | {words} | statements |")
    assert "| the paper's, smaller | 1 | 0 | 0 |  |  | 0 | 1 |" in text
    assert "| all | ours |  |  |  | 0 | 0 | 1 | 1 |" in text
    assert "Of 1 statements that are reproduced one by one, 1 are so when all claims" in text
    late = "It \\| does. (worded after its runs)"
    assert f"| {late} | (ours) | 0.1 (n=1) | quick | open |  | inconclusive | inconclusive |" in text
    assert "No verdicts yet: Second." in text
    assert "| The first one | It holds at full size | 0.5 | full |" in text
    assert "<summary>One paper &lt;script&gt;" in text
    assert not (study / "index.html").exists()
