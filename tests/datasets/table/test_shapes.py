"""Tables in the shapes that they have in the world: how each is read, and what of it a net is given."""

import gzip
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from loading import load

N = 60


def lines(*cells: Callable[[int], object], sep: str = ",", end: str = "\n") -> str:
    """N lines of cells that are functions of the row."""
    return "".join(sep.join(str(cell(i)) for cell in cells) + end for i in range(N))


def number(i: int) -> str:
    """A number that neither counts nor identifies rows."""
    return f"{i * 7 % 23}.5"


def comma(i: int) -> str:
    return number(i).replace(".", ",")


def kind(i: int) -> str:
    return ("ja", "nein", "vielleicht")[i % 3]


def empty(i: int) -> str:
    del i
    return ""


def noise(i: int) -> float:
    return random.Random(i).random()


@dataclass(frozen=True)
class Shape:
    """A file, the options it takes, and what becomes of it.

    Attributes:
        content: text in UTF-8, or bytes.
        inputs: numbers a row that a net is given.
        classes: names of what is predicted; () for numbers.
        says: parts of the lines that describe it.
        options: of dataset=table; the target is "y" unless given.
        file: its name.
        rows: that are read.
    """

    content: str | bytes
    inputs: int
    classes: Iterable[str] = ("ja", "nein", "vielleicht")
    says: Iterable[str] = ()
    options: dict[str, Any] = field(default_factory=dict)
    file: str = "table.csv"
    rows: int = N


