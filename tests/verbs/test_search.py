"""Searches: what they find, how they go on after a kill, how they end, and what they refuse."""

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from conftest import TINY, Said
from repro.config.compose import compose
from repro.config.run import resolve

SEARCH = ("train", "-m", "hydra/sweeper=optuna", *TINY)
# A command line whose process is killed as its second run ends.
KILLED = """
import os, signal
from repro.cli import main
from repro.training import run

write, done = run.write_json, []

def killing(path, content):
    write(path, content)
    if path.name == "done.json":
        done.append(path)
    if len(done) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

run.write_json = killing
main()
"""
RATE = "optimizer.lr=tag(log,interval(1e-5,10))"


@pytest.fixture
def search(cli: Callable[..., Said]) -> Callable[..., Said]:
    pytest.importorskip("optuna", reason="the extra [search] is not installed")
    return lambda *words: cli(*SEARCH, *words)


def table(folder: Path) -> pd.DataFrame:
    (file,) = folder.glob("results/sweeps/*/search.csv")
    return pd.read_csv(file)


def runs(folder: Path) -> list[str]:
    return sorted(done.parent.name for done in folder.glob("results/runs/xor/*/done.json"))


def test_ten_runs_find_what_is_to_be_found(search: Callable[..., Said], tmp_path: Path) -> None:
    """A net at a rate anywhere from nothing to far too much, with or without a bend in its units, has to learn xor."""
    said = search(
        "hydra.sweeper.n_trials=10", "trainer.epochs=25", "dataset.valid_size=100", RATE, "activation=tanh,identity"
    )
    assert said.status == 0, said.err
    tried = table(tmp_path)
    assert len(tried) == 10
    best = tried.loc[tried["valid_loss"].idxmin()]
    # A linear net stays at chance, log 2, whatever its rate, and so does any that learns too slowly.
    assert best["activation"] == "tanh"
    assert best["valid_loss"] < 0.45
    assert tried[tried["activation"] == "identity"]["valid_loss"].min() > 0.6
    lines = said.out.splitlines()
    assert lines[-1].startswith("10 runs: ")
    assert lines[-1].endswith(" 0 failed")
    (line,) = [one for one in lines if one.startswith("lowest valid_loss of 10 runs: ")]
    assert line.endswith(f"with optimizer.lr={best['optimizer.lr']:g} activation=tanh")
    (typed,) = [one.removeprefix("to see it: repro train ") for one in lines if one.startswith("to see it: ")]
    run = resolve(compose(shlex.split(typed)))
    assert run.folder.resolve() == Path(best["run"]).resolve()
    assert (tmp_path / best["run"] / "done.json").exists()
    (figure,) = tmp_path.glob("results/sweeps/*/search.png")
    assert figure.stat().st_size > 10_000


def test_more_runs_go_on_from_those_that_are_there(search: Callable[..., Said], tmp_path: Path) -> None:
    assert search("hydra.sweeper.n_trials=2", "hydra.sweeper.startup=2", RATE).status == 0
    first = runs(tmp_path)
    said = search("hydra.sweeper.n_trials=4", "hydra.sweeper.startup=2", RATE)
    assert said.status == 0
    assert said.err.count("done before: ") == 2
    assert said.err.count("done: ") == 2
    assert set(first) < set(runs(tmp_path))
    other = search("hydra.sweeper.n_trials=4", "hydra.sweeper.startup=2", RATE, "results_dir=other")
    assert other.err.count("done: ") == 4
    assert sorted(f.parent.name for f in tmp_path.glob("other/runs/xor/*/done.json")) == runs(tmp_path)


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on(search: Callable[..., Said], tmp_path: Path) -> None:
    words = ["hydra.sweeper.n_trials=5", "hydra.sweeper.startup=2", "trainer.epochs=40", RATE, "architecture.width=4,9"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *SEARCH, *words], cwd=tmp_path, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert len(runs(tmp_path)) == 2
    assert search(*words).status == 0
    assert len(runs(tmp_path)) > 2
    assert search(*words, "results_dir=undisturbed").status == 0
    assert sorted(f.parent.name for f in tmp_path.glob("undisturbed/runs/xor/*/done.json")) == runs(tmp_path)
    for run in runs(tmp_path):
        curves = [tmp_path / place / "runs" / "xor" / run / "curves.csv" for place in ("results", "undisturbed")]
        assert curves[0].read_bytes() == curves[1].read_bytes()


