"""The user's own table as a data set: targets, columns, splits, and what is said of them."""

import numpy as np
import pytest
import torch

from loading import error_of, load


@pytest.fixture
def csv(tmp_path):
    """Writes a table of the given text; returns its path."""

    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def flowers(rows=60):
    lines = [f"{i % 7}.5,{i * 7 % 60},{'ab'[i % 2]}" for i in range(rows)]
    return "width,height,kind\n" + "\n".join(lines) + "\n"


def notes(data):
    return " ".join(" ".join(data.about.notes).split())


# Targets


def test_classes_of_text(csv):
    data = load("table", path=csv(flowers()), target="kind", preprocessing="none")
    assert data.outputs == 2
    assert [len(s) for s in (data.train, data.valid, data.test)] == [42, 6, 12]
    assert data.about.classes == ("a", "b")
    for name in ("train", "valid", "test"):
        split = getattr(data, name)
        rows = data.about.samples[name].index.to_numpy() - 1
        assert torch.equal(split.y, torch.as_tensor(rows % 2))
        assert torch.equal(split.x[:, 0], torch.as_tensor(rows % 7 + 0.5, dtype=torch.float32))
        assert torch.equal(split.x[:, 1], torch.as_tensor(rows * 7 % 60, dtype=torch.float32))
    assert "table.csv" in data.source


def test_numbers_are_standardized_by_the_training_split(csv):
    text = "a;b;price\n" + "\n".join(f"{i * 7 % 30};{i * i};{3 * (i * 7 % 30) + 300}" for i in range(30))
    data = load("table", path=csv(text), target="price", targets="numbers", preprocessing="none")
    assert data.outputs == 1
    assert data.train.y.shape == (21, 1)
    assert data.train.y.dtype == torch.float32
    assert data.train.y.mean().item() == pytest.approx(0, abs=1e-6)
    assert data.train.y.std(correction=0).item() == pytest.approx(1, rel=1e-6)
    for split in (data.train, data.valid, data.test):
        prices = data.about.mean + data.about.deviation * split.y
        assert torch.allclose(prices, 3 * split.x[:, :1] + 300, atol=1e-3)


def test_whole_numbers_are_numbers_where_the_task_wants_numbers(csv):
    path = csv("a,b\n" + "\n".join(f"{i * 7 % 30},{i % 3 + 5}" for i in range(30)))
    classes = load("table", path=path, target="b")
    assert (classes.outputs, classes.about.classes) == (3, ("5", "6", "7"))
    values = load("table", path=path, target="b", targets="numbers")
    assert (values.outputs, values.train.y.dtype) == (1, torch.float32)


@pytest.mark.parametrize(
    "labels",
    [
        ["01", "1"],
        ["NA", "None", "null", "nan"],
        ["1.0", "0.0"],
        ["True", "False"],
        ["-", "?"],
        ["2", "10", "9"],
        ["é", "e"],
        ["yes", "YES"],
    ],
)
def test_classes_are_what_is_written(csv, labels):
    path = csv("x,y\n" + "\n".join(f"{i * 7 % 40}.5,{labels[i % len(labels)]}" for i in range(40)))
    data = load("table", path=path, target="y")
    assert set(data.about.classes) == set(labels)
    for name in ("train", "valid", "test"):
        y = getattr(data, name).y
        assert [data.about.classes[i] for i in y] == data.about.targets[name].tolist()


def test_classes_that_are_numbers_are_in_their_order(csv):
    path = csv("x,y\n" + "\n".join(f"{i * 7 % 40}.5,{(2, 10, 9)[i % 3]}" for i in range(40)))
    assert load("table", path=path, target="y").about.classes == ("2", "9", "10")


def test_what_is_doubtful_of_a_target_is_said(csv):
    ratings = csv("x,y\n" + "\n".join(f"{i * 7 % 90}.5,{i % 15}" for i in range(90)), "ratings.csv")
    assert "all 15 classes are numbers; task=regression" in notes(load("table", path=ratings, target="y"))
    twice = csv("x,y\n" + "\n".join(f"{i * 7 % 40}.5,{('1', '01')[i % 2]}" for i in range(40)), "twice.csv")
    assert "same number spelled differently" in notes(load("table", path=twice, target="y"))
    binary = csv("x,y\n" + "\n".join(f"{i * 7 % 40}.5,{i % 2}" for i in range(40)), "binary.csv")
    assert "task=classification would" in notes(load("table", path=binary, target="y", targets="numbers"))


