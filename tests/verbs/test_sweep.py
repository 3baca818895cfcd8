"""What `repro train -m` tells at its end: settings over their seeds, differences, figures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Said
from repro.storage.files import read_json, write_json
from repro.storage.locks import locked
from repro.verbs import sweep
from repro.verbs.hydra_run import run_hydra


def test_sweep(cli: Callable[..., Said], tiny: tuple[str, ...], tmp_path: Path) -> None:
    said = cli("train", "-m", *tiny, "activation=tanh,relu", "seed=range(2)")
    assert said.status == 0
    assert said.out.splitlines()[-1] == "4 runs: 4 done, 0 diverged, 0 failed"
    assert len(list((tmp_path / "results/runs/xor").glob("*/done.json"))) == 4
    assert len([line for line in said.err.splitlines() if line.startswith("done: results/runs/xor/")]) == 4
    again = cli("train", "-m", *tiny, "activation=tanh,relu", "seed=range(2)")
    assert again.err.count("done before: ") == 4


def test_diverged_run_of_a_sweep_is_a_result(cli: Callable[..., Said], tiny: tuple[str, ...]) -> None:
    said = cli("train", "-m", *tiny, "activation=relu", "trainer.epochs=10", "optimizer.lr=0.1,1e30")
    assert said.status == 0
    assert said.out.splitlines()[-1] == "2 runs: 1 done, 1 diverged, 0 failed"
    assert "diverged: results/runs/xor/" in said.err


def table(out: str, begins: str) -> list[list[str]]:
    """The rows of the table below a line."""
    lines = out.partition(begins)[2].splitlines()[3:]
    return [line.split("  ") for line in lines[: next(i for i, line in enumerate([*lines, ""]) if not line.strip())]]


def test_sweep_ends_with_settings_over_their_seeds(cli: Callable[..., Said], tiny: tuple[str, ...]) -> None:
    said = cli("train", "-m", *tiny, "activation=tanh,relu", "seed=range(3)")
    assert said.status == 0
    rows = table(said.out, "at the end: ")
    assert [row[0] for row in rows] == ["activation=tanh", "activation=relu"]
    assert all("(n=3)" in cell for row in rows for cell in row[1:] if cell)
    assert "minus activation=tanh, seed by seed" in said.out
    assert "dataset=xor" not in said.out
    (folder,) = Path("results/sweeps").iterdir()
    assert {f.name for f in folder.iterdir() if f.is_file()} >= {"curves.png", "curves.svg"}
    assert str(folder / "curves.png") in said.out.splitlines()


def test_stacked_and_single_seeds_are_one_setting(cli: Callable[..., Said], tiny: tuple[str, ...]) -> None:
    said = cli("train", "-m", *tiny, "seed=0,2", "replicas=2,1")
    rows = table(said.out, "at the end: ")
    assert [row[0] for row in rows] == ["all"]
    assert "(n=4)" in said.out  # 0 and 1, 2 and 3; 0 and 2 again
    assert "minus" not in said.out


def test_single_seeds_are_not_subtracted(cli: Callable[..., Said], tiny: tuple[str, ...]) -> None:
    said = cli("train", "-m", *tiny, "activation=tanh,relu")
    assert [row[0] for row in table(said.out, "at the end: ")] == ["activation=tanh", "activation=relu"]
    assert "minus" not in said.out


def test_a_sweep_over_a_number_ends_with_a_figure(cli: Callable[..., Said], tiny: tuple[str, ...]) -> None:
    said = cli("train", "-m", *tiny, "optimizer.lr=0.01,0.1,1", "activation=tanh,relu", "seed=0,1")
    assert said.status == 0
    assert "activation=tanh optimizer.lr=0.01" in said.out
    (folder,) = Path("results/sweeps").iterdir()
    figure = (folder / "against-optimizer.lr.svg").read_text()
    assert "activation=relu" in figure
    assert "mean of n=2 seeds and its 95 % interval" in figure
    assert str(folder / "against-optimizer.lr.png") in said.out.splitlines()


def test_runs_that_cannot_be_compared_are_done_all_the_same(
    cli: Callable[..., Said], tiny: tuple[str, ...], undrawn: None
) -> None:
    del undrawn
    assert cli("train", *tiny).status == 0
    (run,) = Path("results/runs/xor").iterdir()
    (run / "curves.csv").write_text("damaged")
    said = cli("train", "-m", *tiny, "seed=0,1")
    assert said.status == 0
    assert "cannot be compared: " in said.err
    assert "(n=2)" in said.out
    assert said.out.splitlines()[-1] == "2 runs: 2 done, 0 diverged, 0 failed"


def test_one_sweep_at_a_time_into_a_folder(cli: Callable[..., Said], tiny: tuple[str, ...]) -> None:
    words = ("train", "-m", *tiny, "hydra.sweep.dir=S")
    assert cli(*words, "seed=0,1").status == 0
    with locked(Path("S")):
        assert cli(*words, "seed=2,3").mistake == (
            "another sweep is at work in S; wait for its end, or choose another hydra.sweep.dir"
        )
        assert [read_json(Path("S", number, "outcome.json"))["overrides"][-1] for number in "01"] == [
            "seed=0",
            "seed=1",
        ]
    said = cli(*words, "seed=2")
    assert said.out.splitlines()[-1] == "1 runs: 1 done, 0 diverged, 0 failed"
    assert len(list(Path("results/runs/xor").glob("*/done.json"))) == 3


def test_only_the_same_job_counts_as_ended(
    cli: Callable[..., Said], tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of another sweep, which was killed and whose cluster still worked on it, has left its outcome."""

    def late(*arguments: Any) -> None:
        write_json(Path("S/0/outcome.json"), {"overrides": ["seed=7"], "status": "done", "folder": "x", "value": 1.0})
        run_hydra(*arguments)

    monkeypatch.setattr(sweep, "run_hydra", late)
    assert cli("train", "-m", *tiny, "seed=0,1", "hydra.sweep.dir=S").status == 0
    assert len(list(Path("results/runs/xor").glob("*/done.json"))) == 2


@pytest.mark.parametrize("name", ["res (1)", "it's, mine", "res,two", "1_0", "a\\b = c"])
def test_folders_of_any_name(name: str, cli: Callable[..., Said], tiny: tuple[str, ...]) -> None:
    said = cli("train", "-m", *tiny, "seed=0,1", "--results-dir", name)
    assert said.out.splitlines()[-1] == "2 runs: 2 done, 0 diverged, 0 failed", said.err
    assert len(list(Path(name, "sweeps").glob("*/?/outcome.json"))) == 2
    said = cli("train", "-m", *tiny, "seed=0,1", f"results_dir={name}", f"hydra.sweep.dir={name}/S {name}")
    assert said.err.count("done before: ") == 2
    assert len(list(Path(name, f"S {name}").glob("?/outcome.json"))) == 2


def test_reproduction_in_folders_of_any_name(cli: Callable[..., Said]) -> None:
    said = cli("reproduce", "linear_backprop/toy", "scale=smoke", "results_dir=it's, (1)", "hydra.sweep.dir=S (2)")
    assert "6 runs: 6 done, 0 diverged, 0 failed" in said.out.splitlines(), said.err
    assert {f.name for f in Path().iterdir()} == {"it's, (1)", "S (2)"}
