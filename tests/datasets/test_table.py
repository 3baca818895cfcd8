"""The user's own CSV file as a data set."""

import pytest
import torch

from loading import error_of, load


@pytest.fixture
def csv(tmp_path):
    """Writes a table of the given text; returns its path."""

    def write(text):
        path = tmp_path / "table.csv"
        path.write_text(text)
        return str(path)

    return write


def flowers(rows=60):
    lines = [f"{i % 7}.5,{i},{'ab'[i % 2]}" for i in range(rows)]
    return "width,height,kind\n" + "\n".join(lines) + "\n"


def test_table_classes_of_text(csv):
    data = load("table", path=csv(flowers()), target="kind", preprocessing="none")
    assert data.outputs == 2
    assert [len(s) for s in (data.train, data.valid, data.test)] == [42, 6, 12]
    for split in (data.train, data.valid, data.test):
        assert torch.equal(split.y, (split.x[:, 1] % 2).long())  # 'a' is 0, 'b' is 1
        assert torch.equal(split.x[:, 0], split.x[:, 1] % 7 + 0.5)
    assert "table.csv" in data.source


def test_table_values(csv):
    text = "a;b;price\n" + "\n".join(f"{i};{i * i};{i}.5" for i in range(30))
    data = load("table", path=csv(text), target="price", separator=";", preprocessing="none")
    assert data.outputs == 1
    assert data.train.y.shape == (21, 1)
    assert data.train.y.dtype == torch.float32
    assert torch.equal(data.train.y, data.train.x[:, :1] + 0.5)


def test_table_kinds(csv):
    path = csv("a,b\n" + "\n".join(f"{i},{i % 3 + 5}" for i in range(30)))
    classes = load("table", path=path, target="b")
    assert (classes.outputs, sorted(set(classes.train.y.tolist()))) == (3, [0, 1, 2])
    values = load("table", path=path, target="b", kind="regression")
    assert (values.outputs, values.train.y.dtype) == (1, torch.float32)
    assert sorted(set(values.train.y.flatten().tolist())) == [5.0, 6.0, 7.0]


def test_table_drops_columns_and_bears_constant_ones(csv):
    path = csv("name,a,same,c\n" + "\n".join(f"n{i},{i},3,{'xy'[i % 2]}" for i in range(20)))
    assert "dataset.drop=[name]" in error_of("table", path=path, target="c")
    data = load("table", path=path, target="c", drop=["name"])
    assert data.train.x.shape[1] == 2
    assert (data.train.x[:, 1] == 0).all()


def test_table_with_large_numbers_keeps_their_differences(csv):
    path = csv("when,y\n" + "\n".join(f"{1_700_000_000 + i},{'ab'[i % 2]}" for i in range(20)))
    x = load("table", path=path, target="y", preprocessing="center").train.x
    assert len(set(x.flatten().tolist())) == 14  # float32 alone knows them to 128 only


ROWS = "a,b,y\n" + "\n".join(f"{i},{i}.5,{'pq'[i % 2]}" for i in range(20)) + "\n"


@pytest.mark.parametrize(
    ("text", "changes", "parts"),
    [
        (ROWS, {"target": "z"}, ["column in target 'z'", "a, b, y"]),
        (ROWS.replace("a,b,y", "a,b,species"), {"target": "specie"}, ["did you mean species?"]),
        (ROWS, {"target": "y", "drop": ["c"]}, ["column in drop 'c'"]),
        (ROWS, {"target": "y", "drop": ["a", "b"]}, ["no column besides 'y'"]),
        (ROWS, {"target": "y", "kind": "guess"}, ["kind 'guess'", "auto"]),
        (ROWS, {"target": "y", "kind": "regression"}, ["column 'y'", "'p'", "row 1", "kind=classification"]),
        (ROWS, {"target": "y", "separator": ""}, ["separator"]),
        (ROWS, {"target": "y", "separator": ";"}, ["column in target 'y'"]),
        (ROWS, {"target": "b", "kind": "classification", "drop": ["y"]}, ["20 classes", "kind=regression"]),
        (ROWS.replace("3,3.5", "three,3.5"), {"target": "y"}, ["column 'a'", "'three'", "row 4", "number"]),
        (ROWS.replace("3,3.5", "3,"), {"target": "y"}, ["column 'b'", "no value", "row 4"]),
        (ROWS.replace("3,3.5", "3,nan"), {"target": "y"}, ["column 'b'", "no value", "row 4"]),
        (ROWS.replace("3,3.5", "3,inf"), {"target": "y"}, ["column 'b'", "infinite", "row 4"]),
        (ROWS.replace("3,3.5,q", "3,3.5,"), {"target": "y"}, ["column 'y'", "no value", "row 4"]),
        (ROWS.replace("3,3.5,q", "3,3.5,q,9"), {"target": "y"}, ["no CSV file"]),
        (ROWS.replace("\n", ",9\n").replace("y,9", "y", 1), {"target": "y"}, ["no CSV file"]),
        (ROWS.replace("q", "p"), {"target": "y"}, ["in every row", "two classes"]),
        ("", {"target": "y"}, ["is empty"]),
        ("a,y\n", {"target": "y"}, ["0 rows", "at least 3"]),
        ("a,y\n1,p\n2,q\n", {"target": "y"}, ["2 rows", "at least 3"]),
        (ROWS, {"target": "y", "test_size": 15, "valid_size": 5}, ["no training sample of 20"]),
        (ROWS, {"target": "y", "subset": 20}, ["subset 20", "14"]),
    ],
)
def test_wrong_table(csv, text, changes, parts):
    message = error_of("table", path=csv(text), **changes)
    for part in parts:
        assert part in message


def test_table_that_is_no_text_file(tmp_path):
    assert "not found" in error_of("table", path=str(tmp_path / "no.csv"), target="y")
    assert "not found" in error_of("table", path=str(tmp_path), target="y")
    (tmp_path / "x.csv").write_bytes(b"a,y\n\xff\xfe\x00,1\n" * 5)
    assert "no CSV file in UTF-8" in error_of("table", path=str(tmp_path / "x.csv"), target="y")