def test_runs_in_batches_on_a_local_pool(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the extra [search] is not installed")
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = ["hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=2", "optimizer.lr=interval(0.01,0.5)"]
    words += ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    # A process of its own, as a user's: pools of an earlier test in this one may be closing down.
    subprocess.run([sys.executable, "-m", "repro", *SEARCH, *words], cwd=tmp_path, check=True, timeout=300)
    assert len(runs(tmp_path)) == len(table(tmp_path)) == 3


def test_a_search_goes_by_the_metric_and_which_way_it_is_better(search: Callable[..., Said], tmp_path: Path) -> None:
    words = ["hydra.sweeper.n_trials=5", "hydra.sweeper.startup=3", "trainer.monitor=valid_accuracy", RATE]
    up = search(*words)
    best = next(one for one in up.out.splitlines() if one.startswith("highest")).partition("_accuracy of 5 runs: ")[2]
    tried = table(tmp_path)
    assert float(best.split()[0]) == pytest.approx(tried["valid_accuracy"].max(), rel=1e-3)
    down = search(*words, "hydra.sweeper.direction=minimize", "results_dir=down")
    assert "lowest valid_accuracy of 5 runs: " in down.out
    (file,) = tmp_path.glob("down/sweeps/*/search.csv")
    same = pd.read_csv(file)["optimizer.lr"] == tried["optimizer.lr"]
    assert same.tolist()[:3] == [True, True, True]
    assert not same.all()  # once it goes by results


def test_whole_numbers_and_words_are_tried_as_such(search: Callable[..., Said], tmp_path: Path) -> None:
    words = ["architecture.width=interval(2,9)", "optimizer=sgd,adam", "architecture.dropout=interval(0,0.5)"]
    words.append("trainer.batch_size=range(4,17,4)")
    assert search("hydra.sweeper.n_trials=5", "hydra.sweeper.sampler=random", *words).status == 0
    tried = table(tmp_path)
    assert tried["architecture.width"].dtype.kind == "i"
    assert tried["architecture.width"].between(2, 9).all()
    assert set(tried["optimizer"]) == {"sgd", "adam"}
    assert set(tried["trainer.batch_size"]) <= {4, 8, 12, 16}
    assert tried["architecture.dropout"].between(0, 0.5).all()
    assert tried["architecture.dropout"].nunique() == 5


def test_runs_that_diverge_or_fail_are_worst_and_named(search: Callable[..., Said], tmp_path: Path) -> None:
    diverging = ["activation=relu", "trainer.epochs=8", "optimizer.lr=1e9,0.1", "replicas=2"]
    said = search("hydra.sweeper.n_trials=4", *diverging)
    assert said.status == 0
    assert "optimizer.lr=0.1" in next(one for one in said.out.splitlines() if one.startswith("lowest"))
    tried = table(tmp_path)
    assert tried[tried["optimizer.lr"] == 1e9]["valid_loss"].isna().all()
    assert (tried["optimizer.lr"] == 1e9).any()
    for file in tmp_path.glob("results/sweeps/*/search.csv"):
        file.unlink()
    # The net has two layers below its outputs, so that every second word is refused when the net is there.
    said = search("hydra.sweeper.n_trials=4", "backward=linear_above", "backward.depth=1,99")
    assert said.status == 1
    assert "failed: " in said.err
    assert "with backward.depth=1" in said.out


def test_nothing_that_is_best(search: Callable[..., Said]) -> None:
    said = search("hydra.sweeper.n_trials=2", "activation=relu", "trainer.epochs=8", "optimizer.lr=1e9,1e10")
    assert said.status == 0
    assert "no run has a finite valid_loss" in said.out


REFUSED = {
    "there is nothing to search": [],
    "a search would find the luckiest seed": ["seed=range(3)"],
    "an interval goes from a number up to a greater one": ["optimizer.lr=interval(1,0.1)"],
    "and above 0, as log needs it": ["optimizer.lr=tag(log,interval(0,1))"],
    "is a whole number, and so are the ends": ["architecture.width=interval(1.5,3)"],
    "hydra.sweeper.n_trials must be a whole number of 1 or more": ["hydra.sweeper.n_trials=0", RATE],
    "hydra.sweeper.seed must be a whole number of 0 or more": ["hydra.sweeper.seed=-1", RATE],
    "hydra.sweeper.sampler must be tpe or random, not 'cmaes'": ["hydra.sweeper.sampler=cmaes", RATE],
    "hydra.sweeper.direction must be minimize or maximize": ["hydra.sweeper.direction=up", RATE],
    "unknown setting 'optimizer.rl'": ["optimizer.rl=interval(0,1)"],
    "unknown setting 'hydra.sweeper.trials'": ["hydra.sweeper.trials=3", RATE],
}


@pytest.mark.parametrize(("says", "words"), REFUSED.items(), ids=REFUSED)
def test_refused_in_one_line(says: str, words: Sequence[str], search: Callable[..., Said], tmp_path: Path) -> None:
    assert says in search(*words).mistake
    assert not (tmp_path / "results").exists()


def test_a_metric_that_no_run_has(search: Callable[..., Said]) -> None:
    said = search("dataset.valid_size=0", RATE)
    assert said.status == 2
    assert "has no valid_loss, by which the search goes; set trainer.monitor" in said.err


def test_without_the_extra(cli: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    mistake = cli(*SEARCH, RATE).mistake
    assert "hydra/sweeper=optuna needs the extra: pip install -c constraints.txt -e '.[search]'" in mistake


def test_intervals_and_names_that_are_no_sweepers(cli: Callable[..., Said]) -> None:
    assert "an interval is for a search: add hydra/sweeper=optuna" in cli("train", "-m", *TINY, RATE).mistake
    assert cli("train", *TINY, RATE).mistake == f"{RATE} gives several values; for a sweep or a search add -m"
    unknown = cli("train", "-m", *TINY, "hydra/sweeper=foo", "seed=1,2").mistake
    assert "unknown hydra/sweeper 'foo'; known: basic, optuna" in unknown
    missing = cli("train", "-m", *TINY, "hydra/launcher=slurm", "seed=1,2").mistake
    assert "unknown hydra/launcher 'slurm'" in missing


def test_out_of_a_conf_of_ones_own(cli: Callable[..., Said], tmp_path: Path) -> None:
    """A search may be set up there; the other sweeper, whose jobs are words, and what else would be built, may not."""
    pytest.importorskip("optuna", reason="the extra [search] is not installed")
    file = tmp_path / "conf" / "hydra" / "sweeper" / "short.yaml"
    file.parent.mkdir(parents=True)
    ours = "hydra_plugins.repro_plugin.search.Search"
    settings = "n_trials: 2\nn_jobs: 1\nseed: 3\nsampler: random\nstartup: 1\n"
    file.write_text(f"# Short.\n_target_: {ours}\n{settings}")
    said = cli("train", "-m", *TINY, "hydra/sweeper=short", RATE)
    assert said.status == 0, said.err
    assert "of 2 runs: " in said.out
    for target in ("hydra_plugins.repro_plugin.sweeper.ReproductionSweeper", f"{ours}.sweep", "os.system"):
        file.write_text(f"# Bad.\n_target_: {target}\n{settings}")
        assert (
            "which is no launcher or sweeper of hydra_plugins"
            in cli("train", "-m", *TINY, "hydra/sweeper=short").mistake
        )
    file.write_text(f"# Bad.\n_target_: {ours}\n{settings}direction: {{_target_: {ours}}}\n")
    assert "hydra.sweeper.direction._target_" in cli("train", "-m", *TINY, "hydra/sweeper=short").mistake


def test_the_aim_is_kept_beside_the_runs(search: Callable[..., Said], tmp_path: Path) -> None:
    search("hydra.sweeper.n_trials=1", "activation.alpha=0.5,1", "activation=elu")
    (file,) = tmp_path.glob("results/sweeps/*/search.json")
    aim = {"monitor": "valid_loss", "direction": "minimize", "settings": ["activation.unit.alpha"]}
    assert json.loads(file.read_text()) == aim