def test_rows_without_a_target_are_left_out_and_counted(csv):
    text = flowers().replace("6.5,42,a", "6.5,42,")
    data = load("table", path=csv(text), target="kind")
    assert sum(data.sizes.values()) == 60 - text.count(",\n") > 50
    assert f"{text.count(',' + chr(10))} rows without kind" in notes(data)


# Columns


def test_what_cannot_be_learnt_from_is_left_out_with_a_line(csv):
    lines = (f"{i},n{i},{i * 7 % 40}.5,3,,{'xy'[i % 2]},{1000 + i * 3}" for i in range(40))
    path = csv(",name,a,same,nothing,c,customer_id\n" + "\n".join(lines))
    data = load("table", path=path, target="c")
    assert data.shape == (1,)
    said = notes(data)
    for part in ("(counts the rows)", "name (text with 40", "same (3 in every row)", "nothing (empty)", "identifies"):
        assert part in said
    kept = load("table", path=path, target="c", keep=["name", "same", "customer_id"], max_categories=10)
    assert kept.shape == (1 + 1 + 1 + 10,)
    assert load("table", path=path, target="c", drop=["a"], keep=["same"]).shape == (1,)


def test_categories_become_one_column_each_and_two_become_one(csv):
    path = csv("colour,sex,y\n" + "\n".join(f"{'rgb'[i % 3]},{'mf'[i // 2 % 2]},{'pq'[i % 2]}" for i in range(60)))
    data = load("table", path=path, target="y")
    assert data.shape == (4,)
    assert set(data.train.x.flatten().tolist()) == {0.0, 1.0}
    rows = data.about.samples["train"]
    assert torch.equal(data.train.x[:, :3].argmax(1), torch.as_tensor(["bgr".index(c) for c in rows["colour"]]))
    assert torch.equal(data.train.x[:, 3], torch.as_tensor([float(s == "m") for s in rows["sex"]]))


def test_categories_that_training_lacks_are_all_zero(csv):
    lines = [f"{'rgb'[i % 3]},{i * 7 % 60},{'pq'[i % 2]}" for i in range(60)]
    path = csv("colour,when,y\n" + "\n".join([*lines[:-2], "new,60,p", "new,61,q"]))
    data = load("table", path=path, target="y", time="when", test_size=2, valid_size=2)
    assert data.about.samples["test"]["colour"].tolist() == ["new", "new"]
    assert torch.equal(data.test.x, torch.zeros(2, 3))


def test_numbers_that_are_missing_are_the_median_and_marked(csv):
    cells = ["NA" if i % 10 == 3 else str(i % 9) for i in range(60)]
    path = csv("a,b,y\n" + "\n".join(f"{c},{i * 7 % 60}.5,{'pq'[i % 2]}" for i, c in enumerate(cells)))
    data = load("table", path=path, target="y", preprocessing="none")
    assert data.shape == (3,)
    a = data.about.samples["train"]["a"]
    median = np.median([float(v) for v in a if v != "NA"])
    expected = [median if v == "NA" else float(v) for v in a]
    assert data.train.x[:, 0].tolist() == expected
    assert data.train.x[:, 2].tolist() == [float(v == "NA") for v in a]


def test_empty_cells_of_text_are_a_category(csv):
    path = csv("a,b,y\n" + "\n".join(f"{('u', 'v', '')[i % 3]},{i * 7 % 60}.5,{'pq'[i % 2]}" for i in range(60)))
    assert load("table", path=path, target="y").shape == (1 + 3,)


def test_dates_are_days(csv):
    path = csv("d,y\n" + "\n".join(f"2020-01-{i % 28 + 1:02} 12:00,{'pq'[i % 2]}" for i in range(60)))
    data = load("table", path=path, target="y", preprocessing="none")
    days = [float(d[8:10]) - 1 for d in data.about.samples["train"]["d"]]
    assert data.train.x[:, 0].tolist() == days


