"""Which claims were there before the runs that they are judged by: read off the history of the clone."""

import csv
import io
import json
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from repro.claims.grammar import OURS, parse
from repro.claims.parts import simple_parts
from repro.config.yaml_loader import read_yaml
from repro.errors import UserError
from repro.paths import CLONE
from repro.storage.tables import read
from repro.study.experiment import Experiment, results_folder

# What the reader is told, and what the published number is; all else of a claim is what is tested.
_TOLD = {"says", "source", "published", "unit", "size", "why", "statement", "planned", "scales"}


def planned(experiment: Experiment) -> dict[str, bool]:
    """Of each claim whether what it tests was committed before the first of the runs that it looks at.

    A claim is known again by what it tests and whose it is: id and sentence may have changed, its variant, metric or
    bound not, nor the paper's claim have become ours. First runs are those of its variants in all published tables that
    there have been, at today's scale and with any of today's seeds: to train the same seeds again makes no claim a
    forecast, to train fresh ones does. A run says in
    runs.csv at which commit it was trained. A claim that has not been committed is planned only where no run is there.

    Raises:
        UserError: there is no history, or a part of it only.
    """
    if git("rev-parse", "--is-shallow-repository").strip() != "false":
        raise UserError("the order of claims and runs is in the git history, and this clone has a part of it only")
    path = results_folder(CLONE / "results", experiment, "published") / "runs.csv"
    if not path.is_file():
        return dict.fromkeys(experiment.claims, True)
    trained = _trained_at(path)
    versions = _versions(f"experiments/{experiment.name}.yaml")
    answers = {}
    for name, claim in experiment.claims.items():
        if experiment.published_scale not in claim.get("scales", [experiment.published_scale]):
            answers[name] = True  # no run that is published concerns it
            continue
        looks = _variants(name, claim, experiment)
        commits = {commit for variant, commit in trained if variant in looks}
        born = _born(_tested(claim), versions)
        answers[name] = all(born in _ancestors(commit) for commit in commits)
    return answers


def _variants(name: str, claim: Mapping[str, Any], experiment: Experiment) -> set[str]:
    """The variants whose runs a claim looks at."""
    parts = simple_parts(parse(name, claim, list(experiment.variants)))
    named = [side.variant for part in parts for side in (part.left, part.right) if side is not None]
    return {str(variant) for variant in (experiment.variants if None in named else named)}


def git(*words: str) -> str:
    """What git prints of the clone.

    Raises:
        UserError: the clone has no history, or not this part of it.
    """
    done = subprocess.run(["git", "-C", str(CLONE), *words], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"git {' '.join(words[:2])} failed in {CLONE}: {done.stderr.strip()}")
    return done.stdout


@cache
def _ancestors(commit: str) -> frozenset[str]:
    """A commit and all before it; none where the history does not have it."""
    try:
        return frozenset(git("rev-list", commit).split())
    except UserError:
        return frozenset()


def _trained_at(path: Path) -> set[tuple[str, str]]:
    """Variant and commit of the runs of this scale and with these seeds that were ever trained."""
    today = read(path)
    scale, seeds = today["scale"].iloc[0], set(today["seed"].astype("str"))
    trained = set(zip(today["variant"], today["commit"], strict=True))
    for table, text in _history(str(path.relative_to(CLONE))):
        for row in csv.DictReader(io.StringIO(text)):
            if row["scale"] == scale and row["seed"] in seeds:
                # Where the history has lost the commit, the table's own is as late as it can have been.
                trained.add((row["variant"], row["commit"] if _ancestors(row["commit"]) else table))
    return trained


def _versions(path: str) -> list[tuple[str, frozenset[str]]]:
    """Commit, and what the claims of an experiment file test then, newest first."""
    return [(commit, _tests_in(text)) for commit, text in _history(path)]


def _history(path: str) -> Iterator[tuple[str, str]]:
    """Commit and text of a file, newest first; one that was renamed is followed."""
    for entry in git("log", "--follow", "--diff-filter=d", "--format=%x00%H", "--name-only", "--", path).split("\0")[
        1:
    ]:
        commit, name = entry.split()
        yield commit, git("show", f"{commit}:{name}")


def _tests_in(text: str) -> frozenset[str]:
    try:
        node = read_yaml(text)
    except yaml.YAMLError:
        return frozenset()
    claims = ((node or {}).get("reproduction") or {}).get("claims") or {}
    return frozenset(text for claim in claims.values() for text in _readings(claim))


def _readings(claim: Mapping[str, Any]) -> list[str]:
    """What a claim tests and whose it is; both where an early version does not say whose."""
    return [_tested(claim)] if claim.get("source") else [_tested({**claim, "source": name}) for name in (OURS, "paper")]


def _tested(claim: Mapping[str, Any]) -> str:
    """What a claim tests and whether it is ours, as a text that is equal for equal claims."""
    whose = OURS if str(claim["source"]).startswith(OURS) else "the paper's"
    return json.dumps([whose, _bare(claim)], sort_keys=True)


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _bare(part) for key, part in value.items() if key not in _TOLD}
    return [_bare(part) for part in value] if isinstance(value, list) else value


def _born(test: str, versions: list[tuple[str, frozenset[str]]]) -> str:
    """The commit since which the file has had this test without a break; empty where the newest has it not."""
    born = ""
    for commit, tests in versions:
        if test not in tests:
            break
        born = commit
    return born
