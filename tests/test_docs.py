"""The site of `make docs`: built without a warning, with every page, its search, and nothing from elsewhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from repro.paths import CLONE

pytest.importorskip("material", reason="extra `docs` is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=CLONE,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def test_every_page_is_there_and_can_be_searched(site: Path) -> None:
    pages = [
        *(CLONE / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "results/README.md")),
        *CLONE.glob("docs/*.md"),
        *CLONE.glob("experiments/*/README.md"),
    ]
    indexed = json.loads((site / "search/search_index.json").read_text())["docs"]
    for page in pages:
        own = page.relative_to(CLONE).with_suffix(".html").as_posix().replace("README", "index")
        assert "<h1" in (site / own).read_text()
        assert any(entry["location"].partition("#")[0] == own for entry in indexed), own
    assert any("saturated" in entry["text"] for entry in indexed)
    assert (site / "search/search_index.js").is_file()  # what pages opened as files look into


def test_papers_have_their_names_in_the_navigation(site: Path) -> None:
    html = (site / "index.html").read_text()
    assert ">Index<" not in re.sub(r"\s+", "", html)
    for page in CLONE.glob("experiments/*/README.md"):
        name = next(line for line in page.read_text().splitlines() if line.startswith("# "))
        assert name.removeprefix("# ") in html


def test_pages_are_whole_without_a_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        html = page.read_text()
        fetched = re.findall(r"<(?:script|img|source)[^>]*\ssrc=\"?([^\" >]+)", html)
        fetched += re.findall(r"<link rel=\"?(?:stylesheet|icon|preconnect)\"? href=\"?([^\" >]+)", html)
        assert fetched
        for address in fetched:
            assert not re.match(r"(https?:)?//", address), (page, address)
            if page.name != "404.html":  # shown by a server at any depth: from the root on
                assert (page.parent / address.partition("?")[0]).is_file(), (page, address)


def test_the_ledger_is_tables_on_its_page(site: Path) -> None:
    html = (site / "results/index.html").read_text()
    folds = html.count("<details><summary>") + html.count("<details>\n<summary>")
    assert folds == len(list(CLONE.glob("experiments/*/page.md")))
    assert html.count("<table") > folds
    assert "| --- |" not in html
