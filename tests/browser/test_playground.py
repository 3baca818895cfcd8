"""`repro playground` in a browser: by keyboard, on a phone, by address, and without asking for anything."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_pages import CHROMIUM, OVERFLOW, PALE, RESULTS, browser, playwright, pytestmark

from repro.cli import main

__all__ = ["browser", "pytestmark"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of the committed tables."""
    page = tmp_path_factory.mktemp("playground") / "page.html"
    assert CHROMIUM is not None
    assert main(["playground", "--results-dir", str(RESULTS), "--out", str(page)]) == 0
    assert page.stat().st_size < 2_500_000
    return page.as_uri()


@pytest.fixture
def show(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Opens the page, with what stands behind # in its address."""
    contexts = []

    def opened(state: str = "", **settings: Any) -> Any:
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.wrong, page.asked = [], []
        page.on("console", lambda message: page.wrong.append(message.text))
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(address + state)
        return page

    yield opened
    for context in contexts:
        context.close()


def pixels(page: Any) -> str:
    drawn: str = page.evaluate("document.getElementById('regions').toDataURL()")
    return drawn


def test_it_is_whole_and_asks_for_nothing(show: Callable[..., Any], address: str) -> None:
    page = show()
    assert page.wrong == []
    assert page.asked == [address]
    assert page.get_by_role("radio").count() >= 10
    assert "of the test points are told rightly" in page.locator("#says").inner_text()


def test_every_state_has_an_address_and_a_command(show: Callable[..., Any]) -> None:
    state = "#activation=sigmoid&architecture.depth=8&initialization=xavier&normalization=none&backward=exact&step=100"
    page = show(state)
    assert page.get_by_label("sigmoid").is_checked()
    assert page.get_by_label("8", exact=True).is_checked()
    assert page.locator("#step").inner_text() == "100"
    assert page.locator("#command").inner_text() == (
        "repro train experiment=understanding_neural_networks/watched variant=sigmoid architecture.depth=8 "
        "initialization=xavier normalization=none backward=exact trainer.steps=100"
    )
    assert page.url.endswith(state)
    page.get_by_label("batch").check()
    assert "normalization=batch" in page.url
    assert page.locator("#address").get_attribute("href") == page.url[page.url.index("#") :]
    assert pixels(show(page.url[page.url.index("#") :])) == pixels(page)


def test_it_moves_by_keys(show: Callable[..., Any]) -> None:
    page = show("#activation=tanh&architecture.depth=2&initialization=xavier&normalization=none&backward=exact&step=0")
    before = pixels(page)
    page.get_by_role("slider").focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    assert page.locator("#step").inner_text() == "400"
    assert pixels(page) != before, "regions have not moved"
    page.keyboard.press("Home")
    assert page.locator("#step").inner_text() == "0"
    assert pixels(page) == before
    page.get_by_label("tanh", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert not page.get_by_label("tanh", exact=True).is_checked()
    page.get_by_role("button", name="Play").focus()
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#step")).not_to_have_text("0")


def test_deep_sigmoids_say_what_is_wrong(show: Callable[..., Any]) -> None:
    net = "&architecture.depth=8&initialization=xavier&normalization=none&backward=exact&step=0"
    said = show("#activation=sigmoid" + net).locator("#says").inner_text()
    ratio = float(said.split("first layer is ")[1].split(" of the last")[0])
    assert ratio < 1e-3
    bars = show("#activation=sigmoid" + net).locator("#gradients .bar")
    assert bars.count() == 8
    heights = [float(bars.nth(i).get_attribute("height")) for i in range(8)]
    assert heights == sorted(heights)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375, 1280])
def test_on_a_phone_and_in_the_dark(width: int, scheme: str, show: Callable[..., Any]) -> None:
    page = show(viewport={"width": width, "height": 844}, color_scheme=scheme)
    assert page.evaluate(OVERFLOW) == 0
    seen, pale = page.evaluate(PALE)
    assert seen > 20
    assert pale == []


def test_what_is_wrong_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["playground", "--results-dir", str(tmp_path)]) == 2
    assert "make them with: repro reproduce understanding_neural_networks/watched" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
