"""Claims before or after their runs, read off a history that is made for it."""

import re
import subprocess
from pathlib import Path

import pytest

from fabricated import write_csv
from repro.errors import UserError
from repro.paths import CLONE
from repro.study import planned as module
from repro.study.experiment import Experiment, select
from repro.study.planned import planned

SAYS = "{{says: {}, source: Table 1, kind: above, metric: m, variant: a, bound: {}}}"


class History:
    """A small clone with one experiment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-q")

    def git(self, *words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        done = subprocess.run(
            ["git", "-C", self.root, *identity, *words], capture_output=True, text=True, check=True, timeout=300
        )
        return done.stdout.strip()

    def commit(self, claims: dict[str, tuple[str, float]] | None = None, **runs: list[int]) -> str:
        """Commit claims (sentence and bound by id), and runs (seeds by the commit that trained them)."""
        if claims is not None:
            self.experiment = claims
            path = self.root / "experiments/p/e.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            body = "\n".join(f"    {name}: {SAYS.format(*claim)}" for name, claim in claims.items())
            path.write_text(f"reproduction:\n  claims:\n{body}\n")
        if runs:
            rows = [("r", "a", seed, "done", "full", commit) for commit, seeds in runs.items() for seed in seeds]
            header = ("run", "variant", "seed", "status", "scale", "commit")
            write_csv(self.root / "results/p/e/runs.csv", header, rows)
        self.git("add", "-A")
        self.git("commit", "-qm", "x", "--allow-empty")
        return self.git("rev-parse", "HEAD")

    def told(self) -> dict[str, bool]:
        claim = {"source": "Table 1", "kind": "above", "metric": "m", "variant": "a"}
        claims = {name: {"says": says, **claim, "bound": bound} for name, (says, bound) in self.experiment.items()}
        return planned(Experiment("p/e", {"variants": {"a": []}, "claims": claims}))


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.setattr(module, "CLONE", tmp_path)
    module._ancestors.cache_clear()
    return History(tmp_path)


def test_claims_that_came_after_the_runs(history: History) -> None:
    first = history.commit({"one": ("It is.", 1.0), "two": ("So.", 2.0)})
    assert history.told() == {"one": True, "two": True}
    history.commit(**{first: [0, 1]})
    # Another sentence and id are the same claim; another bound is not, nor is one that was not there.
    history.commit({"renamed": ("It is so indeed.", 1.0), "two": ("So.", 2.5), "three": ("New.", 3.0)})
    assert history.told() == {"renamed": True, "two": False, "three": False}


def test_the_same_seeds_again_are_no_forecast_but_fresh_ones_are(history: History) -> None:
    first = history.commit({"one": ("It is.", 1.0)})
    history.commit(**{first: [0, 1]})
    second = history.commit({"one": ("It is.", 1.0), "late": ("So.", 2.0)})
    history.commit(**{second: [0, 1]})
    assert history.told() == {"one": True, "late": False}
    history.commit(**{second: [6, 7]})
    assert history.told() == {"one": True, "late": True}


def test_a_claim_that_went_and_came_back_is_as_late_as_it_came_back(history: History) -> None:
    first = history.commit({"one": ("It is.", 1.0), "two": ("So.", 2.0)})
    history.commit({"two": ("So.", 2.0)})
    history.commit(**{first: [0]})
    history.commit({"one": ("It is.", 1.0), "two": ("So.", 2.0)})
    assert history.told() == {"one": False, "two": True}


def test_a_claim_of_the_paper_that_became_ours_is_as_late_as_that(history: History) -> None:
    first = history.commit({"one": ("It is.", 1.0)})
    history.commit(**{first: [0]})
    path = history.root / "experiments/p/e.yaml"
    path.write_text(path.read_text().replace("source: Table 1", "source: ours"))
    history.git("commit", "-qam", "x")
    claim = {"says": "It is.", "kind": "above", "metric": "m", "variant": "a", "bound": 1.0}
    told = [
        planned(Experiment("p/e", {"variants": {"a": []}, "claims": {"one": claim | {"source": source}}}))["one"]
        for source in ("ours", "ours, after Table 1", "Table 1")
    ]
    assert told == [False, False, False]


def test_early_files_did_not_say_whose_a_claim_is(history: History) -> None:
    history.commit({"one": ("It is.", 1.0)})
    path = history.root / "experiments/p/e.yaml"
    whole = path.read_text()
    path.write_text(whole.replace("source: Table 1, ", ""))
    history.git("commit", "-q", "--amend", "-am", "x")
    history.commit(**{history.git("rev-parse", "HEAD"): [0]})
    path.write_text(whole)
    history.git("commit", "-qam", "x")
    assert history.told() == {"one": True}


def test_runs_whose_commit_is_lost_count_as_their_table(history: History) -> None:
    history.commit({"one": ("It is.", 1.0)})
    history.commit(**{"0" * 40: [0]})
    assert history.told() == {"one": False}


def test_a_part_of_the_history_is_refused(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history.commit({"one": ("It is.", 1.0)})
    history.commit()
    shallow = tmp_path / "shallow"
    subprocess.run(
        ["git", "clone", "-q", "--depth=1", f"file://{tmp_path}", shallow], check=True, capture_output=True, timeout=300
    )
    monkeypatch.setattr(module, "CLONE", shallow)
    with pytest.raises(UserError, match="a part of it only"):
        history.told()


def test_files_say_what_the_history_says() -> None:
    """Where a claim was worded after its runs, the experiment file says `planned: false`.

    It may say so elsewhere, too: runs that the history does not have may have been seen.
    """
    try:
        module.git("rev-parse", "HEAD")
        if module.git("rev-parse", "--is-shallow-repository").strip() != "false":
            pytest.skip("this clone has a part of the history only")
    except UserError:
        pytest.skip(f"{CLONE} has no history")
    wrong = {
        f"{experiment.name}/{name}": truth
        for experiment in select(None)
        for name, truth in planned(experiment).items()
        if experiment.claims[name].get("planned", True) and not truth
    }
    assert wrong == {}, "see: repro claims check"


def test_what_was_set_after_a_prototype_is_not_called_planned() -> None:
    """A trial that the history does not have is a run, too."""
    called = [
        f"{experiment.name}/{name}"
        for experiment in select(None)
        for name, claim in experiment.claims.items()
        if re.search(r"(?<!no )prototype", str(claim)) and claim.get("planned", True)
    ]
    assert called == []