NUMBERS = {"targets": "numbers"}
PASSENGERS = lines(
    lambda i: i + 1,
    lambda i: f'"Name, Mr. {i}"',
    lambda i: ("male", "female")[i // 3 % 2],
    lambda i: "" if i % 6 == 0 else i * 7 % 50,
    lambda i: f"A/{i // 2 * 37} {i}",
    lambda i: "" if i % 4 else f"C{i}",
    lambda i: "SCQ"[i // 2 % 3],
    lambda i: i % 2,
)
SHAPES = {
    "plain": Shape("x,y\n" + lines(number, kind), 1),
    "German spreadsheet": Shape("x;y\n" + lines(comma, kind, sep=";"), 1, says=["semicolon, decimal comma"]),
    "semicolons and points": Shape("x;y\n" + lines(number, kind, sep=";"), 1, says=["separator: semicolon"]),
    "tabs": Shape("x\ty\n" + lines(number, kind, sep="\t"), 1, says=["separator: tab"], file="t.tsv"),
    "bars": Shape("x|y\n" + lines(number, kind, sep="|"), 1, says=["separator: bar"]),
    "columns of blanks": Shape("x    y\n" + lines(number, kind, sep="     "), 1, says=["whitespace"]),
    "blanks after commas": Shape("x, y\n" + lines(number, kind, sep=", "), 1),
    "line ends of Windows": Shape("x,y\r\n" + lines(number, kind, end="\r\n"), 1),
    "line ends of an old Macintosh": Shape("x,y\r" + lines(number, kind, end="\r"), 1),
    "byte order mark": Shape(b"\xef\xbb\xbf" + ("y,x\n" + lines(kind, number)).encode(), 1),
    "UTF-16 of a spreadsheet": Shape(("x\ty\n" + lines(number, kind, sep="\t")).encode("utf-16"), 1, says=["UTF-16"]),
    "Windows-1252": Shape(
        ("größe,y\n" + lines(number, lambda i: ("schön", "naïve")[i % 2])).encode("cp1252"),
        1,
        ("naïve", "schön"),
        ["Windows-1252", "größe"],
    ),
    "line that names the separator": Shape("sep=;\nx;y\n" + lines(comma, kind, sep=";"), 1),
    "packed": Shape(gzip.compress(("x,y\n" + lines(number, kind)).encode()), 1, file="t.csv.gz"),
    "index of pandas": Shape(",x,y\n" + lines(str, number, kind), 1, says=["Unnamed: 0 (counts the rows)"]),
    "row names of R": Shape(
        '"x","y"\n' + lines(lambda i: f'"{i + 1}"', number, lambda i: f'"{kind(i)}"'), 1, says=["(counts the rows)"]
    ),
    "separator at every end": Shape("x,y,\n" + lines(number, kind, empty), 1, says=["(empty)"]),
    "separator at every end but the header's": Shape("x,y\n" + lines(number, kind, empty), 1),
    "empty lines": Shape("x,y\n\n" + lines(number, kind).replace("\n", "\n\n"), 1),
    "rows of separators at the end": Shape("x,y\n" + lines(number, kind) + ",\n,\n", 1),
    "quoted text with separators and line breaks": Shape(
        "note,x,y\n" + lines(lambda i: f'"a, ""b""\n{"cd"[i % 2]}"', number, kind), 2, says=["note (2 different)"]
    ),
    "amounts of money": Shape(
        "price,x,y\n" + lines(lambda i: f'"${1 + i * 7 % 40},{i * 9 % 10}00.00"', number, kind), 2, says=["price, x"]
    ),
    "shares in percent": Shape("rate,y\n" + lines(lambda i: f"{i * 7 % 40}%", kind), 1, says=["numbers      rate"]),
    "thousands by points": Shape(
        "x;z;y\n" + lines(lambda i: f"1.{100 + i * 7 % 40},5", comma, kind, sep=";"), 2, says=["decimal comma"]
    ),
    "missing in many spellings": Shape(
        "x,y\n" + lines(lambda i: ("NA", "", "?", "-", "NaN")[i // 7 % 5] if i % 7 == 0 else number(i), kind),
        2,
        says=["x (9 missing)"],
    ),
    "passengers": Shape(
        "PassengerId,Name,Sex,Age,Ticket,Cabin,Embarked,Survived\n" + PASSENGERS,
        1 + 1 + 1 + 3,
        ("0", "1"),
        ["PassengerId (counts", "Name (text", "Age (10 missing)", "Ticket (text", "Cabin (text", "one of 2 classes"],
        {"target": "Survived"},
    ),
    "houses": Shape(
        "Id,Area,Alley,Sold,Price\n"
        + lines(lambda i: i + 1, number, lambda i: ("None", "Gravel")[i % 2], lambda i: 2000 + i % 9, lambda i: i**2),
        3,
        (),
        ["Id (counts", "Price: numbers of mean"],
        {"target": "Price", **NUMBERS},
    ),
    "measurements over time": Shape(
        "date,load,temperature\n" + lines(lambda i: f"2021-{i // 28 + 1:02}-{i % 28 + 1:02}", number, lambda i: i**1.5),
        1,
        (),
        ["from the earliest date"],
        {"target": "temperature", "time": "date", **NUMBERS},
    ),
    "visits of patients": Shape(
        "patient,visit,x,y\n" + lines(lambda i: f"P{i // 4:03}", lambda i: i % 4, number, lambda i: "sw"[i // 2 % 2]),
        2,
        ("s", "w"),
        ["those of one patient together"],
        {"group": "patient"},
    ),
    "ratings": Shape("x,y\n" + lines(number, lambda i: i * 3 % 5 + 1), 1, "12345", ["task=regression would"]),
    "a survey": Shape(
        "Timestamp,Q1,Q2,y\n"
        + lines(lambda i: f"2024-05-0{i % 9 + 1} 12:{i % 60:02}:00", lambda i: "nyx"[i % 3], lambda i: i * 3 % 5, kind),
        1 + 1 + 3,
        says=["dates        Timestamp", "Q1 (3 different)"],
    ),
    "genes, more columns than rows": Shape(
        ",".join([f"g{j}" for j in range(100)] + ["y"]) + "\n" + lines(*[noise] * 100, kind), 100
    ),
    "one class rare": Shape(
        "x,y\n" + lines(number, lambda i: "rare" if i < 2 else "common"),
        1,
        ("common", "rare"),
        ["has no sample of rare"],
    ),
    "copies": Shape("x,y\n" + lines(number, kind) + "0.5,ja\n" * 3, 1, says=["exact copies"], rows=N + 3),
    "many texts": Shape("city,x,y\n" + lines(lambda i: f"c{i // 3}", number, kind), 11, options={"max_categories": 10}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shape(name: str, tmp_path: Path) -> None:
    shape = SHAPES[name]
    path = tmp_path / shape.file
    path.write_bytes(shape.content if isinstance(shape.content, bytes) else shape.content.encode())
    data = load("table", path=str(path), **{"target": "y", **shape.options})
    said = " ".join("\n".join(data.about.notes).split())
    for part in shape.says:
        assert " ".join(part.split()) in said
    assert data.about.classes == tuple(shape.classes)
    assert data.shape == (shape.inputs,)
    assert sum(data.sizes.values()) == shape.rows
    for split in (data.train, data.valid, data.test):
        assert split.x.isfinite().all()
    assert data.about.baselines()
