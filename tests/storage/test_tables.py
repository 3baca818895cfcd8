"""Tables survive being written, read, killed in the middle of a line, and a full disk."""

import errno
import gzip
import io
import math
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro.errors import UserError
from repro.storage import tables
from repro.storage.files import read_json, write_atomic, write_json
from repro.storage.tables import Table, read, write

COLUMNS = ("run", "seed", "step", "epoch", "split", "metric", "value")
words = st.text(st.characters(exclude_categories=("C", "Zl", "Zp"), exclude_characters="\r\n"), max_size=12)
rows_of_curves = st.lists(
    st.tuples(
        words,
        st.integers(0, 9),
        st.integers(0, 10**9),
        st.floats(0, 1e6),
        words,
        words,
        st.floats(allow_infinity=True, allow_nan=True),
    ),
    max_size=20,
)


def row(step: int, value: float = 0.5) -> tuple[object, ...]:
    return ("0012345678", 0, step, step / 10, "train", "loss", value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(rows=rows_of_curves, cut=st.integers(0, 20))
def test_a_table_survives_write_and_read(tmp_path: Path, rows: list[tuple[object, ...]], cut: int) -> None:
    path = tmp_path / "curves.csv"
    path.unlink(missing_ok=True)
    table = Table(path, COLUMNS)
    table.append(rows[:cut])
    table.append(rows[cut:])
    found = read(path)
    assert list(found.columns) == list(COLUMNS)
    assert len(found) == len(rows)
    for expected, (_, actual) in zip(rows, found.iterrows(), strict=True):
        for name, value in zip(COLUMNS, expected, strict=True):
            same = actual[name] == value or (value != value and math.isnan(actual[name]))
            assert same, (name, value, actual[name])


@pytest.mark.parametrize("missing", [1, 5, 20])
def test_a_torn_last_line_is_ignored_and_then_dropped(tmp_path: Path, missing: int) -> None:
    path = tmp_path / "curves.csv"
    Table(path, COLUMNS).append([row(1), row(2), row(3)])
    whole = path.read_bytes()
    path.write_bytes(whole[:-missing])
    assert read(path)["step"].tolist() == [1, 2]
    table = Table(path, COLUMNS)
    table.append([row(3)])
    assert path.read_bytes() == whole


def test_a_torn_line_longer_than_a_block_is_found(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    Table(path, ("metric",)).append([("kept",)])
    whole = path.read_bytes()
    path.write_bytes(whole + b"x" * 200_000)
    Table(path, ("metric",))
    assert path.read_bytes() == whole


@pytest.mark.parametrize("torn", ["", "run,se"])
def test_a_torn_header_is_written_again(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "curves.csv"
    path.write_text(torn)
    Table(path, COLUMNS).append([row(1)])
    assert read(path)["step"].tolist() == [1]


def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my thesis, without a line end")
    with pytest.raises(UserError, match=r"other columns than run,seed.*move it away"):
        Table(path, COLUMNS)
    assert path.read_text() == "my thesis, without a line end"


def test_truncate_after_drops_later_rows_only(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    table = Table(path, COLUMNS)
    table.append([row(1)])
    early = path.read_bytes()
    table.append([row(10), row(2)])
    table.truncate_after(2)
    assert read(path)["step"].tolist() == [1, 2]
    table.truncate_after(1)
    assert path.read_bytes() == early
    table.truncate_after(0)
    assert read(path).empty
    table.append([row(7)])
    assert read(path)["step"].tolist() == [7]


def test_a_process_killed_while_it_appends_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    code = (
        "import sys; from pathlib import Path; from repro.storage.tables import Table\n"
        f"table = Table(Path({str(path)!r}), {COLUMNS!r})\n"
        "print('ready', flush=True)\n"
        "while True: table.append([('r', 0, 1, 0.1, 'train', 'loss', 0.25)] * 7)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout as out:
        assert out.readline() == b"ready\n"
        while path.stat().st_size < 20_000:
            assert child.poll() is None
        child.kill()
        child.wait(timeout=60)
    assert set(read(path)["value"]) == {0.25}
    Table(path, COLUMNS)
    assert set(path.read_bytes().split(b"\n")[1:]) == {b"r,0,1,0.1,train,loss,0.25", b""}


def test_all_rows_of_a_batch_or_none_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "curves.csv"
    table = Table(path, COLUMNS)
    table.append([row(1)])
    before = path.read_bytes()
    real, calls = os.write, []

    def nearly_full(descriptor: int, data: bytes) -> int:
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, bytes(data)[:10])

    monkeypatch.setattr(os, "write", nearly_full)
    with pytest.raises(UserError, match=r"no space left to write .*curves.csv; free some space or .*results_dir"):
        table.append([row(2), row(3)])
    monkeypatch.undo()
    assert len(calls) == 2
    assert path.read_bytes() == before


@pytest.mark.parametrize(("number", "says"), [(errno.EROFS, "not allowed to write"), (errno.EIO, "cannot write")])
def test_a_failed_replacement_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    path = tmp_path / "summary.json"
    write_json(path, {"old": 1})

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(UserError, match=f"{says} .*summary.json.*results_dir"):
        write_json(path, {"new": 2})
    assert read_json(path) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


def test_a_file_where_a_folder_should_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        Table(tmp_path / "results" / "curves.csv", COLUMNS)
    with pytest.raises(UserError, match="cannot write"):
        write_atomic(tmp_path / "results" / "summary.json", "{}")


def test_words_stay_words(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    rows = [("0012345678", "nan", "nan", "none", math.nan, True), ("12e4567890", "none", "nah", "relu", 0.1, None)]
    write(path, ("run", "variant", "activation.noise", "normalization", "test_accuracy", "dataset.noisy"), rows)
    found = read(path)
    assert found["run"].tolist() == ["0012345678", "12e4567890"]
    assert found["variant"].tolist() == ["nan", "none"]
    assert found["activation.noise"].tolist() == ["nan", "nah"]
    assert found["normalization"].tolist() == ["none", "relu"]
    assert math.isnan(found["test_accuracy"][0])
    assert found["test_accuracy"][1] == 0.1


def test_same_rows_same_bytes_without_name_or_date(tmp_path: Path) -> None:
    rows = [(f"run{i}", i, i, i / 7, "train", 'a "quoted", loss', 1 / (i + 1)) for i in range(300)]
    write(tmp_path / "a" / "one.csv.gz", COLUMNS, rows)
    write(tmp_path / "two.csv.gz", COLUMNS, iter(rows))
    one = (tmp_path / "a" / "one.csv.gz").read_bytes()
    assert one == (tmp_path / "two.csv.gz").read_bytes()
    assert one[4:8] == b"\0\0\0\0"
    pd.testing.assert_series_equal(
        read(tmp_path / "two.csv.gz")["value"],
        pd.Series([float(f"{1 / (i + 1):.9g}") for i in range(300)], name="value"),
    )


WORDS = ("std", "mean", "std_of_mean", "share")


@pytest.mark.parametrize("name", ["layers.csv", "layers.csv.gz"])
@pytest.mark.parametrize("wanted", [["std"], ["mean", "std_of_mean"], ["none"], list(WORDS)])
def test_only_the_rows_with_some_words(tmp_path: Path, name: str, wanted: list[str]) -> None:
    path, columns = tmp_path / name, ("run", "layer", "quantity", "step", "value")
    write(path, columns, ((f"{i:04}", WORDS[i % 3], WORDS[i % 4], i, i / 7) for i in range(500)))
    rows = read(path)
    expected = rows[rows["quantity"].isin(wanted)].reset_index(drop=True)
    found = read(path, only=("quantity", wanted))
    assert len(found) == (500 // 4 * len(wanted) if wanted != ["none"] else 0)
    pd.testing.assert_frame_equal(found, expected, check_dtype=len(found) > 0)


@pytest.mark.parametrize("block", [1, 7, 64, 10_000])
def test_rows_are_found_across_blocks(block: int) -> None:
    lines = [b"run,quantity,value\n", *(f"{i},{WORDS[i % 4]},{i}\n".encode() for i in range(40))]
    for torn in (b"", b"9,std,", b"9,std,1"):
        found = b"".join(tables._with_words(io.BytesIO(b"".join([*lines, torn])), [b",std,", b",mean,"], block))
        assert found == b"".join([lines[0], *(line for line in lines if b",std," in line or b",mean," in line)])


def test_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "layers.csv.gz").write_bytes(gzip.compress(b"run,seed\n" * 99)[:-9])
    with pytest.raises(UserError, match=r"cannot read the table .*layers.csv.gz"):
        read(tmp_path / "layers.csv.gz")
    with pytest.raises(UserError, match=r"cannot read the table .*layers.csv.gz"):
        read(tmp_path / "layers.csv.gz", only=("run", ["a"]))
    with pytest.raises(UserError, match=r"cannot read the table .*none.csv: No such file"):
        read(tmp_path / "none.csv")
    (tmp_path / "summary.json").write_text('{"run": ')
    with pytest.raises(UserError, match=r"summary.json is damaged .*force=true"):
        read_json(tmp_path / "summary.json")


def test_programming_mistakes_are_loud(tmp_path: Path) -> None:
    table = Table(tmp_path / "curves.csv", ("metric", "value"))
    with pytest.raises(ValueError, match="1 values for the 2 columns"):
        table.append([("loss",)])
    with pytest.raises(ValueError, match="line break"):
        table.append([("lo\nss", 1.0)])
