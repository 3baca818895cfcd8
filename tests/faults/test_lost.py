"""Jobs of a sweep that diverge, crash, or take their process with them: the others are trained all the same."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from faulty import finish, harm, runs, start

LAUNCHERS = {"basic": (), "joblib": ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_one_diverging_and_one_crashing_job_in_ten(launcher: str, tmp_path: Path) -> None:
    kinds = "activation.harm=none,diverge,crash,a,b,c,d,e,f,g"
    status, out, err = finish(start(tmp_path, "train", "-m", *harm(tmp_path), kinds, *LAUNCHERS[launcher]))
    assert status == 1
    assert out.splitlines()[-1] == "10 runs: 8 done, 1 diverged, 1 failed"
    (failed,) = [line for line in err.splitlines() if line.startswith("repro: failed: ")]
    assert failed == "repro: failed: these units crash"
    assert "activation.harm=crash" in err.splitlines()[err.splitlines().index(failed) + 1]
    (diverged,) = [line for line in out.splitlines() if line.split()[:1] == ["activation.harm=diverge"]]
    assert diverged.endswith("1 of 1")
    assert len(runs(tmp_path / "results")) == 9


def test_a_worker_that_is_killed_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    words = ["train", "-m", *harm(tmp_path), "activation.harm=a,b,kill,c,d,e", *LAUNCHERS["joblib"]]
    status, out, err = finish(start(tmp_path, *words))
    assert status == 1
    assert out.splitlines()[-1] == "6 runs: 5 done, 0 diverged, 1 failed"
    said = err.splitlines()
    place = said.index("repro: failed: its process was killed by SIGKILL (the system does so where memory runs out)")
    assert "activation.harm=kill" in said[place + 1]
    assert len(runs(tmp_path / "results")) == 5
    # Once more it is tried again: what killed it may be gone.
    (tmp_path / "harm.py").write_text((tmp_path / "harm.py").read_text().replace('== "kill"', '== "no more"'))
    status, out, _ = finish(start(tmp_path, *words))
    assert (status, out.splitlines()[-1]) == (0, "6 runs: 6 done, 0 diverged, 0 failed")


def test_a_run_that_wants_too_much_memory_fails_with_its_reason(tmp_path: Path) -> None:
    status, out, err = finish(start(tmp_path, "train", "-m", *harm(tmp_path), "activation.harm=a,memory,b"))
    assert (status, out.splitlines()[-1]) == (1, "3 runs: 2 done, 0 diverged, 1 failed")
    (failed,) = [line for line in err.splitlines() if line.startswith("repro: failed: ")]
    assert "allocate" in failed


def test_a_process_that_is_killed_leaves_a_sweep_to_go_on_with(tmp_path: Path) -> None:
    words = ["train", "-m", *harm(tmp_path), "activation.harm=a,kill,b"]
    assert finish(start(tmp_path, *words))[0] == -9  # the sweep's own process, there being no other
    assert len(runs(tmp_path / "results")) == 1
    (tmp_path / "harm.py").write_text((tmp_path / "harm.py").read_text().replace('== "kill"', '== "no more"'))
    before = {name: (f / "summary.json").stat().st_mtime_ns for name, f in runs(tmp_path / "results").items()}
    status, out, _ = finish(start(tmp_path, *words))
    assert (status, out.splitlines()[-1]) == (0, "3 runs: 3 done, 0 diverged, 0 failed")
    after = {name: (f / "summary.json").stat().st_mtime_ns for name, f in runs(tmp_path / "results").items()}
    assert before.items() <= after.items()


def test_memory_that_is_not_there_when_the_process_starts(tmp_path: Path) -> None:
    """A limit that lets Python and torch start and little else."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "repro",
        "train",
        *harm(tmp_path),
        "architecture.width=20000",
        "architecture.depth=3",
    ]
    few = 3 * 2**30

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (few, few))

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, preexec_fn=limit, timeout=240)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("repro: the net does not fit into memory; ")
    assert not runs(tmp_path / "results")
