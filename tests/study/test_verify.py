"""Committed tables made again: what passes, what is named when a number is another, what cannot be made at all."""

import csv
import gzip
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Said
from repro.cli import main
from repro.errors import UserError
from repro.paths import CLONE
from repro.study.differences import FIRST, SHOWN, ZERO, Difference, shares, worst
from repro.study.experiment import Experiment, load
from repro.study.tolerance import Tolerance
from repro.study.verify import Wanted, sample
from repro.training.run import Interrupted

EXPERIMENT = "linear_backprop/toy"
VERIFY = ("reproduce", "--verify", EXPERIMENT, "scale=smoke", "--runs", "1", "--tolerance", "1e-6")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results at smoke scale, of some runs."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("repro.plots.experiment.draw", lambda *_: [])
        patch.setattr("repro.verbs.show.present", lambda *_, **__: None)
        for experiment, runs in ((EXPERIMENT, 3), ("linear_backprop/cost", 1)):
            for job in load(experiment).jobs("smoke")[:runs]:
                assert main(["train", *job.overrides]) == 0
            assert main(["reproduce", experiment, "scale=smoke", "train=false"]) == 0
    return folder / "results"


@pytest.fixture
def tables(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tables in the place of committed ones; temporary folders go below `temporary`."""
    folder = tmp_path / "results" / EXPERIMENT / "smoke"
    shutil.copytree(made / EXPERIMENT / "smoke", folder)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def drawn(tables: Path, **more: int) -> list[str]:
    """The runs that a draw takes; one of seed 0 unless told otherwise."""
    wanted = Wanted("smoke", str(tables.parents[2]), **{"runs": 1, **more})
    return sample(load(EXPERIMENT), wanted).runs


def plant(path: Path, run: str, change: Callable[[list[dict[str, str]]], None]) -> None:
    """Change the rows that a table has of a run."""
    read = gzip.open if path.suffix == ".gz" else open
    with read(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    own = [row for row in rows if row["run"] == run]
    others = [row for row in rows if row["run"] != run]
    change(own)
    with read(path, "wt", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows([*own, *others])


def differing(said: Said) -> str:
    """The one line of the table that says so."""
    (line,) = (line for line in said.out.splitlines() if "differs" in line)
    return line


def test_the_same_numbers_pass_and_nothing_is_left(cli: Callable[..., Said], tables: Path, tmp_path: Path) -> None:
    before = files(tmp_path)
    said = cli(*VERIFY)
    assert said.status == 0, said.err
    assert f"{EXPERIMENT} at scale smoke: 1 of 3 runs trained again" in said.out
    assert "1 runs made again" in said.out
    assert "all numbers are the same" in said.out
    assert {"runs", "curves", "layers", *drawn(tables)} <= set(said.out.split())
    assert files(tmp_path) == before


def test_the_draw_goes_by_the_seed(tables: Path) -> None:
    assert len(drawn(tables, runs=2)) == 2
    assert len(drawn(tables, runs=100)) == 3
    assert drawn(tables) == drawn(tables, seed=0)
    assert len({drawn(tables, seed=seed)[0] for seed in range(9)}) > 1


def test_a_wrong_number_in_runs_is_named(cli: Callable[..., Said], tables: Path) -> None:
    (run,) = drawn(tables)
    before = []

    def change(rows: list[dict[str, str]]) -> None:
        before.append(rows[1]["test_loss"])
        rows[1]["test_loss"] = f"{1.001 * float(before[0]):.9g}"

    plant(tables / "runs.csv", run, change)
    said = cli(*VERIFY)
    assert said.status == 1
    line = differing(said)
    assert line.startswith(run)
    assert "test_loss, seed 1 " in line
    assert before[0] in line
    assert " 0.001 " in line
    assert "1 of 1 runs cannot be made again as they are in the tables" in said.out


def test_a_wrong_number_in_the_curves_is_named(cli: Callable[..., Said], tables: Path) -> None:
    (run,) = drawn(tables)

    def change(rows: list[dict[str, str]]) -> None:
        (row,) = (r for r in rows if (r["split"], r["metric"], r["step"], r["seed"]) == ("valid", "loss", "0", "1"))
        row["value"] = "7.5"

    plant(tables / "curves.csv.gz", run, change)
    said = cli(*VERIFY, "--tolerance", "0.5")
    assert said.status == 1
    assert "valid_loss, step 0, seed 1 " in differing(said)
    assert " 7.5 " in differing(said)
    assert f" {FIRST:.2g} " in differing(said)


def test_a_row_that_is_gone_is_named(cli: Callable[..., Said], tables: Path) -> None:
    plant(tables / "layers.csv.gz", drawn(tables)[0], lambda rows: rows.pop())
    said = cli(*VERIFY)
    assert said.status == 1
    assert " absent " in differing(said)
    assert " layers " in differing(said)


def test_another_word_is_named(cli: Callable[..., Said], tables: Path) -> None:
    plant(tables / "runs.csv", drawn(tables)[0], lambda rows: rows[0].update(status="diverged"))
    said = cli(*VERIFY, "--tolerance", "0.99")
    assert said.status == 1
    assert "status, seed 0 " in differing(said)


def test_a_tolerance_lets_it_through(cli: Callable[..., Said], tables: Path) -> None:
    def change(rows: list[dict[str, str]]) -> None:
        rows[0]["train_loss"] = f"{1.1 * float(rows[0]['train_loss']):.9g}"

    plant(tables / "runs.csv", drawn(tables)[0], change)
    said = cli(*VERIFY, "--tolerance", "0.2")
    assert said.status == 0
    assert "train_loss, seed 0" in said.out
    assert "largest difference 0.091" in said.out


def test_a_number_is_held_to_its_seeds(cli: Callable[..., Said], tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three committed seeds: a number far from what the two others differ by fails."""
    monkeypatch.setattr(Experiment, "tolerance", lambda *_: Tolerance("seeds", 0.0))
    (run,) = drawn(tables)
    words = VERIFY[:-2]
    said = cli(*words)
    assert said.status == 0
    (named,) = (line for line in said.out.splitlines() if line.startswith("not number by number"))
    assert "runs (train_loss, " in named
    assert "; layers (" in named
    assert "status" not in named

    plant(tables / "runs.csv", run, lambda rows: rows[0].update(train_loss="1000000"))
    said = cli(*words)
    assert said.status == 1
    assert "train_loss, seed 0 " in differing(said)
    assert " of seeds " in differing(said)


def test_tables_that_cannot_be_made_again(cli: Callable[..., Said], tables: Path) -> None:
    whole = (tables / "runs.csv").read_text()
    first = whole.splitlines()[1].split(",")[0]
    (tables / "runs.csv").write_text(whole.replace(first, "0123456789"))
    said = cli(*VERIFY)
    assert said.status == 1
    assert "1 runs of the table cannot be composed any more: 0123456789" in said.out
    (tables / "runs.csv").write_text(re.sub(r"(?m)^[0-9a-f]{10}", "0123456789", whole))
    said = cli(*VERIFY)
    assert said.status == 1
    assert f"can be composed: {EXPERIMENT} has other settings now" in said.out
    (tables / "runs.csv").unlink()
    said = cli(*VERIFY)
    assert said.status == 1
    assert f"no tables in results/{EXPERIMENT}/smoke" in said.out


@pytest.mark.usefixtures("tables")
def test_a_run_that_fails_is_named_and_nothing_is_left(
    cli: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UserError("the data are missing")

    monkeypatch.setattr("repro.training.run.train", refuse)
    said = cli(*VERIFY)
    assert said.status == 1
    assert re.search(r"[0-9a-f]{10} \w+ cannot be trained again: the data are missing", said.out)
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.usefixtures("tables")
def test_interrupted(cli: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise Interrupted("saved; the same command resumes there")

    monkeypatch.setattr("repro.training.run.train", stop)
    said = cli(*VERIFY)
    assert said.status == 130
    assert "interrupted; nothing is kept of what was trained to verify" in said.err
    assert "resumes" not in said.err
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.usefixtures("tables")
def test_long_runs_can_be_left_out(cli: Callable[..., Said]) -> None:
    said = cli(*VERIFY, "--longest", "0")
    assert said.status == 0
    assert "that took more than 0 s left out" in said.out
    assert "nothing verified" in said.out


@pytest.mark.usefixtures("tables")
def test_of_several_experiments_the_last_line_says_which(cli: Callable[..., Said]) -> None:
    said = cli("reproduce", "--verify", "linear_backprop", "scale=smoke", "--longest", "0")
    assert said.status == 1
    assert said.out.splitlines()[-1] == (
        "0 of 4 experiments verified; not as in their tables: linear_backprop/cifar10, "
        "linear_backprop/cifar10_augmented, linear_backprop/cost; nothing trained of linear_backprop/toy"
    )


def test_times_are_not_compared(cli: Callable[..., Said], made: Path) -> None:
    said = cli("reproduce", "--verify", "linear_backprop/cost", "scale=smoke", "--runs", "1", f"results_dir={made}")
    assert said.status == 0, said.out
    assert "cost_kept_megabytes" in said.out or "cost_memory_ratio" in said.out


def test_a_committed_experiment(cli: Callable[..., Said]) -> None:
    """Real tables, of short runs."""
    folder = str(CLONE / "results")
    words = ("reproduce", "--verify", "training_deep_networks/dropout", "--runs", "2", "--longest", "2")
    said = cli(*words, f"results_dir={folder}")
    assert said.status == 0, said.out
    assert "2 runs made again" in said.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--runs", "3"), "--runs goes with --verify"),
        (("--verify", "--runs", "0"), "--runs 0: it is a number of runs, 1 or more"),
        (("--verify", "--runs", "many"), "invalid int value: 'many'"),
        (("--verify", "--longest", "-1"), "--longest -1.0: it is a number from 0 on"),
        (("--verify", "--tolerance", "1"), "--tolerance 1.0: it is a share of at least 0 and below 1"),
        (("--verify", "--tolerance", "nan"), "--tolerance nan: it is a share of at least 0 and below 1"),
        (("--verify", "force=true"), "force=... is for training what lacks"),
        (("--verify", "hydra/launcher=joblib"), "hydra/launcher=... is for training what lacks"),
        (("--verify", "--scale", "smoke"), "unknown flag --scale"),
    ],
)
def test_mistakes(words: tuple[str, ...], says: str, cli: Callable[..., Said]) -> None:
    said = cli("reproduce", EXPERIMENT, *words)
    assert said.status == 2
    assert says in said.err


def test_what_is_shown_is_the_worst_of_each_table() -> None:
    found = [Difference("runs.csv", f"m{n}", "seed 0", 1.0, 2.0, n / 100, n / 5, "0.05") for n in range(20)]
    found += [Difference("curves.csv.gz", "c", "seed 0", 1.0, 1.0, 0.0, 0.0, "0.05")]
    shown, more = worst(found)
    assert [one.metric for one in shown] == [*(f"m{n}" for n in range(19, 19 - SHOWN, -1)), "m5", "c"]
    assert more == 14 - SHOWN


def test_shares() -> None:
    assert shares([1.0, 2.0, 0.0], [1.0, 1.0, ZERO]).tolist() == [0.0, 0.5, 0.0]
    nan = float("nan")
    assert shares([nan, nan, float("inf")], [nan, 1.0, 1.0]).tolist() == [0.0, float("inf"), float("inf")]
    assert shares([0.1], [0.3], [2.0]).tolist() == pytest.approx([0.1])