def test_standardizing_goes_by_the_training_rows_alone(csv):
    path = csv("when,a,y\n" + "\n".join(f"{i},{i * i},{'pq'[i % 2]}" for i in range(50)))
    data = load("table", path=path, target="y", time="when")
    assert data.train.x.mean().item() == pytest.approx(0, abs=1e-6)
    assert data.test.x.mean().item() > 2


def test_large_numbers_keep_their_differences(csv):
    path = csv("when,y\n" + "\n".join(f"{1_700_000_000 + i * 7 % 20},{'ab'[i % 2]}" for i in range(20)))
    x = load("table", path=path, target="y", preprocessing="center", keep=["when"]).train.x
    assert len(set(x.flatten().tolist())) == 14  # float32 alone knows them to 128 only


def test_codes_with_leading_zeros_are_categories(csv):
    path = csv("code,y\n" + "\n".join(f"{i % 4:03},{'pq'[i % 2]}" for i in range(40)))
    assert load("table", path=path, target="y").shape == (4,)
    path = csv("code,y\n" + "\n".join(f"{i % 4},{'pq'[i % 2]}" for i in range(40)))
    assert load("table", path=path, target="y").shape == (1,)
    assert load("table", path=path, target="y", categories=["code"]).shape == (4,)


# Splits


