"""What `repro train -m` tells at its end: settings over their seeds, differences, figures."""

from collections.abc import Callable
from pathlib import Path

from conftest import Said


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
