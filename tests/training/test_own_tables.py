"""A run on a table of one's own: scores in its units and names, beside what predicts without a net."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import Said
from repro.storage.run_files import read_summary
from repro.storage.tables import read
from repro.study.collect import INPUTS, _without_names
from repro.text.result import line

SMALL = ("architecture.depth=1", "architecture.width=8", "trainer.epochs=3", "diagnostics.predictions=[valid,test]")


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """Three classes that are uneven and easy to tell, with a name and a gap here and there."""
    rows = [
        (("01", "1", "NA")[(i % 7 > 3) + (i % 7 > 5)], (i % 7 > 3) + (i % 7 > 5) + i * 7 % 10 / 20) for i in range(140)
    ]
    text = "".join(f"f{i},{'' if i % 20 == 9 else f'{x:.2f}'},{i % 2},{y}\n" for i, (y, x) in enumerate(rows))
    (tmp_path / "flowers.csv").write_text(f"name,run,seed,kind\n{text}")
    return tmp_path


def trained(cli: Callable[..., Said], folder: Path, *words: str) -> tuple[Said, Path]:
    said = cli("train", "dataset=table", *SMALL, *words)
    assert said.status == 0, said.err
    (done,) = (folder / "results").rglob("done.json")
    return said, done.parent


@pytest.mark.parametrize("seeds", ["replicas=1", "replicas=3"])
def test_classes(flowers: Path, cli: Callable[..., Said], seeds: str) -> None:
    said, folder = trained(cli, flowers, "dataset.path=flowers.csv", "dataset.target=kind", seeds)
    assert said.out.startswith("flowers.csv: 140 rows, 4 columns; separator: comma\n")
    assert line("by the commonest class", "test accuracy 0.5714, test balanced accuracy 0.3333") in said.out
    summary = read_summary(folder)
    assert summary["classes"] == ["01", "1", "NA"]
    assert summary["notes"][0] == said.out.partition("\n")[0]
    with (folder / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    lines = (flowers / "flowers.csv").read_text().splitlines()
    for row in rows:
        _, x, other, kind = lines[int(row["row"])].split(",")
        assert (row["run_"], row["seed_"], row["target"]) == (x, other, kind)
    for seed in summary["seeds"]:
        for split in ("valid", "test"):
            own = [row for row in rows if row["split"] == split and row["seed"] == str(seed)]
            right = [row["target"] == row["predicted"] for row in own]
            metrics = summary["metrics"][str(seed)]
            assert metrics[f"{split}_accuracy"] == pytest.approx(np.mean(right))
            by_class = [
                np.mean([r for r, row in zip(right, own, strict=True) if row["target"] == k]) for k in ("01", "1", "NA")
            ]
            assert metrics[f"{split}_balanced_accuracy"] == pytest.approx(np.mean(by_class))


@pytest.mark.parametrize("seeds", ["replicas=1", "replicas=3"])
def test_numbers(tmp_path: Path, cli: Callable[..., Said], seeds: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, 100)
    text = "".join(f"{v:.4f};{300 + 50 * v:.2f}\n".replace(".", ",") for v in x)
    (tmp_path / "prices.csv").write_text(f"size;price\n{text}")
    words = ("dataset.path=prices.csv", "dataset.target=price", "task=regression")
    said, folder = trained(cli, tmp_path, *words, seeds)
    assert "semicolon, decimal comma" in said.out
    assert "by ridge regression" in said.out
    summary = read_summary(folder)
    with (folder / "predictions.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    for seed in summary["seeds"]:
        own = [row for row in rows if row["seed"] == str(seed)]
        y = np.array([float(row["target"].replace(",", ".")) for row in own])
        errors = y - [float(row["predicted"]) for row in own]
        metrics = summary["metrics"][str(seed)]
        assert metrics["test_rmse"] == pytest.approx(math.sqrt(np.mean(errors**2)), rel=1e-4)
        assert metrics["test_r2"] == pytest.approx(1 - np.mean(errors**2) / y.var(), rel=1e-3, abs=1e-4)
    assert summary["baselines"]["ridge regression"]["test_r2"] > 0.98


def test_the_page_of_a_run_names_the_classes(flowers: Path, cli: Callable[..., Said]) -> None:
    _, folder = trained(cli, flowers, "dataset.path=flowers.csv", "dataset.target=kind")
    assert cli("show", folder.name, "--html").status == 0
    page = (folder / "index.html").read_text()
    assert "What is predicted for the test samples of each class" in page


def test_a_finished_run_is_not_described_again(flowers: Path, cli: Callable[..., Said]) -> None:
    words = ("dataset.path=flowers.csv", "dataset.target=kind")
    trained(cli, flowers, *words)
    again = cli("train", "dataset=table", *SMALL, *words)
    assert again.out.startswith("already trained")


def test_collected_predictions_have_the_columns_of_all_others(flowers: Path, cli: Callable[..., Said]) -> None:
    _, folder = trained(cli, flowers, "dataset.path=flowers.csv", "dataset.target=kind")
    with (folder / "predictions.csv").open() as file:
        header, *lines = csv.reader(file)
    wanted = ["run", "seed", "step", "split", "sample", *INPUTS, "target", "predicted"]
    rows = list(_without_names(header, iter(lines), wanted))
    assert [row[4] for row in rows] == [line[header.index("row")] for line in lines]
    assert [row[5:7] for row in rows] == [["", ""]] * len(lines)
    assert [row[7:] for row in rows] == [line[-2:] for line in lines]


def test_a_summary_without_these_is_a_summary(flowers: Path, cli: Callable[..., Said]) -> None:
    _, folder = trained(cli, flowers, "dataset.path=flowers.csv", "dataset.target=kind")
    summary = json.loads((folder / "summary.json").read_text())
    for key in ("classes", "notes", "baselines"):
        del summary[key]
    (folder / "summary.json").write_text(json.dumps(summary))
    said = cli("show", folder.name)
    assert said.status == 0
    assert "commonest" not in said.out


def test_describe(flowers: Path, cli: Callable[..., Said]) -> None:
    columns = cli("data", "describe", "flowers.csv")
    assert columns.status == 0
    assert "categories   kind (3 different)" in columns.out
    assert "target=COLUMN" in columns.out
    whole = cli("data", "describe", "flowers.csv", "target=kind", "drop=[seed]")
    assert "left out     name (text with 140 different values in 140 rows), seed (as asked)" in whole.out
    assert "by logistic regression" in whole.out
    assert not (flowers / "results").exists()
    said, _ = trained(cli, flowers, "dataset.path=flowers.csv", "dataset.target=kind", "dataset.drop=[seed]")
    assert said.out.startswith(whole.out.partition("\nby the")[0].rstrip())


def test_describe_a_file_with_a_sign_in_its_name(flowers: Path, cli: Callable[..., Said]) -> None:
    (flowers / "flowers.csv").rename(flowers / "depth=3.csv")
    assert cli("data", "describe", "depth=3.csv").status == 0
    assert "by logistic regression" in cli("data", "describe", "depth=3.csv", "target=kind").out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ((), "needs a file"),
        (("no.csv",), "not found"),
        (("flowers.csv", "target=kid"), "did you mean kind?"),
        (("flowers.csv", "target=name", "task=regression"), "task=classification"),
        (("flowers.csv", "target=kind", "separater=,"), "separater"),
        (("flowers.csv", "foo=1"), "unknown setting 'foo'"),
        (("no=file.csv",), "needs a file"),
        (("${x}.csv", "target=kind"), "dataset.path: Interpolation key 'x' not found"),
    ],
)
def test_describe_refuses(flowers: Path, cli: Callable[..., Said], words: tuple[str, ...], part: str) -> None:
    del flowers
    assert part in cli("data", "describe", *words).mistake


def test_words_that_look_like_numbers_stay_words(flowers: Path, cli: Callable[..., Said]) -> None:
    _, folder = trained(cli, flowers, "dataset.path=flowers.csv", "dataset.target=kind")
    table = read(folder / "predictions.csv", words=("target", "predicted"))
    assert set(table["target"]) == {"01", "1", "NA"}
