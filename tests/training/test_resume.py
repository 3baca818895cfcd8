"""A run that is killed ends with the tables of a run that was never interrupted."""

import json
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from conftest import equal
from repro.config.compose import compose
from repro.config.run import resolve
from repro.errors import UserError
from repro.training import checkpoint
from repro.training.loop import Loop
from repro.training.run import Interrupted, train

SIZE = [
    "dataset=xor",
    "dataset.train_size=60",
    "dataset.valid_size=20",
    "dataset.test_size=20",
    "architecture.width=6",
    "architecture.depth=2",
    "trainer.batch_size=20",
    "trainer.checkpoint_seconds=0",
    "diagnostics.probe=20",
    "diagnostics.histogram=2",
    "threads=1",
]
RUNS = {
    # Early stopping and a falling learning rate, both with a memory; everything random at once.
    "single": [
        "activation=noisy_tanh",
        "architecture.dropout=0.2",
        "optimizer=adam",
        "optimizer.lr=0.02",
        "normalization=batch",
        "schedule=plateau",
        "schedule.patience=1",
        "trainer.patience=3",
        "trainer.epochs=25",
        "diagnostics.every=4",
    ],
    "replicas": [
        "activation=noisy_tanh",
        "activation.noise=nah",
        "architecture.dropout=0.2",
        "optimizer=adam",
        "normalization=batch",
        "schedule=cosine",
        "replicas=3",
        "trainer.steps=25",
        "diagnostics.every=3",
    ],
    "penalties": [
        "activation=esp",
        "normalization=layer",
        "optimizer=sgd",
        "trainer.l1=0.001",
        "trainer.clip_norm=0.5",
        "trainer.eval_every=2",
        "trainer.steps=40",
        "schedule=decay_after",
        "diagnostics.every=1",
    ],
    "one_of_two_diverges": [
        "activation=relu",
        "optimizer.lr=400",
        "optimizer.momentum=0.95",
        "replicas=2",
        "seed=6",
        "trainer.steps=30",
        "diagnostics.every=5",
    ],
}

