"""The pages in a browser: nothing but figures is fetched, filters count, keys reach everything, text can be read."""

import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

import fabricated
from repro.cli import main

playwright = pytest.importorskip("playwright.sync_api", reason="extra `browser` is not installed")
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(NAMES)} is on the PATH")

RESULTS = Path(__file__).parents[2] / "results"
PAPERS = ("linear_backprop", "training_deep_networks")
PAGES = ("report", "ledger", *PAPERS, "run")
WITHOUT_FIGURES = {"ledger"}

# Every piece of text outside drawings with less contrast than 4.5 to what is painted behind it.
PALE = """() => {
  const numbers = (color) => (color.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (color) => {
    const [r, g, b] = numbers(color).map((v) => v / 255).map(linear);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if ((numbers(color)[3] ?? 1) === 1) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || element.closest("svg, script, [hidden]")) continue;
    seen += 1;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${texts.currentNode.data.trim().slice(0, 40)}`);
  }
  return [seen, found];
}"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The report on the committed tables, two of its papers' pages, and a run of made-up numbers."""
    folder = tmp_path_factory.mktemp("pages")
    assert main(["report", "--results-dir", str(RESULTS), "--out", str(folder / "report.html")]) == 0
    run = fabricated.run_folder(folder / "mlp-tanh-seed0-aaaa111111", seeds=range(3), depth=12)
    assert main(["show", str(run), "--html"]) == 0
    pages = {"report": folder / "report.html", "ledger": folder / "report-ledger.html", "run": run / "index.html"}
    pages |= {paper: folder / f"report-{paper}.html" for paper in PAPERS}
    return {name: path.as_uri() for name, path in pages.items()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture
def show(browser: Any, addresses: dict[str, str]) -> Iterator[Callable[..., Any]]:
    """Opens a page in a fresh profile."""
    contexts = []

    def opened(name: str, **settings: Any) -> Any:
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.goto(addresses[name])
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", PAGES)
def test_opens_without_errors_and_asks_for_nothing_but_figures_beside_it(
    name: str, browser: Any, addresses: dict[str, str]
) -> None:
    page = browser.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(addresses[name])
    assert page.locator("h1").count() == 1
    page.locator("footer").scroll_into_view_if_needed()
    page.close()
    assert wrong == []
    own, *figures = asked
    assert own == addresses[name]
    assert all(figure.startswith(RESULTS.as_uri()) and figure.endswith(".svg") for figure in figures)
    assert bool(figures) == (name not in {*WITHOUT_FIGURES, "run"})
    assert name != "report" or Path(unquote(own.removeprefix("file://"))).stat().st_size < 300_000


def test_figures_are_not_fetched_before_they_come_into_view(browser: Any, addresses: dict[str, str]) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 400})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(addresses["training_deep_networks"])
    before = len(asked)
    for figure in page.locator("figure img").all():
        figure.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    assert before < len(asked)
    page.close()


def test_filters_and_search_narrow_the_ledger(show: Callable[..., Any]) -> None:
    page = show("ledger")
    rows, count = page.locator(".ledger .claim"), page.locator("#count")
    total = rows.count()
    shown = page.locator(".ledger .claim:visible")
    assert shown.count() == 0, "papers are to be folded"
    assert count.inner_text() == f"{total} of {total} claims"
    assert count.get_attribute("aria-live") == "polite"

    page.get_by_label("Verdict", exact=True).select_option("not reproduced")
    refuted = shown.count()
    assert 0 < refuted < total
    assert set(shown.locator(".verdict").all_inner_texts()) == {"✗ not reproduced"}
    assert count.inner_text() == f"{refuted} of {total} claims"

    page.get_by_label("Paper", exact=True).select_option("linear_backprop")
    assert 0 < shown.count() < refuted
    assert page.locator(".ledger tbody:visible").count() <= 3, "groups without rows are still there"

    page.get_by_role("button", name="Show all").click()
    playwright.expect(count).to_have_text(f"{total} of {total} claims")
    assert shown.count() == 0
    page.get_by_label("Search", exact=True).fill("GRADIENT vanish")
    assert 0 < shown.count() < total
    assert all("gradient" in text.lower() for text in shown.all_inner_texts())
    page.get_by_label("Search", exact=True).fill("penn treebank")  # stands above the rows
    assert 0 < shown.count() < total
    page.get_by_label("Search", exact=True).fill("no such words at all")
    assert count.inner_text() == f"0 of {total} claims"


def test_all_is_there_without_scripts(show: Callable[..., Any]) -> None:
    page = show("ledger", java_script_enabled=False)
    for summary in page.locator(".fold > summary").all():
        summary.click()
    assert page.locator(".ledger .claim:visible").count() == page.locator(".ledger .claim").count() > 0
    assert not page.locator("#filters").is_visible()