def test_groups_stay_together(csv):
    path = csv("patient,a,y\n" + "\n".join(f"p{i // 5},{i * 7 % 100}.5,{'uv'[i % 2]}" for i in range(100)))
    data = load("table", path=path, target="y", group="patient")
    groups = [set((data.about.samples[name].index - 1) // 5) for name in ("train", "valid", "test")]
    assert [len(g) for g in groups] == [14, 2, 4]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    assert data.shape == (1,)


def test_time_goes_forward(csv):
    path = csv("day,a,y\n" + "\n".join(f"20{10 + i * 7 % 50}-01-01,{i}.5,{'uv'[i % 2]}" for i in range(50)))
    data = load("table", path=path, target="y", time="day", keep=["day"], preprocessing="none")
    train, valid, test = (getattr(data, name).x[:, 0] for name in ("train", "valid", "test"))
    assert train.max() < valid.min() <= valid.max() < test.min()
    assert [len(train), len(valid), len(test)] == [35, 5, 10]


def test_a_split_without_a_class_is_named(csv):
    lines = [f"{i * 7 % 150}.5,{'ab'[i % 2] if i > 1 else 'rare'}" for i in range(150)]
    data = load("table", path=csv("x,y\n" + "\n".join(lines)), target="y")
    assert "test has no sample of rare: no test score says anything of it" in notes(data)
    assert data.about.uneven
    assert not load("table", path=csv(flowers()), target="kind").about.uneven


@pytest.mark.parametrize("size", ["valid_size", "test_size"])
@pytest.mark.parametrize("text", [flowers(), "a,b,kind\n" + "1,x,u\n2,,v\n,y,u\n" * 20])
def test_a_split_may_be_empty(csv, text, size):
    data = load("table", path=csv(text), target="kind", **{size: 0})
    split = getattr(data, size.removesuffix("_size"))
    assert len(split) == 0
    assert split.x.shape[1:] == data.train.x.shape[1:]


def test_subset_is_taken_before_anything_is_learnt(csv):
    data = load("table", path=csv(flowers()), target="kind", subset=20)
    assert len(data.train) == 20 == len(data.about.samples["train"])
    assert data.train.x.mean(0).abs().max() < 1e-6


# Without a net


def test_baselines_of_classes(csv):
    path = csv("x,y\n" + "\n".join(f"{i * 7 % 90}.5,{'hi' if i * 7 % 90 > 60 else 'lo'}" for i in range(90)))
    scores = load("table", path=path, target="y").about.baselines()
    assert scores["the commonest class"]["test_accuracy"] == pytest.approx(12 / 18)
    assert scores["the commonest class"]["test_balanced_accuracy"] == 0.5
    assert scores["logistic regression"]["test_accuracy"] > 0.9


def test_baselines_of_numbers_are_in_the_targets_unit(csv):
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 100, 200)
    path = csv(
        "x,y\n" + "\n".join(f"{v:.4f},{300 + 2 * v + e:.4f}" for v, e in zip(x, rng.normal(0, 5, 200), strict=True))
    )
    data = load("table", path=path, target="y", targets="numbers")
    scores = data.about.baselines()
    y = data.about.targets["test"].astype(float)
    assert scores["the mean"]["test_rmse"] == pytest.approx(np.sqrt(np.mean((y - data.about.mean) ** 2)))
    assert 3.5 < scores["ridge regression"]["test_rmse"] < 6.5
    assert scores["ridge regression"]["test_r2"] > 0.98


# Mistakes

ROWS = "a,b,y\n" + "\n".join(f"{i * 7 % 20},{i}.5,{'pq'[i % 2]}" for i in range(20)) + "\n"


@pytest.mark.parametrize(
    ("text", "changes", "parts"),
    [
        (ROWS, {"target": "z"}, ["column in target 'z'", "a, b, y"]),
        (ROWS.replace("a,b,y", "a,b,species"), {"target": "specie"}, ["did you mean species?"]),
        (ROWS, {"target": "y", "drop": ["c"]}, ["column in drop 'c'"]),
        (ROWS, {"target": "y", "keep": ["c"]}, ["column in keep 'c'"]),
        (ROWS, {"target": "y", "group": "c"}, ["column in group 'c'"]),
        (ROWS, {"target": "y", "group": "a", "time": "b"}, ["group", "time", "null"]),
        (ROWS, {"target": "a", "time": "y", "targets": "numbers"}, ["time=y", "'p'", "neither a number nor a date"]),
        (ROWS, {"target": "a", "group": "y", "targets": "numbers"}, ["2 groups", "too few"]),
        (ROWS, {"target": "y", "drop": ["a", "b"]}, ["no column besides 'y'"]),
        (ROWS, {"target": "y", "max_categories": 1}, ["max_categories"]),
        (ROWS, {"target": "y", "targets": "numbers"}, ["column 'y'", "'p'", "row 1", "task=classification"]),
        (ROWS, {"target": "y", "separator": ""}, ["separator"]),
        (ROWS, {"target": "y", "separator": ";"}, ["column in target 'y'"]),
        (ROWS, {"target": "y", "decimal": ";"}, ["decimal"]),
        (ROWS, {"target": "b", "drop": ["y"]}, ["20 classes", "task=regression"]),
        (ROWS.replace("\n1,", "\ninf,"), {"target": "y"}, ["column 'a'", "'inf'", "row 4", "infinite"]),
        (ROWS.replace("3.5,q", "3.5,q,9"), {"target": "y"}, ["no CSV file"]),
        (ROWS.replace("q", "p"), {"target": "y"}, ["in every row", "two classes"]),
        ("x,y\n" + "1.5,2\n2.5,2\n0.5,2\n", {"target": "y", "targets": "numbers"}, ["2 in every row"]),
        ("", {"target": "y"}, ["is empty"]),
        ("a,y\n", {"target": "y"}, ["0 rows", "at least 3"]),
        ("a,y\n1,p\n2,q\n", {"target": "y"}, ["2 rows", "at least 3"]),
        ("a,y\n1,p\n2,q\n4,\n", {"target": "y"}, ["empty in 1 of 3 rows"]),
        ("a,y\n1,p\n2,q\n3,p\n4,q\n", {"target": "y"}, ["all were left out", "counts the rows", "dataset.keep=[a]"]),
        ("a,a,y\n1,2,p\n", {"target": "y"}, ["two columns called 'a'"]),
        (ROWS, {"target": "y", "test_size": 15, "valid_size": 5}, ["no training sample of 20"]),
        (ROWS, {"target": "y", "subset": 20}, ["subset 20", "14"]),
    ],
)
def test_wrong_table(csv, text, changes, parts):
    message = error_of("table", path=csv(text), **changes)
    for part in parts:
        assert part in message