# One process imports torch once and forks for every attempt: kills by the clock, and kills at each of the places where
# a run touches its files.
HARNESS = textwrap.dedent('''
    import json, os, random, signal, sys, time
    from pathlib import Path

    import torch

    torch.set_num_threads(1)
    from repro.config.compose import compose
    from repro.config.run import resolve
    from repro.training import provenance
    from repro.training.run import train

    provenance.code_version = lambda: ("commit", False)  # git takes longer than these runs

    def saved(run):
        try:
            return (run.folder / "checkpoint.pt").stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def attempt(run, after=None, call=None):
        """Train in a child, killed some seconds after it saved or before its n-th touch of a file; True: it ended."""
        child = os.fork()
        if child == 0:
            if call is not None:
                touches = iter(range(call))

                def touching(function):
                    def touch(*args, **more):
                        if next(touches, None) is None:
                            os.kill(os.getpid(), signal.SIGKILL)
                        return function(*args, **more)
                    return touch

                os.write, os.replace, os.ftruncate, os.fsync, Path.replace, torch.save = map(
                    touching, (os.write, os.replace, os.ftruncate, os.fsync, Path.replace, torch.save))
            code = 1
            try:
                sys.stderr = open(os.devnull, "w")
                train(run)
                code = 0
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", flush=True)
            finally:
                os._exit(code)
        if after is not None:
            before = saved(run)
            while saved(run) == before and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                time.sleep(0.002)
            time.sleep(after)
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL, status
            return False
        assert os.WEXITSTATUS(status) == 0, "the run failed"
        return True

    def interrupted(run, kill):
        """Kill until it is enough, then let the run end; how many kills met a run with a checkpoint."""
        met = 0
        for settings in kill:
            if attempt(run, **settings) or (run.folder / "done.json").exists():
                break
            met += (run.folder / "checkpoint.pt").exists() or (run.folder / "checkpoint.previous.pt").exists()
        assert attempt(run)
        return met

    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(seed)
    met = {}
    for name, words in json.loads(sys.argv[3]).items():
        runs = {kind: resolve(compose([*words, f"results_dir={folder / name / kind}"]))
                for kind in ("whole", "clock", "touch")}
        train(runs["whole"])  # here, so that no child has to load what torch loads when it is first used
        seconds = json.loads(next((folder / name / "whole").rglob("summary.json")).read_text())["seconds"]
        clock = interrupted(runs["clock"], [{"after": rng.uniform(0, 0.4) * seconds} for _ in range(4)])
        touch = interrupted(runs["touch"], [{"call": rng.randrange(60)} for _ in range(8)])
        met[name] = [clock, touch]
    print(json.dumps(met))
''')


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """Every run three times: left alone, killed by the clock, killed between two touches of a file."""
    runs = {name: [*SIZE, *words] for name, words in RUNS.items()}
    command = [sys.executable, "-c", HARNESS, str(tmp_path), "20260101", json.dumps(runs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    met = json.loads(done.stdout)
    # Kills that met no checkpoint would show nothing. The clock is not ours, so it is asked for less.
    assert all(clock >= 1 for clock, _ in met.values()), met
    assert all(touch >= 3 for _, touch in met.values()), met
    return tmp_path


def files(folder: Path) -> Path:
    (config,) = folder.rglob("config.yaml")
    return config.parent


# One test, since making the runs takes longest and two workers would make them twice.
def test_killed_runs_end_as_if_nothing_had_been(killed: Path) -> None:
    for name in RUNS:
        whole = files(killed / name / "whole")
        for kind in ("clock", "touch"):
            other = files(killed / name / kind)
            for table in ("curves.csv", "layers.csv"):
                assert (other / table).read_bytes() == (whole / table).read_bytes(), (name, kind, table)
            assert summary(other) == summary(whole), (name, kind)
            assert equal(state(other), state(whole)), (name, kind)
            assert {f.name for f in other.iterdir()} == {f.name for f in whole.iterdir()}, (name, kind)
    check_that_the_runs_show_something(killed)


def summary(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "summary.json").read_text())
    found["settings"].pop("results_dir")
    return {key: value for key, value in found.items() if key not in ("seconds", "steps_per_second")}


def state(folder: Path) -> dict[str, Any]:
    found = torch.load(folder / "checkpoint.pt", weights_only=True)["state"]
    return {key: value for key, value in found.items() if key != "seconds"}


def check_that_the_runs_show_something(killed: Path) -> None:
    single = summary(files(killed / "single" / "whole"))
    assert single["stopped_early"]
    curves = pd.read_csv(files(killed / "single" / "whole") / "curves.csv")
    assert curves[curves["metric"] == "learning_rate"]["value"].nunique() > 2
    assert summary(files(killed / "replicas" / "whole"))["seeds"] == [0, 1, 2]
    diverging = summary(files(killed / "one_of_two_diverges" / "whole"))
    assert sorted(diverging["statuses"].values()) == ["diverged", "done"]


@pytest.fixture
def interrupt(tmp_path: Path, tiny: tuple[str, ...]) -> Callable[..., Any]:
    """A run stopped at a step of its own choice, with two checkpoints in its folder."""

    def stop(*words: str, at: int = 4) -> Any:
        nine = [*tiny, "trainer.steps=9", "trainer.checkpoint_seconds=0", f"results_dir={tmp_path}"]
        run = resolve(compose([*nine, *words]))
        advance, seen = Loop.advance, []

        def stopping(loop: Any) -> Any:
            if len(seen) == at:
                raise KeyboardInterrupt
            seen.append(loop.step)
            return advance(loop)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Loop, "advance", stopping)
            with pytest.raises(KeyboardInterrupt):
                train(run)
        return run

    return stop