def test_keys_reach_everything(show: Callable[..., Any]) -> None:
    page = show("ledger")
    focused = "document.activeElement.id || document.activeElement.className"
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate(focused) == "main"
    reached: list[str] = []
    fields = {"filter-paper", "filter-verdict", "filter-text"}
    while not fields <= set(reached) and len(reached) < 60:
        page.keyboard.press("Tab")
        reached.append(page.evaluate(focused))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", reached
    assert fields <= set(reached)
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.get_attribute("open") is not None


@pytest.mark.parametrize("width", [320, 375, 768])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out_on_small_screens(name: str, width: int, show: Callable[..., Any]) -> None:
    page = show(name, viewport={"width": width, "height": 844})
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    # Parts that are far away are not laid out before somebody looks at them.
    page.add_style_tag(content="* { content-visibility: visible !important }")
    assert page.evaluate(OVERFLOW) == 0


@pytest.mark.parametrize("name", PAGES)
def test_drawings_and_headings_make_sense_to_those_who_listen(name: str, show: Callable[..., Any]) -> None:
    page = show(name)
    drawings = page.locator("figure img")
    assert drawings.count() > 2 or name in WITHOUT_FIGURES, name
    for drawing in drawings.all():
        drawing.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    assert drawings.evaluate_all("(all) => all.every((d) => d.complete && d.naturalWidth > 100)")
    labels = drawings.evaluate_all("(all) => all.map((d) => d.alt)")
    assert all(len(label) > 4 for label in labels)
    assert page.locator("img:not([alt])").count() == 0
    assert page.locator("figure").count() == page.locator("figure > figcaption").count()
    assert page.locator("table").count() == page.locator("table > caption").count()
    assert page.locator("th:not([scope])").count() == 0
    assert page.locator("html").get_attribute("lang") == "en"
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((e) => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_text_stands_out(name: str, scheme: str, show: Callable[..., Any]) -> None:
    page = show(name, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    seen, pale = page.evaluate(PALE)
    assert seen > 30
    assert pale == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


def test_the_report_opens_with_findings_and_a_figure(show: Callable[..., Any]) -> None:
    page = show("report", viewport={"width": 1280, "height": 844})
    assert page.locator("h1").inner_text() == "What was found"
    assert page.locator(".found strong").first.bounding_box()["y"] < 844
    assert page.locator("figure img").first.bounding_box()["y"] < 844
    assert page.locator("*").count() < 5000  # of some 400 claims, about ten each
    page.locator("nav a").nth(3).click()
    assert "linear_backprop" in page.url
    assert page.locator("[aria-current]").inner_text() == page.locator("h1").inner_text()


@pytest.mark.parametrize("name", ["linear_backprop", "run"])
def test_figures_suit_a_dark_page(name: str, show: Callable[..., Any]) -> None:
    filters = "(all) => all.map((d) => [d.parentElement.classList.contains('shaded'), getComputedStyle(d).filter])"
    light = show(name, color_scheme="light").locator(".plot").evaluate_all(filters)
    assert {filter for _, filter in light} == {"none"}
    dark = show(name, color_scheme="dark").locator(".plot").evaluate_all(filters)
    assert len(dark) == len(light)
    assert all((filter == "none") == shaded for shaded, filter in dark)
    # The map of shares has the colours of a scale, lines have those of the palette.
    assert {shaded for shaded, _ in dark} == ({True, False} if name == "linear_backprop" else {False})


def test_figures_keep_their_size_on_a_phone(show: Callable[..., Any]) -> None:
    page = show("run", viewport={"width": 375, "height": 844})
    sizes = "(all) => all.map((d) => [d.getBoundingClientRect().width, d.naturalWidth, d.parentElement.scrollWidth])"
    for width, natural, inside in page.locator(".plot").evaluate_all(sizes):
        assert abs(width - natural) < 2
        assert inside >= width - 1


def test_numbers_of_a_run_stand_below_each_other(show: Callable[..., Any]) -> None:
    page = show("run")
    cells = page.locator("#metrics ~ .scroll td")
    assert cells.count() > 1
    assert set(cells.evaluate_all("(all) => all.map((c) => getComputedStyle(c).textAlign)")) == {"right"}


def test_paper_has_no_filters_and_is_white(show: Callable[..., Any]) -> None:
    page = show("ledger", color_scheme="dark")
    assert page.locator("#filters").is_visible()
    page.emulate_media(media="print")
    assert not page.locator("#filters").is_visible()
    assert not page.locator("#count").is_visible()
    page.locator(".fold > summary").first.click()
    assert page.locator(".ledger .claim").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
