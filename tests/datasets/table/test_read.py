"""Tables of any separator, decimal sign, quoting and encoding, read back as they were written."""

import csv
import gzip
import io
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro.datasets.table import read
from repro.datasets.table.read import SEPARATORS, numbers, read_sheet
from repro.errors import UserError

LABELS = st.one_of(
    st.sampled_from(["NA", "None", "nan", "null", "-", "01", "1", "1.0", "True", "", "a;b", "c, d", 'e "f"', "g|h"]),
    st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="\x85"), min_size=1, max_size=8),
)
NUMBERS = st.one_of(st.none(), st.integers(-(10**6), 10**6).map(float), st.floats(-1e6, 1e6).map(lambda v: round(v, 2)))
MISSING = st.sampled_from(["", "NA", "n/a", "NaN", "?", "-", "null"])


@st.composite
def written(draw):
    """A table, the numbers and labels in it, and the bytes of its file."""
    separator = draw(st.sampled_from([sign for sign in SEPARATORS.values() if len(sign) == 1]))
    decimal = draw(st.sampled_from(".,"))
    rows = draw(st.lists(st.tuples(NUMBERS, LABELS, MISSING), min_size=3, max_size=12))
    rows = [(0.5, "first", ""), (-12.25, "second", ""), *rows]
    file = io.StringIO(newline="")
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(
        file, delimiter=separator, quoting=quoting, lineterminator=draw(st.sampled_from(["\n", "\r\n"]))
    )
    writer.writerow(["größe", "label"])
    writer.writerows((gap if value is None else repr(value).replace(".", decimal), label) for value, label, gap in rows)
    data = file.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])))
    packed = draw(st.booleans())
    return rows, gzip.compress(data) if packed else data, "t.csv.gz" if packed else "t.csv"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=written())
def test_read_back_equal(tmp_path, table):
    rows, data, name = table
    path = tmp_path / name
    path.write_bytes(data)
    sheet = read_sheet(str(path))
    kept = [row for row in rows if row[1] != "" or (row[0] is not None or row[2] != "")]
    assert sheet.cells["label"].tolist() == [label.strip() for _, label, _ in kept]
    values, text = numbers(sheet.cells["größe"], sheet.decimal)
    assert not text.any()
    np.testing.assert_array_equal(values, [math.nan if value is None else value for value, _, _ in kept])


@pytest.mark.parametrize(
    ("cell", "decimal", "value"),
    [
        ("1,234.50", ".", 1234.5),
        ("1.234,50", ",", 1234.5),
        ("1 234,5", ",", 1234.5),
        ("1\u00a0234", ".", 1234.0),
        ("1'234.5", ".", 1234.5),
        ("$1,200", ".", 1200.0),
        ("12.5%", ".", 12.5),
        ("3,5 €", ",", 3.5),
        ("−4", ".", -4.0),
        ("1e-3", ".", 0.001),
        ("1,5e3", ",", 1500.0),
        ("+7", ".", 7.0),
        (".5", ".", 0.5),
        ("0,123", ".", None),
        ("12,34", ".", None),
        ("1.2.3", ".", None),
        ("12 Main St", ".", None),
        ("0x1F", ".", None),
        ("1_000", ".", None),
        ("True", ".", None),
    ],
)
def test_numbers_as_people_write_them(cell, decimal, value):
    values, text = numbers(pd.Series([cell], dtype=str), decimal)
    assert text.tolist() == [value is None]
    assert values[0] == value if value is not None else np.isnan(values[0])


ROWS = "x;label\n" + "\n".join(f"{i},250;{'ab'[i % 2]}" for i in range(9)) + "\n"


def test_what_was_found_out_is_said(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(ROWS)
    assert read_sheet(str(path)).form == "separator: semicolon, decimal comma"
    path.write_bytes(ROWS.replace("label", "größe").encode("cp1252"))
    assert read_sheet(str(path)).form == "separator: semicolon, read as Windows-1252, decimal comma"
    path.write_text(ROWS.replace(",", ".").replace(";", "  "))
    sheet = read_sheet(str(path))
    assert sheet.form == "separator: whitespace"
    assert numbers(sheet.cells["x"], ".")[0].tolist() == [i + 0.25 for i in range(9)]


def test_what_is_asked_for_goes_before_what_is_found_out(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(ROWS)
    assert list(read_sheet(str(path), separator=",").cells.columns) == ["", "x;label"]
    sheet = read_sheet(str(path), separator="semicolon", decimal=".")
    assert numbers(sheet.cells["x"], sheet.decimal)[0].tolist()[1:] == [i * 1000.0 + 250 for i in range(1, 9)]


def test_files_that_are_no_tables(tmp_path):
    def said(name, data):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError) as caught:
            read_sheet(str(tmp_path / name))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    with pytest.raises(UserError, match="not found"):
        read_sheet(str(tmp_path / "no.csv"))
    with pytest.raises(UserError, match="not found"):
        read_sheet(str(tmp_path))
    assert "no text file" in said("a.csv", b"a,y\n\xff\xfe\x00,1\n" * 5)
    assert "cannot be read" in said("b.csv.gz", b"no gzip at all")
    assert "cannot be read" in said("c.csv.gz", gzip.compress(ROWS.encode())[:-9])
    assert "cannot be read" in said("d.csv.xz", b"no xz at all")
    assert "is empty" in said("e.csv", b"\n\n")
    for suffix in ("parquet", "xlsx", "feather"):
        assert "needs the package" in (text := said(f"f.{suffix}", b"junk")) or "cannot be read as" in text


def test_typed_cells_become_the_text_that_people_see(tmp_path, monkeypatch):
    frame = pd.DataFrame(
        {
            "n": [1, 2, None],
            "x": [0.5, math.nan, 2.0],
            "day": pd.to_datetime(["2024-05-31"] * 3),
            "y": ["01", None, "b"],
        }
    )
    monkeypatch.setitem(read.BINARY, ".xlsx", lambda path: frame if path.endswith("t.xlsx") else None)
    (tmp_path / "t.xlsx").write_bytes(b"a spreadsheet")
    sheet = read_sheet(str(tmp_path / "t.xlsx"))
    assert sheet.form == "xlsx"
    assert sheet.cells["n"].tolist() == ["1", "2", ""]
    assert sheet.cells["x"].tolist() == ["0.5", "", "2.0"]
    assert sheet.cells["y"].tolist() == ["01", "", "b"]
    assert sheet.cells["day"].tolist() == ["2024-05-31 00:00:00"] * 3