def untouched(tmp_path: Path, tiny: tuple[str, ...]) -> Path:
    return train(resolve(compose([*tiny, "trainer.steps=9", f"results_dir={tmp_path / 'whole'}"]))).folder


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: good[:0],
    "truncated": lambda good: good[: len(good) // 2],
    "one bit": lambda good: good[: len(good) // 2] + bytes([good[len(good) // 2] ^ 1]) + good[len(good) // 2 + 1 :],
    "text": lambda good: b"not a checkpoint\n" + good[:0],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_checkpoint_gives_way_to_the_one_before(
    damage: str, interrupt: Callable, tmp_path: Path, tiny: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    run = interrupt()
    latest = run.folder / "checkpoint.pt"
    latest.write_bytes(DAMAGE[damage](latest.read_bytes()))
    assert train(run).trained
    assert "checkpoint.pt is damaged" in caplog.text
    assert "going on from checkpoint.previous.pt" in caplog.text
    whole = untouched(tmp_path, tiny)
    for table in ("curves.csv", "layers.csv"):
        assert (run.folder / table).read_bytes() == (whole / table).read_bytes()


def test_no_good_checkpoint_says_how_to_restart(interrupt: Callable, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    run = interrupt()
    before = {f.name: f.read_bytes() for f in run.folder.iterdir()}
    for name in checkpoint.NAMES:
        (run.folder / name).write_bytes(b"")
        before[name] = b""
    with pytest.raises(UserError, match=r"checkpoint\.pt is damaged .*previous\.pt is damaged .*force=true$") as caught:
        train(run)
    assert "\n" not in str(caught.value)
    assert {f.name: f.read_bytes() for f in run.folder.iterdir()} == before
    again = resolve(compose([*tiny, "trainer.steps=9", f"results_dir={tmp_path}", "force=true"]))
    assert again.id == run.id
    assert train(again).trained
    whole = untouched(tmp_path, tiny)
    assert (run.folder / "curves.csv").read_bytes() == (whole / "curves.csv").read_bytes()


def test_checkpoint_of_another_run_is_refused(interrupt: Callable) -> None:
    one, other = interrupt(), interrupt("seed=1")
    for name in checkpoint.NAMES:
        (one.folder / name).write_bytes((other.folder / name).read_bytes())
    with pytest.raises(UserError, match=r"checkpoint\.pt is not a checkpoint of this run.*force=true"):
        train(one)


def test_a_file_of_somebody_else_s_is_refused(interrupt: Callable) -> None:
    run = interrupt()
    for name in checkpoint.NAMES:
        torch.save({"weights": torch.ones(2)}, run.folder / name)
    with pytest.raises(UserError, match="is not a checkpoint of this run"):
        train(run)


def test_flipped_bits_are_found_wherever_they_are(tmp_path: Path) -> None:
    state = {"step": 3, "parameters": {str(i): torch.randn(20, 20) for i in range(3)}}
    checkpoint.save(tmp_path, "abc", state)
    path = tmp_path / "checkpoint.pt"
    good, rng = path.read_bytes(), random.Random(0)
    for _ in range(60):
        place = rng.randrange(len(good))
        path.write_bytes(good[:place] + bytes([good[place] ^ (1 << rng.randrange(8))]) + good[place + 1 :])
        try:
            found = checkpoint.load(tmp_path, "abc")
        except UserError:
            continue
        assert equal(found, state)  # a bit that nobody reads


def test_finished_run_is_skipped_and_force_redoes_it(trained: Callable) -> None:
    first = trained()
    written = (first.folder / "summary.json").stat().st_mtime_ns
    assert not trained().outcome.trained
    assert (first.folder / "summary.json").stat().st_mtime_ns == written
    again = trained("force=true")
    assert again.outcome.trained
    assert again.folder == first.folder
    assert (first.folder / "summary.json").stat().st_mtime_ns > written


def test_rows_later_than_the_checkpoint_are_dropped(interrupt: Callable, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    run = interrupt()
    with (run.folder / "curves.csv").open("a") as file:
        file.write(f"{run.id},0,8,2.7,train,loss,0.5\n{run.id},0,9,3,tra")  # whole lines and a torn one
    train(run)
    assert (run.folder / "curves.csv").read_bytes() == (untouched(tmp_path, tiny) / "curves.csv").read_bytes()


def test_failed_run_is_marked_and_tried_again(trained: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(loop: Any) -> None:
        del loop
        raise ZeroDivisionError("by zero")

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "advance", broken)
        with pytest.raises(ZeroDivisionError):
            trained()
    run = trained()
    assert run.outcome.trained
    assert not (run.folder / "failed.json").exists()
    assert (run.folder / "done.json").exists()


def test_interruption_is_no_exception_that_a_sweep_swallows() -> None:
    assert not issubclass(Interrupted, Exception)
