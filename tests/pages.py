"""Pages taken apart."""

import base64
from html.parser import HTMLParser


class Elements(HTMLParser):
    """Names and attributes of every element, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.found if name in attrs]


def drawings(page: Elements) -> list[bytes]:
    """The SVG files inside a page's images, all of which hold one."""
    start = "data:image/svg+xml;base64,"
    sources = [attrs["src"] or "" for tag, attrs in page.found if tag == "img"]
    assert all(source.startswith(start) for source in sources)
    return [base64.b64decode(source.removeprefix(start), validate=True) for source in sources]
