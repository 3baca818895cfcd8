"""Figures as parts of a page: SVG without what a page must not have twice, or not at all."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from repro.errors import UserError

_NAMESPACE = "{http://www.w3.org/2000/svg}"
_HREFS = ("href", "{http://www.w3.org/1999/xlink}href")
# What drawings are made of. Anything else (script, foreignObject, animations that set attributes) has no place in one.
_DRAWN = frozenset({"svg", "g", "defs", "use", "symbol", "path", "rect", "circle", "ellipse", "line", "polyline",
                    "polygon", "text", "tspan", "image", "clipPath", "mask", "pattern", "linearGradient",
                    "radialGradient", "stop", "marker", "style"})  # fmt: skip
_LEFT_OUT = frozenset({"metadata", "title", "desc"})
_PICTURE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=\s]*")
_URL = re.compile(r"url\(\s*['\"]?(.*?)['\"]?\s*\)", re.IGNORECASE)
_LENGTH = re.compile(r"([\d.]+)(pt|px)?")
_PIXELS = {"pt": 4 / 3, "px": 1.0, None: 1.0}


def inline(text: str, prefix: str, label: str, about: str) -> str:
    """An SVG file as an element of an HTML page.

    Args:
        text: the file's.
        prefix: put before every id, so that the figures of a page do not share any.
        label: what a screen reader says instead of the drawing.
        about: the file, for messages.

    Raises:
        UserError: it is no SVG, or has scripts, event handlers or references to anything outside itself.
    """
    root = _parsed(text, about)
    for element in list(root.iter()):
        _check(element, about)
    used = set(_references(root))
    for element in root.iter():
        _simplify(element, prefix, used)
    width, height = _size(root, about)
    own = {"class": "plot", "role": "img", "aria-label": label, "id": prefix, "width": f"{width:g}",
           "height": f"{height:g}", "viewBox": root.attrib["viewBox"]}  # fmt: skip
    root.attrib.clear()
    root.attrib.update(own)
    return ElementTree.tostring(root, encoding="unicode").strip()


def _parsed(text: str, about: str) -> ElementTree.Element:
    if "<!ENTITY" in text:
        raise _refused(about, "it defines entities")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UserError(f"{about} is no SVG file ({error}); redraw it with: repro figures") from error
    if root.tag != f"{_NAMESPACE}svg":
        raise UserError(f"{about} is no SVG file; redraw it with: repro figures")
    for parent in list(root.iter()):
        for child in list(parent):
            if _name(child) in _LEFT_OUT:
                parent.remove(child)
    return root


def _name(element: ElementTree.Element) -> str:
    return str(element.tag).removeprefix(_NAMESPACE)


def _check(element: ElementTree.Element, about: str) -> None:
    name = _name(element)
    if name not in _DRAWN:
        raise _refused(about, f"it has an element <{name.rpartition('}')[2]}>")
    if name == "style" and ("@import" in (element.text or "") or "<" in (element.text or "")):
        raise _refused(about, "its style sheet imports another")
    for key, value in element.attrib.items():
        if key.rpartition("}")[2].lower().startswith("on"):
            raise _refused(about, f"it has an event handler ({key})")
        inside = value.startswith("#") or (name == "image" and _PICTURE.fullmatch(value))
        if key in _HREFS and not inside:
            raise _refused(about, f"it refers to {value[:40]!r}")
    for value in (*element.attrib.values(), element.text or ""):
        for target in _URL.findall(value):
            if not target.startswith("#"):
                raise _refused(about, f"it refers to {target[:40]!r}")


def _refused(about: str, why: str) -> UserError:
    return UserError(f"{about} is not put on the page: {why}; figures draw and nothing else, redraw it with: "
                     "repro figures")  # fmt: skip


def _references(root: ElementTree.Element) -> Iterator[str]:
    for element in root.iter():
        for key, value in element.attrib.items():
            if key in _HREFS:
                yield value.removeprefix("#")
            for target in _URL.findall(value):
                yield target.removeprefix("#")


def _simplify(element: ElementTree.Element, prefix: str, used: set[str]) -> None:
    """Plain names, ids of the page's own where something refers to them, and no white space that only indents."""
    element.tag = _name(element)
    kept = {}
    for key, value in element.attrib.items():
        if key in _HREFS:
            kept["href"] = f"#{prefix}-{value[1:]}" if value.startswith("#") else value
        elif key == "id":
            if value in used:
                kept[key] = f"{prefix}-{value}"
        elif not key.startswith("{"):
            value = " ".join(value.split()) if key == "d" else value
            kept[key] = _URL.sub(lambda found: f"url(#{prefix}-{found[1][1:]})", value)
    element.attrib.clear()
    element.attrib.update(kept)
    if element.tag == "style":
        # A style sheet inside a page holds for all of it, unless each rule says otherwise.
        element.text = re.sub(r"([^{}]+)(\{[^{}]*\})", rf"#{prefix} \1\2", (element.text or "").strip())
    elif element.tag not in ("text", "tspan"):
        element.text = None
    element.tail = element.tail if (element.tail or "").strip() else None


def _size(root: ElementTree.Element, about: str) -> tuple[float, float]:
    """Width and height in CSS pixels."""
    found = [_LENGTH.fullmatch(root.get(side, "")) for side in ("width", "height")]
    if "viewBox" not in root.attrib or not all(found):
        raise UserError(f"{about} does not say its size; redraw it with: repro figures")
    width, height = (round(float(f[1]) * _PIXELS[f[2]], 2) for f in found if f)
    return width, height
